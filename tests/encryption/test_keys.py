"""The header of an encrypted profile and the secrets that unlock it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localpers.encryption import keys
from localpers.encryption.keys import HEADER, Header, SecretKind, State, secret_from_passphrase
from localpers.errors import LocalpersError, WrongSecret


@pytest.fixture(autouse=True)
def quick_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MEMORY_KIB", 64)


def test_the_secret_unlocks_and_another_does_not(tmp_path: Path) -> None:
    header, master = Header.new(b"correct horse", SecretKind.PASSPHRASE)
    header.in_state(State.ENCRYPTED).save(tmp_path)
    loaded = Header.load(tmp_path)
    assert loaded is not None and loaded.state is State.ENCRYPTED
    assert loaded.unlock(b"correct horse") == master
    with pytest.raises(WrongSecret, match="Nothing was changed"):
        loaded.unlock(b"correct horsf")
    assert master.key.hex() not in (tmp_path / HEADER).read_text()


def test_a_new_secret_unlocks_the_same_master_key_and_the_old_one_nothing() -> None:
    header, master = Header.new(b"old", SecretKind.PASSPHRASE)
    changed = header.rewrapped(master, b"new", SecretKind.KEY_FILE)
    assert changed.unlock(b"new") == master
    with pytest.raises(WrongSecret):
        changed.unlock(b"old")


@pytest.mark.parametrize(("path", "value"), [("kind", "key file"), ("id", "other")])
def test_a_modified_header_does_not_unlock(tmp_path: Path, path: str, value: str) -> None:
    header, _ = Header.new(b"secret", SecretKind.PASSPHRASE)
    header.save(tmp_path)
    content = json.loads((tmp_path / HEADER).read_text())
    (tmp_path / HEADER).write_text(json.dumps(content | {path: value}))
    loaded = Header.load(tmp_path)
    assert loaded is not None
    with pytest.raises(WrongSecret):
        loaded.unlock(b"secret")


def test_saving_leaves_no_previous_header(tmp_path: Path) -> None:
    header, _ = Header.new(b"secret", SecretKind.PASSPHRASE)
    header.save(tmp_path)
    header.in_state(State.ENCRYPTED).save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [HEADER]


def test_keys_differ_by_file_version_and_database() -> None:
    _, master = Header.new(b"secret", SecretKind.PASSPHRASE)
    derived = {
        master.of_file("a", b"1" * 32),
        master.of_file("a", b"2" * 32),
        master.of_file("b", b"1" * 32),
        bytes.fromhex(master.of_database()),
        master.key,
    }
    assert len(derived) == 5


def test_passphrases_are_normalized_and_not_empty() -> None:
    assert secret_from_passphrase("caf\u00e9") == secret_from_passphrase("cafe\u0301")
    with pytest.raises(LocalpersError, match="empty"):
        secret_from_passphrase("")
