"""`localpers forget` in an encrypted profile, where files go from memory first and from the disk
later.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from localpers.encryption import keys
from localpers.encryption.vault import Vault
from localpers.privacy import forget as forgetting
from localpers.profile import Profile
from tests.conftest import CommandLine
from tests.privacy.test_forget import NAME, fail, found_in, notes, profile, tainted_history

__all__ = ["notes", "profile"]  # The fixtures.

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="encryption needs Linux")


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MEMORY_KIB", 64)
    path = tmp_path / "passphrase"
    path.write_text("correct horse")
    monkeypatch.setenv("LOCALPERS_PASSPHRASE_FILE", str(path))


@pytest.mark.parametrize("step", ["_clean_store", "_describe_without", "Store.rewrite", None])
def test_a_killed_forget_is_finished_on_the_disk_too(
    cli: CommandLine,
    profile: Profile,
    notes: Path,
    passphrase: None,
    step: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = tainted_history(profile)
    described = runs["clean"].record().files
    assert cli("profiles", "encrypt", "default").code == 0
    if step:
        owner, _, name = step.rpartition(".")
        with monkeypatch.context() as patched:
            patched.setattr(getattr(forgetting, owner) if owner else forgetting, name, fail)
            patched.setattr(Vault, "close", Vault._remove)  # As a killed process leaves the disk.
            assert cli("forget", notes / NAME).code == 130
        assert "finishing" in cli("status").err
    else:
        assert cli("forget", notes / NAME).code == 0
    assert cli("profiles", "decrypt", "default").code == 0
    assert found_in(profile) == set() and profile.promoted() == runs["clean"].id
    for name in ("tainted", "in prompts"):
        assert [path.name for path in runs[name].path.iterdir()] == ["run.json"]
    kept = runs["clean"].record().files
    assert kept.keys() == described.keys() and kept["adapter.gguf"] == described["adapter.gguf"]
    assert kept["held_out.jsonl"] != described["held_out.jsonl"]
