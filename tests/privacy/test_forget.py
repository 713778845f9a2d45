"""`localpers forget`: nothing of what was forgotten is left in any file of the profile."""

from __future__ import annotations

import mailbox
from email.message import EmailMessage
from pathlib import Path

import pytest

from localpers.privacy import forget as forgetting
from localpers.profile import Profile
from localpers.store import Store
from tests.conftest import CommandLine, write
from tests.privacy.secret_note import (
    NAME,
    NOTE,
    SECRET,
    WORDS,
    assert_postings_are_whole,
    documents,
    filler,
    found_in,
    index_terms,
    notes,
    profile,
    secret_terms,
    tainted_history,
)

__all__ = ["notes", "profile"]  # The fixtures.


def test_no_byte_and_no_term_is_left(cli: CommandLine, profile: Profile, notes: Path) -> None:
    runs = tainted_history(profile)
    before = found_in(profile)
    assert {word for _, word in before} == set(WORDS)
    assert {path for path, _ in before} >= {
        "index.sqlite",
        "evaluation/report.html",
        *(f"runs/{run.id}/{name}" for run in runs.values() for name in ("provenance.jsonl",)),
        *(f"runs/{runs['clean'].id}/{name}" for name in ("held_out.jsonl", "report.html")),
        f"runs/{runs['tainted'].id}/examples.jsonl",
    }
    assert secret_terms() and secret_terms() <= index_terms(profile)
    hash_before = documents(profile)[NAME].content_hash
    text = (notes / NAME).read_text()

    with Store.open(profile) as idle:
        assert idle.documents.count()
        outcome = cli("forget", notes / NAME, "--json")
        # Somebody has the database open, so the log is still there.
        assert profile.database.with_name("index.sqlite-wal").stat().st_size == 0
        assert found_in(profile) == set()

    assert outcome.code == 0, outcome.err
    assert outcome.json["removed"] == 1 and outcome.json["promoted"] == runs["clean"].id
    assert {found["run"]: found["action"] for found in outcome.json["adapters"]} == {
        runs["tainted"].id: "demoted",
        runs["in prompts"].id: "removed",
        runs["interrupted"].id: "abandoned",
    }
    assert found_in(profile) == set()
    assert found_in(profile, [hash_before]) == set()
    assert not secret_terms() & index_terms(profile)
    assert_postings_are_whole(profile)
    assert (notes / NAME).read_text() == text
    for name in ("tainted", "in prompts"):
        assert [path.name for path in runs[name].path.iterdir()] == ["run.json"]
        assert runs[name].record().tainted
    assert runs["clean"].adapter.exists() and not runs["interrupted"].path.exists()
    clean = runs["clean"].record()
    assert clean.tainted is None and len(clean.data.held_out) == 10
    assert clean.data.fingerprint is None
    loose = [path for path in profile.root.rglob("*") if path.stat().st_mode & 0o077]
    assert loose == []


def test_without_the_rewriting_its_bytes_would_be_found(
    cli: CommandLine, profile: Profile, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "rewrite", lambda store: None)
    with Store.open(profile) as idle:
        assert idle.documents.count()
        assert cli("forget", notes / NAME).code == 0
        assert {word for _, word in found_in(profile)} == set(WORDS)


def test_the_last_clean_run_answers_and_no_way_leads_back(
    cli: CommandLine, profile: Profile, notes: Path
) -> None:
    runs = tainted_history(profile)
    cli("forget", notes / NAME)
    assert profile.promoted() == runs["clean"].id
    refused = cli("rollback", "--to", runs["tainted"].id)
    assert refused.code == 1 and profile.promoted() == runs["clean"].id
    refused = cli("ask", "anything", "--run", runs["tainted"].id)
    assert refused.code == 1 and "forgotten" in refused.err and refused.err.count("\n") == 1
    states = {run["run"]: run["tainted"] for run in cli("status", "--json").json["runs"]}
    assert states[runs["tainted"].id] and not states[runs["clean"].id]
    assert cli("rollback").code == 0 and profile.promoted() is None


def test_a_later_ingest_takes_back_neither_place_nor_text(
    cli: CommandLine, profile: Profile, notes: Path
) -> None:
    cli("forget", notes / NAME)
    report = cli("ingest", notes, "--json").json
    assert (report["added"], report["forgotten"]) == (0, 1)
    (notes / NAME).write_text(NOTE + "\nMore of Zanzibar.\n")
    assert cli("ingest", notes, "--json").json["added"] == 0
    (notes / NAME).write_text(NOTE.replace("nobody", "hardly anybody"))
    (notes / NAME).rename(notes / "elsewhere.md")
    for again in ((), ("--again",)):
        report = cli("ingest", notes, *again, "--json").json
        assert (report["added"], report["removed"], report["forgotten"]) == (0, 0, 1)
    assert found_in(profile, WORDS[:-1]) == set()
    assert cli("search", "zanzibar", "--json").json == []


