"""`localpers audit`, as a user runs it, on systems that hold what is promised and that do not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localpers import doctor
from localpers.privacy import kernel_filter
from localpers.profile import Profile
from tests.conftest import CommandLine
from tests.privacy.conftest import environment, localpers, needs_filter
from tests.privacy.test_airgap import NO_LIBRARY, SEAL


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder with one file."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "base.gguf").write_bytes(b"GGUF")
    (folder / "base.gguf").chmod(0o644)
    return folder


@needs_filter
def test_audit_proves_the_airgap_and_mends_what_is_loose(home: Path, models: Path) -> None:
    profile = Profile.open()
    deep = profile.root / "a" / "b" / "c" / "d"
    deep.mkdir(parents=True)
    (deep / "text.json").write_text("private")
    (deep / "text.json").chmod(0o644)
    loose = [deep, *deep.parents[:3], deep / "text.json"]
    for folder in loose[:-1]:
        folder.chmod(0o755)
    done = localpers("audit", "--json", LOCALPERS_MODELS=str(models))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["holds"] and found["not_enforced"] is None
    proofs = {proof["attempt"]: proof for proof in found["proofs"]}
    for what in ("tcp", "udp", "raw", "native call", "name lookup"):
        proof = proofs[f"{what}, in a child process"]
        assert (proof["sealed"], proof["by"]) == ("EPERM", "kernel (seccomp)")
    assert proofs["tcp, in a child process"]["control"] == "made"
    assert proofs["native call, in an older thread"]["sealed"] == "EPERM"
    assert proofs["Python code"]["sealed"] == "EPERM"
    kept = {one["path"]: one for one in found["kept"]}
    text = kept[str(deep / "text.json")]
    assert (text["mode"], text["mended_from"], text["bytes"]) == ("0600", "0644", 7)
    assert (deep / "text.json").stat().st_mode & 0o777 == 0o600
    assert deep.stat().st_mode & 0o777 == 0o700
    assert found["mended"] == len(loose)
    assert kept[str(models / "base.gguf")]["complaint"] is None
    assert found["files"] == 2 and found["bytes"] == 11


@needs_filter
def test_a_base_model_that_others_may_exchange_is_complained_of(home: Path, models: Path) -> None:
    (models / "base.gguf").chmod(0o666)
    done = localpers("audit", LOCALPERS_MODELS=str(models))
    assert done.returncode == 1 and "others can replace it" in done.stdout
    assert "A check failed" in done.stdout


@needs_filter
def test_audit_looks_through_a_linked_profile_and_tells_what_it_cannot_see(
    home: Path, models: Path, tmp_path: Path
) -> None:
    Profile.open("moved").root.rename(tmp_path / "moved")
    (home / "profiles" / "moved").symlink_to(tmp_path / "moved")
    (tmp_path / "moved" / "text").write_text("private")
    (tmp_path / "moved" / "text").chmod(0o644)
    done = localpers("audit", LOCALPERS_MODELS=str(models))
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "moved" / "text").stat().st_mode & 0o777 == 0o600
    (home / "profiles" / "moved" / "elsewhere").symlink_to(tmp_path)
    done = localpers("audit", LOCALPERS_MODELS=str(models))
    assert done.returncode == 1 and "elsewhere  (a link" in done.stdout


@needs_filter
@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_audit_complains_of_what_belongs_to_another_user(home: Path, models: Path) -> None:
    foreign = Profile.open().root / "text"
    foreign.write_text("private")
    foreign.chmod(0o600)
    os.chown(foreign, 12345, -1)
    done = localpers("audit", LOCALPERS_MODELS=str(models))
    assert done.returncode == 1 and "owned by another user" in done.stdout


@needs_filter
def test_audit_fails_where_the_kernel_refuses_nothing(
    home: Path, models: Path, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(NO_LIBRARY)
    done = localpers("audit", before=str(tmp_path), LOCALPERS_MODELS=str(models))
    assert done.returncode == 1
    assert "libseccomp2" in done.stdout and "not refused" in done.stdout


@needs_filter
def test_being_offline_proves_nothing(home: Path, models: Path, tmp_path: Path) -> None:
    wrapper = SEAL + "import os, sys\nos.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    (tmp_path / "sealed_first.py").write_text(wrapper)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "sealed_first.py"), "-m", "localpers", "audit"],
        capture_output=True,
        text=True,
        env=environment(LOCALPERS_MODELS=str(models)),
    )
    assert done.returncode == 1 and "this proves nothing" in done.stdout


def test_doctor_names_the_library(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel_filter, "why_unavailable", lambda: "Install libseccomp2.")
    check = doctor._airgap()
    assert not check.ok and not check.required and "libseccomp2" in check.advice
    monkeypatch.undo()
    if kernel_filter.why_unavailable() is None:
        assert "libseccomp 2." in doctor._airgap().detail
