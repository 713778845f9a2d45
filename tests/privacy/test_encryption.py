"""Encrypted profiles: nothing readable on the disk, every command as before, every step again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from localpers.encryption import memory, vault
from localpers.encryption.keys import HEADER, Header, SecretKind, State
from localpers.errors import DamagedFile, LocalpersError, ProfileLocked
from localpers.privacy import encryption
from localpers.privacy.encryption import Secret, decrypt_profile, encrypt_profile
from localpers.profile import Profile
from localpers.runs import finished_runs
from localpers.store import Store, cipher
from tests.conftest import CommandLine, write
from tests.privacy.conftest import environment
from tests.privacy.encrypted_profile import (
    PASSPHRASE,
    SECRET,
    encrypted,
    memory_folders,
    opened,
    passphrase,
    plain_words,
    quick_derivation,
    root,
)

__all__ = ["encrypted", "passphrase", "quick_derivation", "root"]  # The fixtures.

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="encryption needs Linux")


def test_nothing_on_the_disk_can_be_read(encrypted: Path) -> None:
    assert plain_words(encrypted) == set()
    names = {path.name for path in encrypted.rglob("*") if path.is_file()}
    assert names == {
        *(HEADER, "index.sqlite", "writer.lock", "measuring.lock"),
        *("profile.json.enc", "run.json.enc"),
        *("examples.jsonl.enc", "model-q8_0.gguf.enc"),
    }
    assert [path for path in encrypted.rglob("*") if path.stat().st_mode & 0o077] == []


def test_commands_work_as_before_and_leave_nothing_in_memory(
    cli: CommandLine, encrypted: Path, tmp_path: Path
) -> None:
    (hit, *_) = cli("search", "zeppelin", "--json").json
    assert "zeppelin" in hit["text"]
    assert cli("ingest", write(tmp_path / "more", {"b.md": "# Two\n\nA kaleidoscope."})).code == 0
    assert len(cli("search", "kaleidoscope", "--json").json) == 1
    state = cli("status", "--json").json
    assert state["encrypted"] is True and state["promoted"] == state["runs"][0]["run"]
    assert cli("rollback", "--json").json["promoted"] is None
    assert cli("status", "--json").json["promoted"] is None
    assert plain_words(encrypted) == set() and memory_folders() == set()


def test_a_wrong_passphrase_is_one_line_and_harms_nothing(
    cli: CommandLine, encrypted: Path, passphrase: Path
) -> None:
    before = {path: path.read_bytes() for path in encrypted.rglob("*") if path.is_file()}
    passphrase.write_text("wrong\n")
    for command in (
        *(["search", "zeppelin"], ["ingest", str(encrypted)], ["status"]),
        *(["profiles", "decrypt", "default"], ["profiles", "encrypt", "default"]),
        ["profiles", "rekey", "default", "--new-passphrase-file", str(passphrase)],
    ):
        outcome = cli(*command)
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1), command
    assert {path: path.read_bytes() for path in encrypted.rglob("*") if path.is_file()} == before


def test_without_a_terminal_the_way_to_say_it_is_named(encrypted: Path) -> None:
    environment = os.environ.copy()
    del environment["LOCALPERS_PASSPHRASE_FILE"]
    outcome = subprocess.run(
        [sys.executable, "-m", "localpers", "search", "zeppelin"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
    )
    assert outcome.returncode == 1 and b"LOCALPERS_PASSPHRASE_FILE" in outcome.stderr


def test_decrypted_it_is_what_it_was(cli: CommandLine, root: Path, passphrase: Path) -> None:
    def contents() -> dict[str, bytes]:
        return {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and "index.sqlite" not in path.name
            if path.name not in ("merged-f16.gguf", "measuring.lock")
        }

    before, hits = contents(), cli("search", "zeppelin", "--json").json
    assert cli("profiles", "encrypt", "default").code == 0
    assert cli("profiles", "decrypt", "default").code == 0
    assert contents() == before and cli("search", "zeppelin", "--json").json == hits
    assert cli("profiles", "decrypt", "default").code == 1


def test_another_secret_opens_the_same_files(
    cli: CommandLine, encrypted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"short")
    assert "bytes" in cli("profiles", "rekey", "default", "--new-key-file", key).err
    key.write_bytes(os.urandom(64))
    data = {path: path.stat().st_mtime_ns for path in encrypted.rglob("*.enc")}
    assert cli("profiles", "rekey", "default", "--new-key-file", key).code == 0
    assert {path: path.stat().st_mtime_ns for path in encrypted.rglob("*.enc")} == data
    assert "LOCALPERS_KEY_FILE" in cli("search", "zeppelin").err
    monkeypatch.setenv("LOCALPERS_KEY_FILE", str(key))
    assert cli("search", "zeppelin").code == 0


class _Killed(BaseException):
    """Stands for a process that ends at this point."""


STEPS = {
    "encrypt": ["encrypt_database", "encrypt_file", "wipe", "_sync_folders"],
    "decrypt": ["decrypt_database", "decrypt_file", "_sync_folders", "wipe"],
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("command", STEPS)
def test_an_interrupted_command_is_told_of_and_goes_on(
    cli: CommandLine,
    root: Path,
    passphrase: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    after: bool,
) -> None:
    """Ended before or after the first or second call of each step in turn, inside steps, too."""
    start, undo = (encrypt_profile, decrypt_profile)
    if command == "decrypt":
        start, undo = undo, start
        encrypt_profile(Profile.locked("default"), SECRET)
    places = [(encryption, name) for name in STEPS[command]] + [(vault, "wipe"), (cipher, "wipe")]
    for module, name in places:
        for count in (1, 2):
            with monkeypatch.context() as patch:
                patch.setattr(module, name, _ending(getattr(module, name), after, count))
                with suppress(_Killed):
                    start(Profile.locked("default"), SECRET)
            header = Header.load(root)
            if header is not None and header.state is not State.ENCRYPTED:
                refused = cli("search", "zeppelin")
                assert refused.code == 1 and f"profiles {command} default" in refused.err
                start(Profile.locked("default"), SECRET)
            where = (name, count)
            assert bool(plain_words(root)) is (command == "decrypt"), where
            left = {path.name for path in root.rglob("*") if path.is_file()}
            assert not [name for name in left if name.endswith((".new", ".old", "before"))], where
            profile = opened()
            (run,) = finished_runs(profile)
            assert run.record().reason == "run.json-marker", where
            weights = vault.fetch(run.model("q8_0")).read_bytes()
            assert weights == b"zeppelin weights" * 10_000, where
            with Store.open(profile) as store:
                assert store.documents.totals().documents == 2, where
            profile.close()
            undo(Profile.locked("default"), SECRET)


def _ending(step: Callable[..., Any], after: bool, count: int) -> Callable[..., Any]:
    seen = 0

    def call(*arguments: Any) -> Any:
        nonlocal seen
        seen += 1
        if seen == count and not after:
            raise _Killed
        result = step(*arguments)
        if seen == count:
            raise _Killed
        return result

    return call


def test_what_was_begun_with_one_passphrase_does_not_go_on_with_another(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(encryption, "encrypt_file", _ending(encryption.encrypt_file, False, 1))
        with pytest.raises(_Killed):
            encrypt_profile(Profile.locked("default"), SECRET)
    with pytest.raises(LocalpersError, match="does not open"):
        encrypt_profile(Profile.locked("default"), Secret(SecretKind.PASSPHRASE, b"other"))
    encrypt_profile(Profile.locked("default"), SECRET)
    assert plain_words(root) == set()


def test_a_changed_cut_or_exchanged_file_is_refused(encrypted: Path) -> None:
    (run,) = encrypted.glob("runs/*/run.json.enc")
    settings = encrypted / "profile.json.enc"
    whole = run.read_bytes()
    for damaged in (
        *(whole[:-1], whole + b"\0", whole[:40], b"", whole[:-20] + b"\1" * 20),
        settings.read_bytes(),
    ):
        run.write_bytes(damaged)
        with pytest.raises(DamagedFile):
            _ = opened().runs
    run.write_bytes(whole)
    profile = opened()
    assert profile.settings()["promoted"]
    profile.close()


def test_a_profile_of_another_command_stays_closed(encrypted: Path) -> None:
    with pytest.raises(ProfileLocked, match="encrypted"):
        Profile.open("default")


def test_no_crash_handler_gets_the_memory(encrypted: Path) -> None:
    code = (
        "import resource; from localpers.profile import Profile\n"
        f"assert Profile.open('default', lambda *_: {PASSPHRASE!r}).files.is_dir()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0])\n"
        "from localpers.confinement import confine; confine(1 << 40)\n"
        "print(*resource.getrlimit(resource.RLIMIT_CORE))"
    )
    run = ["sh", "-c", 'ulimit -c unlimited; exec "$0" -c "$1"', sys.executable, code]
    done = subprocess.run(run, capture_output=True, text=True, env=environment())
    # Of 0, a handler behind a pipe (kernel.core_pattern) would be given everything all the same.
    assert done.stdout.split() == ["1", "1", "1"], done.stderr


def test_what_a_writer_changes_is_seen_by_the_next_one(encrypted: Path) -> None:
    one, two = opened(), opened()
    try:
        assert one.promoted() == two.promoted() != "other"
        with one.writing("test"):
            one.promote("other")
            (run,) = finished_runs(one)
            run.model("q8_0").unlink()
        with two.writing("test"):
            assert two.promoted() == "other"
            assert not os.path.lexists(next(iter(finished_runs(two))).model("q8_0"))
        assert not list(encrypted.rglob("model-q8_0.gguf.enc"))
    finally:
        one.close()
        two.close()


def test_other_systems_are_refused(
    cli: CommandLine, root: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    outcome = cli("profiles", "encrypt", "default")
    assert outcome.code == 1 and "FileVault" in outcome.err and Header.load(root) is None


@pytest.mark.parametrize("content", ["", "{}", '{"format": "localpers-encryption-9"}'])
def test_a_damaged_header_is_one_line(cli: CommandLine, encrypted: Path, content: str) -> None:
    (encrypted / HEADER).write_text(content)
    outcome = cli("search", "zeppelin")
    assert outcome.code == 1 and HEADER in outcome.err and outcome.err.count("\n") == 1


def test_a_header_that_asks_for_all_memory_is_refused(cli: CommandLine, encrypted: Path) -> None:
    header = json.loads((encrypted / HEADER).read_text())
    header["kdf"]["memory_kib"] = 1 << 40
    (encrypted / HEADER).write_text(json.dumps(header))
    began = time.process_time()
    assert cli("search", "zeppelin").code == 1 and time.process_time() - began < 5


def test_the_keyring_keeps_a_secret(
    cli: CommandLine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = pytest.importorskip("keyring")
    kept: dict[tuple[str, str], str] = {}
    monkeypatch.setattr(keyring, "set_password", lambda s, i, v: kept.update({(s, i): v}))
    monkeypatch.setattr(keyring, "get_password", lambda s, i: kept.get((s, i)))
    assert cli("profiles", "encrypt", "default", "--keyring").code == 0
    assert len(kept) == 1 and len(cli("search", "zeppelin", "--json").json) == 1
    (secret,) = kept.values()
    assert plain_words(root, (secret,)) == set()
    decrypted = cli("profiles", "decrypt", "default")
    ((_, id),) = kept
    assert decrypted.code == 0 and id in decrypted.err


def test_a_backup_by_hard_links_is_not_overwritten(root: Path, tmp_path: Path) -> None:
    (settings,) = root.glob("profile.json")
    backup, content = tmp_path / "backup.json", settings.read_bytes()
    os.link(settings, backup)
    encrypt_profile(Profile.locked("default"), SECRET)
    assert backup.read_bytes() == content and plain_words(root) == set()


def test_turning_back_halfway_loses_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ended while the old database has two names, and decrypted instead of going on."""
    real = os.link

    def link(source: Path, target: Path) -> None:
        real(source, target)
        if target.name == "index.sqlite.old":
            raise _Killed

    with monkeypatch.context() as patch:
        patch.setattr(cipher.os, "link", link)
        with pytest.raises(_Killed):
            encrypt_profile(Profile.locked("default"), SECRET)
    decrypt_profile(Profile.locked("default"), SECRET)
    with Store.open(Profile.open()) as store:
        assert store.documents.totals().documents == 2
    assert "encryption.json" not in {path.name for path in root.iterdir()}


def test_a_link_would_stay_plain_and_is_refused(
    cli: CommandLine, root: Path, passphrase: Path, tmp_path: Path
) -> None:
    (root / "runs").rename(tmp_path / "runs")
    (root / "runs").symlink_to(tmp_path / "runs")
    outcome = cli("profiles", "encrypt", "default")
    assert outcome.code == 1 and "is a symbolic link" in outcome.err
    assert not (root / HEADER).exists() and plain_words(root)


@pytest.mark.parametrize("command", ["encrypt", "decrypt", "remove"])
def test_who_measures_is_waited_for(
    cli: CommandLine, root: Path, passphrase: Path, command: str
) -> None:
    if command == "decrypt":
        assert cli("profiles", "encrypt", "default").code == 0
    yes = ["--yes"] if command == "remove" else []
    with Profile.locked("default").measuring("eval"):
        outcome = cli("profiles", command, "default", *yes)
        assert outcome.code == 1 and "'localpers eval'" in outcome.err
        assert (root / HEADER).exists() is (command == "decrypt")
    assert cli("profiles", command, "default", *yes).code == 0
