"""One line on stderr that says how far long work is and how long it will take."""

from __future__ import annotations

import shutil
import sys
import time

from localpers.cli.console import inline, notice

REDRAW_SECONDS = 0.1
QUIET_SECONDS = 0.5
PIPE_SECONDS = 10.0
SETTLED_SECONDS = 3.0
"""Before, the pace says little: libraries and models are still being loaded."""


class ProgressLine:
    """Redrawn in place on a terminal; elsewhere a line every PIPE_SECONDS."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._began = time.monotonic()
        self._drawn_at = 0.0
        self._visible = False
        self._terminal = sys.stderr.isatty()

    def update(self, done: int, total: int, detail: str = "", left: float | None = None) -> None:
        """Show `done` of `total`; `left` is in seconds, estimated from the pace if not given."""
        now = time.monotonic()
        pause = REDRAW_SECONDS if self._terminal else PIPE_SECONDS
        if now - self._began < QUIET_SECONDS or now - max(self._drawn_at, 0.0) < pause:
            return
        self._drawn_at = now
        if left is None and done and now - self._began > SETTLED_SECONDS:
            left = (now - self._began) / done * (total - done)
        parts = [f"{self._verb} {done:,}/{total:,}"]
        if left is not None:
            parts.append(f"{duration(left)} left")
        if detail:
            parts.append(inline(detail))
        line = " · ".join(parts)
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write("\r\x1b[2K" + line[:width])
            self._visible = True
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def clear(self) -> None:
        if self._visible:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._visible = False


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`, `2 h 05 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


class TerminalReporter:
    """Shows each stage on a line of its own, and progress in place."""

    def __init__(self) -> None:
        self._line = ProgressLine("")

    def stage(self, name: str) -> None:
        self.clear()
        notice(f"{name} …")
        self._line = ProgressLine(name.split()[0])

    def progress(self, done: int, total: int, detail: str, left: float | None) -> None:
        self._line.update(done, total, detail, left)

    def warn(self, line: str) -> None:
        self.clear()
        notice(f"Note: {line}")

    def clear(self) -> None:
        self._line.clear()
