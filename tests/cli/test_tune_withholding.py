"""`localpers tune --dry-run` tells what is held back from learning, and search still finds it."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.conftest import CommandLine, write

pytest.importorskip("torch")

PASSWORD = "Tr0ub4dor&3"


@pytest.fixture(autouse=True)
def models(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))


@pytest.fixture
def indexed(cli: CommandLine, diary: Path, tmp_path: Path) -> Path:
    """The diary, with a password in one note, the same one in code, and an address in a title."""
    notes = write(tmp_path / "notes", {p.name: p.read_text() for p in diary.glob("*.md")})
    for name, added in {
        "03.md": f"The door opens with the password: {PASSWORD} until May. Bees hum by the wall.",
        "05.md": f"```\nlogin --as mara {PASSWORD}\n```",
        "07.md": "## Write to mara.lindt@posteo.de",
        "09.md": "Her project is called blue heron.",
    }.items():
        path = notes / name
        path.write_text(path.read_text() + f"\n{added}\n")
    assert cli("ingest", notes).code == 0
    return notes


def test_a_dry_run_tells_where_and_what_but_never_the_secret_itself(
    cli: CommandLine, indexed: Path
) -> None:
    outcome = cli("tune", "--base", "llama", "--dry-run", "--json")
    assert outcome.code == 0, outcome.err
    held = outcome.json["withheld"]
    assert held["kinds"] == {"password": 2, "e-mail address": 1}
    assert (held["places"], held["documents"]) == (3, 3)
    lines = {Path(place["path"]).name: place["line"] for place in held["found"]}
    text = (indexed / "05.md").read_text().split("\n")
    assert lines["05.md"] == next(n for n, line in enumerate(text, 1) if PASSWORD in line)
    shown = cli("tune", "--base", "llama", "--dry-run")
    assert f"05.md:{lines['05.md']}: password" in shown.out
    assert "Not learned: 3 places in 3 documents" in shown.err
    for output in (outcome.out, outcome.err, shown.out, shown.err):
        assert PASSWORD not in output and "mara.lindt" not in output
    assert "Bees hum by the wall." in outcome.out or outcome.json["tokens"] > 0
    assert PASSWORD in cli("search", "door opens password", "--json").out


def test_rules_in_the_profile_add_and_allow(cli: CommandLine, indexed: Path, home: Path) -> None:
    rules = home / "profiles/default/learning.toml"
    rules.write_text(f'allow = ["{PASSWORD}"]\n[hold_back]\nproject = "(?i)blue heron"\n')
    held = cli("tune", "--base", "llama", "--dry-run", "--json").json["withheld"]
    assert held["kinds"] == {"e-mail address": 1, "project": 1}
    rules.write_text("[hold_back]\nproject = '(blue'\n")
    refused = cli("tune", "--base", "llama", "--dry-run")
    assert refused.code == 1 and "rule 'project' is not a regular expression" in refused.err


def test_a_scan_opens_no_connection(
    cli: CommandLine, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert cli("tune", "--base", "llama", "--dry-run").code == 0


def test_mails_of_others_are_searched_and_not_learned(
    cli: CommandLine, indexed: Path, tmp_path: Path
) -> None:
    def mail(number: int, author: str, recipient: str, words: str) -> str:
        return (
            f"From {author} Mon Jan  1 00:00:0{number} 2024\nFrom: {author}\nTo: {recipient}\n"
            f"Message-ID: <{number}@x>\nDate: Mon, {number} Jan 2024 10:00:00 +0000\n"
            f"Subject: letter {number}\n\n{words}\n\n"
        )

    box = "".join(
        mail(n, "me@x.org", f"f{n}@y.org", "Words of mine, about bees.") for n in (1, 2, 3)
    )
    box += mail(4, "ann@y.org", "me@x.org", "Quaint zephyrs, said by somebody else entirely.")
    assert cli("ingest", write(tmp_path / "mail", {"all.mbox": box})).code == 0
    outcome = cli("tune", "--base", "llama", "--dry-run", "--json")
    plan = outcome.json
    assert plan["withheld"]["mails_of_others"] == 1
    assert plan["withheld"]["own"]["addresses"] == ["me@x.org"]
    learned = [example["messages"][-1]["content"] for example in plan["examples"]]
    assert not any("zephyrs" in words for words in learned)
    assert "yours are those of me@x.org" in outcome.err
    assert json.loads(cli("search", "zephyrs", "--json").out) != []
