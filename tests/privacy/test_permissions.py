"""Nobody else reads what localpers keeps, whatever the umask and whoever copied it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localpers.permissions import entries, restrict
from localpers.profile import Profile
from localpers.store import Store
from tests.conftest import write
from tests.privacy.conftest import environment


def modes(folder: Path) -> dict[str, int]:
    return {entry.path.name: entry.mode for entry in entries(folder)}


def test_whatever_the_umask_modes_are_the_owners(home: Path, tmp_path: Path) -> None:
    notes = write(tmp_path / "notes", {"a.md": "# River\n\nThe river was low that summer, again."})
    run = "umask 0; exec " + f"{sys.executable} -m localpers ingest {notes}"
    subprocess.run(["sh", "-c", run], check=True, capture_output=True, env=environment())
    found = list(entries(home))
    assert len(found) > 4
    assert {entry.mode for entry in found if entry.is_folder} == {0o700}
    assert {entry.mode for entry in found if not entry.is_folder} == {0o600}


def test_opening_a_profile_mends_what_lies_near(home: Path) -> None:
    profile = Profile.open()
    run = write(profile.runs / "r", {"run.json": "{}"})
    run.chmod(0o755)
    (run / "run.json").chmod(0o664)
    Profile.open()
    found = modes(profile.root)
    assert (found["r"], found["run.json"]) == (0o700, 0o600)


def test_where_the_door_stood_open_everything_is_mended(home: Path) -> None:
    profile = Profile.open()
    deep = write(profile.root / "a/b/c/d", {"text": "private"})
    (deep / "text").chmod(0o644)
    profile.root.chmod(0o755)
    Profile.open()
    assert all(not entry.is_open for entry in entries(profile.root))


def test_what_a_link_points_to_is_left_alone(home: Path, tmp_path: Path) -> None:
    mine = write(tmp_path / "mine", {"a": "x"})
    (mine / "a").chmod(0o644)
    mine.chmod(0o755)
    profile = Profile.open()
    (profile.root / "folder").symlink_to(mine)
    (profile.root / "file").symlink_to(mine / "a")
    restrict(profile.root)
    assert modes(mine) == {"mine": 0o755, "a": 0o644}


def test_a_home_on_another_disk_is_mended_through_its_link(
    home: Path, tmp_path: Path, monkeypatch
) -> None:
    real = write(tmp_path / "disk", {"a": "x"})
    real.chmod(0o755)
    link = tmp_path / "link"
    link.symlink_to(real)
    restrict(link)
    assert modes(real) == {"disk": 0o700, "a": 0o600}


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="there is no /proc here")
def test_a_crash_leaves_no_image_of_the_memory(tmp_path: Path) -> None:
    code = (
        "import os, signal; from localpers.permissions import keep_private; keep_private()\n"
        "os.kill(os.getpid(), signal.SIGSEGV)"
    )
    run = f"ulimit -c unlimited 2>/dev/null; exec {sys.executable} -c '{code}'"
    died = subprocess.run(["sh", "-c", run], cwd=tmp_path, env=environment(), capture_output=True)
    assert died.returncode == -signal.SIGSEGV and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc here")
def test_what_is_sorted_is_not_laid_down_in_a_temporary_folder(home: Path) -> None:
    with Store.open(Profile.open()) as store:
        rows = store._connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
            " SELECT i || HEX(ZEROBLOB(500)) AS text FROM n ORDER BY text DESC"
        )
        assert rows.fetchone()
        opened = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
        assert not [path for path in opened if "etilqs" in path.name]
