"""Real processes: what is sealed stays sealed, so pytest itself must never be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from localpers.privacy.kernel_filter import why_unavailable

ROOT = Path(__file__).parents[2]


@cache
def why_no_filter() -> str | None:
    """Why there is no library, or what the kernel says to a child that asks it for a filter."""
    if why := why_unavailable():
        return why
    asked = "from localpers.privacy.kernel_filter import install; install()"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, cwd=ROOT)
    return None if done.returncode == 0 else done.stderr.strip().rpartition("\n")[2] or "killed"


needs_filter = pytest.mark.skipif(
    why_no_filter() is not None, reason=f"no kernel filter: {why_no_filter()}"
)


def environment(**more: str) -> dict[str, str]:
    """This process's, with the checkout importable; `more` names wins."""
    path = os.pathsep.join(p for p in (more.pop("before", ""), str(ROOT)) if p)
    return os.environ | {"PYTHONPATH": path, "LOCALPERS_THREADS": "1"} | more


Script = Callable[..., Any]


@pytest.fixture
def script() -> Script:
    """Run Python code in a process of its own; returns the JSON that it prints."""

    def run(code: str, **more: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment(**more)
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def localpers(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
    """`localpers ARGUMENTS…` as a user's shell starts it."""
    command = [sys.executable, "-m", "localpers", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**more))
