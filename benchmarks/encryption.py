"""What does encryption at rest cost? Each command on an encrypted profile against the same on a
plain one, in CPU time, taking turns.

    python benchmarks/encryption.py [FOLDER_OF_NOTES]

Prints one JSON document: CPU seconds (the least of REPEATS runs) of `ingest`, `search`, `ask` with
the base and `ask` with a tuned model, plain and encrypted, and their ratios; and of `ingest` and
`search` with SQLCipher as the engine of a plain profile, which is why plain ones keep the standard
library's. The tuned model is the starter's own file in the place of a merged one: 98 MB to decrypt.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTES = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data/til"
REPEATS = int(os.environ.get("REPEATS", "3"))
QUESTION = "How do I find large files?"
LOCALPERS = "from localpers.cli.app import main; main()"
OTHER_ENGINE = (
    "from localpers.store import database, engine\n"
    "database.connect = lambda path, key: engine.connect_cipher(path, None)\n" + LOCALPERS
)
TUNED = """
import sys
from localpers.profile import Profile
from localpers.runs import RunFolder
from localpers.runs.records import RecordedBase, RunRecord, RunServed
from localpers.weights.catalog import catalog, find
profile, base = Profile.open(), find(catalog()[0].name)
run = RunFolder.create(profile)
run.model("q4_1").write_bytes(base.path.read_bytes())
run.finish(RunRecord(run=run.id, base=base.name,
                     base_model=RecordedBase(name=base.name, sha256=base.sha256),
                     served=RunServed(model=run.model("q4_1").name)))
profile.promote(run.id)
"""


def cpu_seconds(home: Path, *arguments: str, code: str = LOCALPERS) -> float:
    """User and system time of one command in a process of its own."""
    environment = os.environ | {
        "LOCALPERS_HOME": str(home),
        "LOCALPERS_PASSPHRASE_FILE": str(home.with_name("passphrase")),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    complaints = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"localpers {' '.join(arguments)}: {complaints}")
    return usage.ru_utime + usage.ru_stime


class Costs:
    """CPU seconds by what was done and in which kind of profile."""

    def __init__(self, homes: dict[str, Path]) -> None:
        self._homes = homes
        self._found: dict[str, dict[str, list[float]]] = {}

    def take_turns(self, what: str, kinds: tuple[str, ...], *arguments: str) -> None:
        for kind in kinds:
            code = OTHER_ENGINE if kind == "sqlcipher" else LOCALPERS
            seconds = cpu_seconds(self._homes[kind], *arguments, code=code)
            self._found.setdefault(what, {}).setdefault(kind, []).append(seconds)
            print(f"{what} {kind}: {seconds:.2f} s", file=sys.stderr, flush=True)

    def figures(self) -> dict[str, dict[str, float]]:
        return {what: _figures(kinds) for what, kinds in self._found.items()}


def measure(folder: Path) -> dict[str, dict[str, float]]:
    ask = ("ask", QUESTION, "--max-tokens", "32", "--json")
    both, three = ("plain", "encrypted"), ("plain", "encrypted", "sqlcipher")
    homes = {name: folder / name for name in three}
    costs = Costs(homes)
    for _ in range(REPEATS):
        for home in homes.values():
            shutil.rmtree(home, ignore_errors=True)
            cpu_seconds(home, "profiles", "new", "default")
        cpu_seconds(homes["encrypted"], "profiles", "encrypt", "default")
        costs.take_turns("ingest", three, "ingest", str(NOTES))
        costs.take_turns("search", three, "search", QUESTION, "--json")
    for _ in range(REPEATS):
        costs.take_turns("ask", both, *ask)
    cpu_seconds(homes["encrypted"], "profiles", "decrypt", "default")
    for kind in both:
        cpu_seconds(homes[kind], code=TUNED)
    cpu_seconds(homes["encrypted"], "profiles", "encrypt", "default")
    for _ in range(REPEATS):
        costs.take_turns("ask_tuned", both, *ask)
    return costs.figures()


def _figures(kinds: dict[str, list[float]]) -> dict[str, float]:
    least = {kind: min(seconds) for kind, seconds in kinds.items()}
    ratios = {f"{kind}_ratio": least[kind] / least["plain"] for kind in least if kind != "plain"}
    return {name: round(value, 3) for name, value in (least | ratios).items()}


def main() -> None:
    if not NOTES.is_dir():
        sys.exit(f"There is no folder {NOTES}: name one with notes.")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "passphrase").write_text("correct horse battery staple\n")
        print(json.dumps(measure(Path(folder)), indent=2))


if __name__ == "__main__":
    main()
