"""The process list is everyone's to read; what is asked must not stay in it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import write
from tests.privacy.conftest import environment

SECRET = "zebra-in-the-vestry"


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="there is no /proc here")
@pytest.mark.parametrize("arguments", [["ask", SECRET], ["search", SECRET], ["ingest", SECRET]])
def test_arguments_leave_the_process_list(home: Path, tmp_path: Path, arguments: list[str]) -> None:
    write(tmp_path, {"a.md": "# River\n\nThe river was low that summer, again."})
    with subprocess.Popen(
        [sys.executable, "-m", "localpers", "--profile", "p", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    ) as process:
        seen = []
        # What comes first is Python's own start; from then on there is nothing to read.
        while process.poll() is None:
            try:
                line = Path(f"/proc/{process.pid}/cmdline").read_bytes()
                around = Path(f"/proc/{process.pid}/environ").read_bytes()
            except OSError:
                break
            seen.append(line.rstrip(b"\0"))
            assert SECRET.encode() not in around
            time.sleep(0.005)
    assert b"localpers" in seen
    after = seen[seen.index(b"localpers") :]
    assert set(after) <= {b"localpers", b""}
