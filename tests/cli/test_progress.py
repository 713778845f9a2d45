"""Progress on a terminal and in a pipe."""

from __future__ import annotations

import io
import sys

import pytest

from localpers.cli import progress
from localpers.cli.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("QUIET_SECONDS", "REDRAW_SECONDS", "SETTLED_SECONDS"):
        monkeypatch.setattr(progress, name, 0.0)


def test_a_terminal_shows_a_bar_with_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    line = ProgressLine("reading")
    line.update(1, 4, "[bold]\x1b]0;owned\x07.md", left=65)
    line.clear()
    shown = terminal.getvalue()
    assert "reading" in shown and "1/4 · 1 min 05 s left · [bold]" in shown
    assert "\x1b]0" not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l"), "the cursor is back"


def test_a_pipe_gets_a_plain_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine("reading")
    for done in range(1, 5):
        line.update(done, 4, left=9)
    line.clear()
    assert capsys.readouterr().err == "reading 1/4 · 9 s left\n"
