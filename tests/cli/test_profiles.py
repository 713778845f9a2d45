"""`localpers profiles list|new|use|remove`; their encryption is in tests/privacy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CommandLine, write


def test_profiles_are_made_used_and_removed(cli: CommandLine, tmp_path: Path, home: Path) -> None:
    assert cli("profiles", "list", "--json").json == []
    cli("profiles", "new", "work")
    cli("profiles", "new", "home")
    notes = write(tmp_path / "n", {"a.md": "# A\n\nThe river was low."})
    assert cli("--profile", "work", "ingest", notes).code == 0
    assert cli("search", "river", "--json").json == []
    assert cli("profiles", "use", "work").code == 0
    assert len(cli("search", "river", "--json").json) == 1
    assert cli("search", "river", "--json", "--profile", "home").json == []
    rows = {row["name"]: row for row in cli("profiles", "list", "--json").json}
    assert [name for name, row in rows.items() if row["in_use"]] == ["work"]
    assert not any(row["encrypted"] for row in rows.values())
    assert cli("profiles", "remove", "work").code == 1
    assert cli("profiles", "remove", "work", "--yes").code == 0
    assert not (home / "profiles/work").exists() and (notes / "a.md").exists()
    assert cli("status", "--json").json["profile"] == "default"
    assert [path for path in home.rglob("*") if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("command", ["use", "remove", "encrypt", "decrypt", "rekey"])
def test_a_profile_that_is_not_there_is_one_line_and_not_made(
    cli: CommandLine, home: Path, command: str
) -> None:
    outcome = cli("profiles", command, "nobody")
    assert (outcome.code, outcome.err.count("\n")) == (1, 1) and "'nobody'" in outcome.err
    assert not (home / "profiles/nobody").exists()


def test_two_secrets_are_a_mistake(cli: CommandLine, tmp_path: Path) -> None:
    cli("profiles", "new", "work")
    outcome = cli("profiles", "encrypt", "work", "--keyring", "--key-file", tmp_path / "key")
    assert outcome.code == 2 and "one secret" in outcome.err


def test_a_name_that_is_no_name_is_refused(cli: CommandLine, home: Path) -> None:
    assert cli("profiles", "new", "../else").code == 1
    assert cli("profiles", "new", "twice").code == 0
    assert "already" in cli("profiles", "new", "twice").err


def test_a_profile_behind_a_link_goes_with_its_folder(
    cli: CommandLine, tmp_path: Path, home: Path
) -> None:
    assert cli("profiles", "new", "moved").code == 0
    link = home / "profiles" / "moved"
    link.rename(tmp_path / "moved")
    link.symlink_to(tmp_path / "moved")
    assert cli("profiles", "remove", "moved", "--yes").code == 0
    assert not link.is_symlink() and not (tmp_path / "moved").exists()
