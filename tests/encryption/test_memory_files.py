"""What an open encrypted profile keeps in memory: files without a name, and nothing for long."""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localpers.encryption import memory, vault
from localpers.encryption.keys import Header
from localpers.runs import finished_runs
from tests.conftest import CommandLine
from tests.privacy.encrypted_profile import (
    PASSPHRASE,
    encrypted,
    memory_folders,
    opened,
    passphrase,
    quick_derivation,
    root,
)

__all__ = ["encrypted", "passphrase", "quick_derivation", "root"]  # The fixtures.

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="encryption needs Linux")


def test_weights_are_read_from_files_without_a_name(encrypted: Path) -> None:
    profile = opened()
    try:
        (run,) = finished_runs(profile)
        assert not run.model("q8_0").exists()
        path = vault.fetch(run.model("q8_0"))
        assert path.read_bytes() == b"zeppelin weights" * 10_000
        assert "memfd" in str(path.readlink().readlink())
    finally:
        profile.close()
    assert memory_folders() == set()


def test_a_killed_command_leaves_nothing_for_long(encrypted: Path) -> None:
    """Told to end it cleans up itself; killed outright, the next command does."""
    code = (
        "import time; from localpers.profile import Profile\n"
        f"profile = Profile.open('default', lambda name, header: {PASSPHRASE!r})\n"
        "print(profile.files, flush=True); time.sleep(60)\n"
    )
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert (folder / "profile.json").exists() and folder.stat().st_mode & 0o077 == 0
        process.send_signal(number)
        assert process.wait(30) == -number
        if number == signal.SIGKILL:
            profile = opened()
            _ = profile.files
            profile.close()
        assert not folder.exists()


def test_a_folder_that_is_being_made_is_not_taken_for_abandoned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lock = fcntl.flock

    def after_another_command(handle: int, how: int) -> None:
        with pytest.MonkeyPatch.context() as alone:
            alone.setattr(fcntl, "flock", lock)
            memory.WorkingFolder().remove()
        lock(handle, how)

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", after_another_command)
        made = memory.WorkingFolder()
    assert made.path.is_dir()
    made.remove()
    assert not made.path.exists()


def test_no_place_in_memory_is_refused(
    cli: CommandLine, root: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "is_in_memory", lambda folder: False)
    monkeypatch.setenv("LOCALPERS_MEMORY", str(tmp_path))
    outcome = cli("profiles", "encrypt", "default")
    assert outcome.code == 1 and "LOCALPERS_MEMORY" in outcome.err
    assert Header.load(root) is None and cli("search", "zeppelin").code == 0


def test_the_disk_is_no_memory() -> None:
    assert memory.is_in_memory(Path("/dev/shm")) and not memory.is_in_memory(Path("/usr"))
