"""How far long work is and how long it will take, on stderr."""

from __future__ import annotations

import atexit
import sys
import time
from typing import TYPE_CHECKING

from localpers.cli.console import inline, notice

if TYPE_CHECKING:
    from rich.progress import Progress

REDRAW_SECONDS = 0.1
QUIET_SECONDS = 0.5
PIPE_SECONDS = 10.0
SETTLED_SECONDS = 3.0
"""Until then no time left is shown: libraries and models are still loading."""


class ProgressLine:
    """A bar on a terminal; elsewhere a line every PIPE_SECONDS."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._began = time.monotonic()
        self._drawn_at = 0.0
        self._terminal = sys.stderr.isatty()
        self._bar: Progress | None = None

    def update(self, done: int, total: int, detail: str = "", left: float | None = None) -> None:
        """Show `done` of `total`; `left` is in seconds, estimated from the pace if not given."""
        now = time.monotonic()
        pause = REDRAW_SECONDS if self._terminal else PIPE_SECONDS
        if now - self._began < QUIET_SECONDS or now - self._drawn_at < pause:
            return
        self._drawn_at = now
        if left is None and done and now - self._began > SETTLED_SECONDS:
            left = (now - self._began) / done * (total - done)
        facts = [f"{done:,}/{total:,}"]
        if left is not None:
            facts.append(f"{duration(left)} left")
        if detail:
            facts.append(inline(detail))
        line = " · ".join(facts)
        if not self._terminal:
            notice(f"{self._verb} {line}")
            return
        if self._bar is None:
            self._bar = _bar(self._verb)
            atexit.register(self.clear)  # An open bar hides the cursor.
        self._bar.update(
            self._bar.task_ids[0], completed=done, total=total or None, facts=line, refresh=True
        )

    def clear(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            atexit.unregister(self.clear)


def _bar(verb: str) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TextColumn(
            "{task.fields[facts]}",
            markup=False,
            table_column=Column(no_wrap=True, overflow="ellipsis"),
        ),
        console=Console(stderr=True, highlight=False),
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    bar.add_task(verb, facts="")
    bar.start()
    return bar


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
    """Shows each stage on a line of its own, with a bar below."""

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
