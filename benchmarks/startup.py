"""How light is the start? `localpers --help` and `search` against importing typer alone.

python benchmarks/startup.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

REPEATS = 11


def seconds(*command: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], capture_output=True, check=True)
    return time.perf_counter() - began


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
    print(json.dumps({"seconds": found, "help_ratio": ratio}, indent=2))


if __name__ == "__main__":
    main()
