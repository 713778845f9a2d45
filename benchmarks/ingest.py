"""How fast is `ingest`? Against a bare walk-and-stat of the same files, in the same process.

    python benchmarks/ingest.py [FOLDER_OF_NOTES]

Prints one JSON document: notes a second on the first run, memory at 1,000 and 10,000 files, and
the second run over 10,000 unchanged files as a multiple of walking and stat-ing them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTES = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data/til"
MANY = 10_000
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


def seconds(work: object, *arguments: object) -> float:
    began = time.perf_counter()
    work(*arguments)  # type: ignore[operator]
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
        results["second_run"] = second_run(base / str(MANY), base / f"home-{MANY}")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