def test_again_takes_back_the_file_that_is_named(
    cli: CommandLine, profile: Profile, notes: Path
) -> None:
    cli("forget", notes / NAME)
    assert cli("ingest", notes / NAME, "--json").json["added"] == 0
    assert cli("ingest", notes / NAME, "--again", "--dry-run", "--json").json["added"] == 1
    assert cli("ingest", notes, "--json").json["added"] == 0
    assert cli("ingest", notes / NAME, "--again", "--json").json["added"] == 1
    report = cli("ingest", notes, "--json").json
    assert (report["removed"], report["forgotten"], report["unchanged"]) == (0, 0, 121)
    assert cli("search", "zanzibar", "--json").json


def test_copies_go_with_it_and_a_folder_as_a_whole(
    cli: CommandLine, profile: Profile, notes: Path
) -> None:
    write(notes, {"copies/other-name.txt": NOTE.partition("---\n\n")[2], "private/a.md": SECRET})
    assert cli("ingest", notes, "--json").json["added"] == 2
    outcome = cli("forget", notes / "private", notes / NAME, "--json").json
    assert outcome["removed"] >= 2
    write(notes, {"private/b.md": "# New\n\nWritten later in the same folder.\n"})
    report = cli("ingest", notes, "--json").json
    assert (report["added"], report["forgotten"]) == (1, 2 + (outcome["removed"] == 3))


def test_one_mail_of_a_mailbox_goes_alone(cli: CommandLine, tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "all.mbox")
    for number, body in enumerate((SECRET, "The river was low that summer, again.")):
        mail = EmailMessage()
        mail["From"], mail["To"] = "me@example.org", "you@example.org"
        mail["Subject"], mail["Message-ID"] = f"Letter {number}", f"<{number}@example.org>"
        mail["Date"] = "Mon, 01 Jan 2024 10:00:00 +0000"
        mail.set_content(body)
        box.add(mail)
    box.close()
    path = tmp_path / "all.mbox"
    assert cli("ingest", path, "--json").json["added"] == 2
    profile = Profile.open()
    listed = cli("forget", path, "--dry-run", "--json").json["documents"]
    (id,) = (found["document"] for found in listed if found["title"] == "Letter 0")
    hit = cli("search", "quokkas", "--json").json[0]
    assert hit["document"] == id
    assert cli("forget", "--document", id, "--json").json["removed"] == 1
    assert found_in(profile, WORDS[:6]) == set()
    assert cli("search", "river", "--json").json
    report = cli("ingest", path, "--again", "--json").json
    assert report["documents"] == 2  # The file is named: what was forgotten of it is taken back.
    cli("forget", "--document", id)
    report = cli("ingest", tmp_path, "--again", "--json").json
    assert (report["documents"], report["forgotten"]) == (1, 1)


