"""Atomic replacement and wiping of files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localpers.atomic import replacing, write_atomically
from localpers.encryption.files import wipe


def test_a_write_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and path.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_crash_before_the_rename_keeps_the_old_file(tmp_path: Path) -> None:
    """The temporary file of the killed process is removed by the next writer."""
    path = tmp_path / "file [1]"
    write_atomically(path, "old")
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from localpers.atomic import replacing\n"
        "with replacing(Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)])
    assert done.returncode == -signal.SIGKILL
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 2
    write_atomically(path, "new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as one:
        one.write_text("one")
        with replacing(path) as two:
            two.write_text("two")
        assert path.read_text() == "two"
    assert path.read_text() == "one" and list(tmp_path.iterdir()) == [path]


def test_wiping_overwrites_unless_there_is_another_link(tmp_path: Path) -> None:
    path, backup = tmp_path / "file", tmp_path / "backup"
    path.write_text("zeppelin")
    with path.open("rb") as opened:
        wipe(path)
        assert opened.read() == bytes(8) and not path.exists()
    path.write_text("zeppelin")
    os.link(path, backup)
    wipe(path)
    assert backup.read_text() == "zeppelin" and not path.exists()
    wipe(path)
