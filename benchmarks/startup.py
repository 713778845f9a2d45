"""How light is the start? `localpers --help` and `search` against importing typer alone, and in it
what hiding the command line and sealing the process take (processor time).

python benchmarks/startup.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

REPEATS = 11
SEAL = """
from time import process_time
begun = process_time()
import typer
imported = process_time()
from localpers.privacy.process_title import hide_arguments
hide_arguments()
from localpers.privacy.airgap import seal
seal()
print(imported - begun, process_time() - imported)
"""


def seconds(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], capture_output=True, check=True)
    return time.perf_counter() - began


def seal_seconds() -> tuple[float, float]:
    """Of importing typer, and of hiding and sealing after it, in one process."""
    done = subprocess.run([sys.executable, "-c", SEAL], capture_output=True, text=True, check=True)
    typer, seal = map(float, done.stdout.split())
    return typer, seal


def main() -> None:
    commands = {
        "import typer": ("-c", "import typer"),
        "localpers --help": ("-m", "localpers", "--help"),
        "localpers search": ("-m", "localpers", "search", "word"),
    }
    found = {
        name: statistics.median([seconds(*command) for _ in range(REPEATS)])
        for name, command in commands.items()
    }
    ratio = found["localpers --help"] / found["import typer"]
    sealing = [seal_seconds() for _ in range(REPEATS)]
    seal = {
        "milliseconds": statistics.median(1000 * seal for _, seal in sealing),
        "ratio": statistics.median(seal / typer for typer, seal in sealing),
    }
    print(json.dumps({"seconds": found, "help_ratio": ratio, "seal": seal}, indent=2))


if __name__ == "__main__":
    main()
