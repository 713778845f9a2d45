"""Run a build quietly: `build_progress.py LOG COMMAND...`, with its output in LOG.

Shows percent and time left from ninja's `[n/m]` or cmake's `[ n%]`: on one line of a terminal, else
a line for every tenth. If the build fails, prints the end of LOG and exits with its status.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

STEP = re.compile(r"\[\s*(\d+)(?:/(\d+)|%)\]")
LAST_LINES = 40


def main(log: Path, command: list[str]) -> int:
    terminal = sys.stdout.isatty()
    began, tenth = 0.0, -1
    with (
        log.open("w", buffering=1, encoding="utf-8") as out,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as build,
    ):
        assert build.stdout is not None
        for line in build.stdout:
            out.write(line)
            if step := STEP.search(line):
                began = began or time.monotonic()  # Configuring, before, says nothing of the pace.
                share = min(int(step[1]) / int(step[2] or 100), 1.0)
                shown = f"    {share:4.0%}{_left(time.monotonic() - began, share)}"
                if terminal:
                    print(f"\r{shown}\x1b[K", end="", flush=True)
                elif int(share * 10) > tenth:
                    tenth = int(share * 10)
                    print(shown, flush=True)
    if terminal:
        print("\r\x1b[K", end="", flush=True)
    if build.returncode:
        print(*log.read_text(encoding="utf-8").splitlines()[-LAST_LINES:], sep="\n")
        print(f"The build failed; its whole output is in {log}.")
    return build.returncode


def _left(elapsed: float, share: float) -> str:
    if elapsed < 10 or not 0 < share < 1:
        return ""
    minutes, seconds = divmod(round(elapsed / share * (1 - share)), 60)
    return f", {minutes} min {seconds:02d} s left"


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit(130)
