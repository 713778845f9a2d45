"""How fast is `ingest`? Against a bare walk-and-stat of the same files, in the same process.

    python benchmarks/ingest.py [FOLDER_OF_NOTES]

Prints one JSON document: notes a second on the first run, memory at 1,000 and 10,000 files, the
second run over 10,000 unchanged files as a multiple of walking and stat-ing them, and HTML pages
and PDF files read in the child process that one may crash, as a multiple of reading them here.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTES = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data/til"
MANY = 10_000
CONTAINERS = 100
REPEATS = 5


def write_notes(folder: Path, count: int) -> None:
    for number in range(count):
        path = folder / f"{number % 100:02}" / f"{number}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Note {number}\n\nThe river was low, and word{number} stood idle.\n")


def walk_and_stat(folder: Path) -> int:
    count = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            os.stat(os.path.join(parent, name))
            count += 1
    return count


def seconds(work: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - began


def first_run(notes: Path, home: Path) -> dict[str, float]:
    """Peak memory and speed of a first ingest, in a process of its own."""
    code = (
        "import json, resource, sys; from pathlib import Path\n"
        "from localpers.profile import Profile; from localpers.store import Store\n"
        "from localpers.retrieval.indexing import Indexer; from localpers.corpus.sync import sync\n"
        "from localpers.forgotten import Forgotten; profile = Profile.open()\n"
        "with Store.open(profile) as store:\n"
        "    Indexer(store).refresh()\n"
        "    report = sync(store, [Path(sys.argv[1])], Forgotten.of(profile))\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(json.dumps({'documents': report.documents, 'seconds': report.seconds,"
        " 'peak_mb': peak / (1024 if sys.platform == 'linux' else 1 << 20)}))\n"
    )
    environment = os.environ | {"LOCALPERS_HOME": str(home)}
    output = subprocess.run(
        [sys.executable, "-c", code, str(notes)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    result: dict[str, float] = json.loads(output.stdout)
    return result


def second_run(notes: Path, home: Path) -> dict[str, float]:
    os.environ["LOCALPERS_HOME"] = str(home)
    from localpers.corpus.sync import sync
    from localpers.forgotten import Forgotten
    from localpers.profile import Profile
    from localpers.store import Store

    profile = Profile.open()
    forgotten = Forgotten.of(profile)
    with Store.open(profile) as store:
        sync(store, [notes], forgotten)
        ours = statistics.median(seconds(sync, store, [notes], forgotten) for _ in range(REPEATS))
    bare = statistics.median(seconds(walk_and_stat, notes) for _ in range(REPEATS))
    return {"seconds": ours, "walk_and_stat_seconds": bare, "ratio": ours / bare}


def pdf_of(words: str) -> bytes:
    """One page of text; without a table of its objects, which PDFium then makes itself."""
    shown = f"BT /F1 9 Tf 40 780 Td {' '.join(f'({words}) Tj 0 -12 Td' for _ in range(50))} ET"
    return (
        "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
        "2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n"
        "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R "
        "/Resources << /Font << /F1 4 0 R >> >> >>\nendobj\n"
        "4 0 obj\n<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n"
        f"5 0 obj\n<< /Length {len(shown)} >>\nstream\n{shown}\nendstream\nendobj\n"
        "trailer\n<< /Root 1 0 R >>\n"
    ).encode()


def in_child(folder: Path) -> dict[str, dict[str, float]]:
    """Seconds for CONTAINERS files of a kind here and in the child, its start included."""
    from localpers.corpus.isolation import IsolatedReader
    from localpers.corpus.readers import Reader, reader_for

    def reader_of(path: Path) -> Reader:
        reader = reader_for(path)
        assert reader is not None
        return reader

    def here() -> None:
        for path in paths:
            list(reader_of(path)(path))

    def there() -> None:
        with IsolatedReader() as isolated:
            for path in paths:
                list(isolated.read(reader_of(path), path))

    results = {}
    words = "The river was low, and the mill stood idle."
    contents = {"html": f"<h1>Page</h1>{f'<p>{words}</p>' * 50}".encode(), "pdf": pdf_of(words)}
    for suffix, content in contents.items():
        paths = [folder / f"{number}.{suffix}" for number in range(CONTAINERS)]
        for path in paths:
            path.write_bytes(content)
        here()
        ours = statistics.median(seconds(there) for _ in range(3))
        bare = statistics.median(seconds(here) for _ in range(3))
        results[suffix] = {"seconds": ours, "here_seconds": bare, "ratio": ours / bare}
    return results


def main() -> None:
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        if NOTES.is_dir():
            runs = [first_run(NOTES, base / f"notes-home-{number}") for number in range(3)]
            rates = [run["documents"] / run["seconds"] for run in runs]
            results["notes_per_second"] = statistics.median(rates)
        for count in (MANY // 10, MANY):
            write_notes(base / str(count), count)
            results[f"peak_mb_{count}"] = first_run(base / str(count), base / f"home-{count}")[
                "peak_mb"
            ]
        results["in_child"] = in_child(base)
        results["second_run"] = second_run(base / str(MANY), base / f"home-{MANY}")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
