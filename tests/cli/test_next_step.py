"""`localpers` without a command, and shell completion."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CommandLine, write


def test_without_a_command_one_line_says_what_to_do_next(
    cli: CommandLine, tmp_path: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path / "none"))
    outcome = cli()
    assert outcome.code == 0 and "localpers ingest" in outcome.out
    cli("ingest", write(tmp_path / "notes", {"a.md": "Bread rises in two hours."}))
    outcome = cli()
    assert outcome.code == 0 and "localpers models pull" in outcome.out
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))
    outcome = cli("--profile", "default")
    assert outcome.code == 0 and "localpers ask" in outcome.out and "tune" in outcome.out
    assert outcome.out.count("\n") == 1 and outcome.err == ""


def test_a_shell_completes_commands() -> None:
    environment = os.environ | {
        "_LOCALPERS_COMPLETE": "complete_bash",
        "COMP_WORDS": "localpers st",
        "COMP_CWORD": "1",
    }
    outcome = subprocess.run(
        [sys.executable, "-m", "localpers"], capture_output=True, text=True, env=environment
    )
    assert outcome.returncode == 0 and outcome.stdout.split() == ["status"]
