"""Progress of `make`'s build of llama.cpp, from a build that only prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts/build_progress.py"


@pytest.mark.parametrize(("form", "code"), [("[%d/20] Building x", 0), ("[ %d%%] Building x", 3)])
def test_percent_is_shown_and_the_status_kept(tmp_path: Path, form: str, code: int) -> None:
    build = f"import sys\nfor n in range(1, 21): print({form!r} % n)\nsys.exit({code})"
    log = tmp_path / "log"
    outcome = subprocess.run(
        [sys.executable, SCRIPT, log, sys.executable, "-c", build], capture_output=True, text=True
    )
    assert outcome.returncode == code
    assert ("100%" if code == 0 else "10%") in outcome.stdout
    assert ("build failed" in outcome.stdout) == bool(code)
    assert log.read_text().count("Building") == 20