def fail(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "step",
    [
        "Forgotten.add",
        "Profile.withdraw",
        "_clean_run",
        "_remove",
        "_describe_without",
        "_clean_store",
        "Indexer.remove",
        "Store.rewrite",
    ],
)
def test_what_was_interrupted_is_finished_by_the_next_command(
    cli: CommandLine, profile: Profile, notes: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tainted_history(profile)
    owner, _, name = step.rpartition(".")
    with monkeypatch.context() as patched:
        patched.setattr(getattr(forgetting, owner) if owner else forgetting, name, fail)
        assert cli("forget", notes / NAME).code == 130
    assert found_in(profile)
    outcome = cli("search", "zanzibar", "--json")
    assert outcome.json == [] and "finishing" in outcome.err
    assert found_in(profile) == set() and profile.promoted() == runs["clean"].id
    assert [path.name for path in runs["in prompts"].path.iterdir()] == ["run.json"]
    assert_postings_are_whole(profile)
    assert cli("ingest", notes, "--json").json["forgotten"] == 1
    assert "finishing" not in cli("status").err


def test_what_vanished_is_named_and_can_be_forgotten(
    cli: CommandLine, profile: Profile, notes: Path
) -> None:
    runs = tainted_history(profile)
    (notes / NAME).unlink()
    assert cli("ingest", notes, "--json").json["removed"] == 1
    states = {run["run"]: run["gone"] for run in cli("status", "--json").json["runs"]}
    assert states[runs["tainted"].id] == [str((notes / NAME).resolve())]
    assert states[runs["clean"].id] == [] and NAME in cli("status").out
    outcome = cli("forget", notes / NAME, "--json").json
    assert (outcome["removed"], outcome["promoted"]) == (0, runs["clean"].id)
    assert found_in(profile) == set() and NAME not in cli("status").out


def test_an_earlier_version_of_it_is_known_by_its_place(
    cli: CommandLine, profile: Profile, notes: Path
) -> None:
    runs = tainted_history(profile)
    (notes / NAME).write_text(NOTE.replace("Zanzibar", "Lisbon"))
    assert cli("ingest", notes, "--json").json["updated"] == 1
    for named in ((notes / NAME,), ("--document", documents(profile)[NAME].content_hash)):
        actions = cli("forget", *named, "--dry-run", "--json").json["adapters"]
        assert {found["run"] for found in actions} >= {runs["tainted"].id, runs["in prompts"].id}
    cli("forget", notes / NAME)
    assert found_in(profile) == set()


def test_a_dry_run_changes_nothing(cli: CommandLine, profile: Profile, notes: Path) -> None:
    tainted_history(profile)
    before, promoted = found_in(profile), profile.promoted()
    outcome = cli("forget", notes / NAME, "--dry-run")
    assert outcome.code == 0 and "nothing was changed" in outcome.out and NAME in outcome.out
    assert (found_in(profile), profile.promoted()) == (before, promoted)
    assert cli("search", "zanzibar", "--json").json


def test_who_reads_or_measures_just_now_is_waited_for(
    cli: CommandLine, profile: Profile, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with profile.measuring("eval"):
        outcome = cli("forget", notes / NAME)
    assert outcome.code == 1 and "'localpers eval'" in outcome.err
    assert cli("search", "zanzibar", "--json").json
    monkeypatch.setattr("localpers.store.engine.BUSY_SECONDS", 0.1)
    with Store.open(profile) as reader, reader.snapshot():
        assert reader.documents.count() == 121
        outcome = cli("forget", notes / NAME)
        assert outcome.code == 1 and "being read" in outcome.err
    assert cli("status").code == 0 and found_in(profile) == set()


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        ((), 2, "--document"),
        (("/nowhere/at-all.md",), 1, "Nothing at"),
        (("--document", "abc"), 1, "6 or more"),
        (("--document", "0" * 64), 1, "no document begins"),
        (("x.md", "--budget", "soon"), 2, "is not a duration"),
    ],
)
def test_mistakes_change_nothing(
    cli: CommandLine, profile: Profile, arguments: tuple[str, ...], code: int, expected: str
) -> None:
    outcome = cli("forget", *arguments)
    assert outcome.code == code and expected in outcome.err
    assert not (profile.root / "forgotten.json").exists()


def test_what_is_reached_through_a_link_is_forgotten_by_the_names_that_search_shows(
    cli: CommandLine, tmp_path: Path
) -> None:
    elsewhere = write(tmp_path / "elsewhere", {"one.md": SECRET, "folder/two.md": "Vermillionish."})
    folder = write(tmp_path / "notes", {"plain.md": filler(1)})
    (folder / "link.md").symlink_to(elsewhere / "one.md")
    (folder / "linked").symlink_to(elsewhere / "folder")
    assert cli("ingest", folder, "--json").json["added"] == 3
    words = ("zanzibar", "vermillionish")
    shown = {cli("search", word, "--json").json[0]["path"] for word in words}
    assert shown == {str(folder / "link.md"), str(folder / "linked" / "two.md")}
    for path in ("link.md", "linked"):
        assert cli("forget", folder / path, "--json").json["removed"] == 1
    assert found_in(Profile.open(), WORDS[:-1]) == set()
    report = cli("ingest", folder, "--json").json
    assert (report["added"], report["forgotten"]) == (0, 2)
    assert cli("ingest", folder / "link.md", "--again", "--json").json["added"] == 1
    report = cli("ingest", folder, "--json").json
    assert (report["added"], report["forgotten"]) == (1, 1)


def test_one_is_no_plural(cli: CommandLine, tmp_path: Path) -> None:
    folder = write(tmp_path / "notes", {"a.md": filler(1), "b.md": filler(2), "c.md": filler(3)})
    assert cli("ingest", folder).code == 0
    assert "1 document would be" in cli("forget", folder / "a.md", "--dry-run").out
    assert "1 document is forgotten" in cli("forget", folder / "a.md").out
    assert "2 documents are forgotten" in cli("forget", folder).out
