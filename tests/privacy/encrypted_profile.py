"""A profile with notes, settings and a run, plain and encrypted; and whether it can be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localpers.encryption import keys, memory
from localpers.encryption.keys import SecretKind
from localpers.privacy.encryption import Secret
from localpers.profile import Profile
from localpers.runs import RunFolder
from localpers.runs.records import RecordedBase, RunRecord
from tests.conftest import CommandLine, write
from tests.store.test_engines import NOTES

PASSPHRASE = b"correct horse"
SECRET = Secret(SecretKind.PASSPHRASE, PASSPHRASE)
WORDS = ("zeppelin", "kaleidoscope", "run.json-marker", "promoted", "messages", "completion")
"""Words of the notes and keys of the files."""


def plain_words(root: Path, words: tuple[str, ...] = WORDS) -> set[str]:
    """Those of `words` that any file holds, in UTF-8 or UTF-16."""
    contents = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    assert contents
    return {
        word
        for word in words
        for form in (word.encode(), word.encode("utf-16-le"))
        if any(form in content for content in contents)
    }


@pytest.fixture(autouse=True)
def quick_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MEMORY_KIB", 64)


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "passphrase"
    path.write_bytes(PASSPHRASE + b"\n")
    monkeypatch.setenv("LOCALPERS_PASSPHRASE_FILE", str(path))
    return path


@pytest.fixture
def root(cli: CommandLine, tmp_path: Path) -> Path:
    """The folder of a plain profile with notes, settings and a run."""
    assert cli("ingest", write(tmp_path / "notes", NOTES)).code == 0
    profile = Profile.open()
    run = RunFolder.create(profile)
    (run.path / "examples.jsonl").write_text('{"messages": "kaleidoscope"}\n')
    run.model("q8_0").write_bytes(b"zeppelin weights" * 10_000)
    base = RecordedBase(name="none", sha256="0" * 64)
    run.finish(RunRecord(run=run.id, base="none", base_model=base, reason="run.json-marker"))
    profile.promote(run.id)
    interrupted = RunFolder.create(profile)
    interrupted.merged.write_bytes(b"zeppelin" * 1000)
    assert plain_words(profile.root) >= {"zeppelin", "promoted", "messages"}
    return profile.root


@pytest.fixture
def encrypted(cli: CommandLine, root: Path, passphrase: Path) -> Path:
    outcome = cli("profiles", "encrypt", "default", "--json")
    assert outcome.code == 0, outcome.err
    return root


def memory_folders() -> set[Path]:
    return set(memory.memory_place().glob(f"localpers-{os.getuid()}-{os.getpid()}-*"))


def opened() -> Profile:
    return Profile.open("default", lambda name, header: PASSPHRASE)
