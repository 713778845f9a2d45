from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from localpers.profile import Profile
from tests.conftest import CommandLine, write

NOTES = {
    "bread.md": "# Sourdough\n\nFeed the starter twice a day.\n\n- flour\n- water\n",
    "work/git.md": "---\ntitle: Git worktrees\ndate: 2023-04-05\n---\n\nOne clone, all branches.\n",
    "log.txt": "Walked to the lighthouse and back.\n",
}


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return write(tmp_path / "notes", NOTES)


def counts(report: dict[str, int]) -> tuple[int, int, int, int]:
    return report["added"], report["updated"], report["removed"], report["unchanged"]


def ingest(cli: CommandLine, *arguments: object) -> dict[str, int]:
    outcome = cli("ingest", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    report: dict[str, int] = outcome.json
    return report


def paths_found(cli: CommandLine, query: str) -> list[str]:
    return [Path(hit["path"]).name for hit in cli("search", query, "--json").json]


def test_what_is_ingested_is_found_at_its_exact_place(cli: CommandLine, notes: Path) -> None:
    report = ingest(cli, notes)
    assert counts(report) == (3, 0, 0, 0)
    assert report["documents"] == 3
    (hit,) = cli("search", "branches", "--json").json
    assert hit["title"] == "Git worktrees"
    assert hit["date"].startswith("2023-04-05")
    lines = (notes / "work/git.md").read_text().splitlines()
    assert lines[hit["line"] - 1].startswith(hit["text"].splitlines()[0])
    outcome = cli("search", "branches")
    assert f"git.md:{hit['line']}" in outcome.out


def test_nothing_found_is_an_empty_list(cli: CommandLine, notes: Path) -> None:
    assert cli("search", "anything", "--json").json == []
    ingest(cli, notes)
    outcome = cli("search", "zeppelin", "--json")
    assert (outcome.code, outcome.json) == (0, [])


def test_only_what_changed_is_read_again(cli: CommandLine, notes: Path) -> None:
    ingest(cli, notes)
    assert counts(ingest(cli, notes)) == (0, 0, 0, 3)
    (notes / "log.txt").write_text("Sailed around the island.\n")
    assert counts(ingest(cli, notes)) == (0, 1, 0, 2)
    assert paths_found(cli, "lighthouse") == []
    assert paths_found(cli, "island") == ["log.txt"]
    os.utime(notes / "bread.md", (1, 1))
    assert counts(ingest(cli, notes)) == (0, 0, 0, 3)
    assert counts(ingest(cli, notes, "--again")) == (0, 3, 0, 0)


def test_vanished_files_go_and_renamed_ones_stay_single(cli: CommandLine, notes: Path) -> None:
    ingest(cli, notes)
    (notes / "log.txt").unlink()
    (notes / "bread.md").rename(notes / "work/loaf.md")
    assert counts(ingest(cli, notes)) == (0, 0, 1, 2)
    assert paths_found(cli, "lighthouse") == []
    assert paths_found(cli, "sourdough") == ["loaf.md"]


def test_a_missing_or_emptied_root_changes_nothing(cli: CommandLine, notes: Path) -> None:
    ingest(cli, notes)
    away = notes.with_name("away")
    notes.rename(away)
    outcome = cli("ingest", notes)
    assert outcome.code == 1 and "does not exist" in outcome.err and outcome.out == ""
    notes.mkdir()
    outcome = cli("ingest", notes)
    assert outcome.code == 1 and "empty" in outcome.err
    assert paths_found(cli, "sourdough") == ["bread.md"]
    notes.rmdir()
    away.rename(notes)
    assert counts(ingest(cli, notes)) == (0, 0, 0, 3)


def test_a_subfolder_and_its_parent_are_one_set_of_files(cli: CommandLine, notes: Path) -> None:
    assert counts(ingest(cli, notes / "work")) == (1, 0, 0, 0)
    assert counts(ingest(cli, notes, notes / "work")) == (2, 0, 0, 1)
    assert counts(ingest(cli, notes / "log.txt")) == (0, 0, 0, 1)


def test_dry_run_changes_nothing(cli: CommandLine, notes: Path) -> None:
    assert counts(ingest(cli, notes, "--dry-run")) == (3, 0, 0, 0)
    assert cli("search", "sourdough", "--json").json == []


def test_ignore_rules_hidden_files_and_loops(cli: CommandLine, notes: Path) -> None:
    write(
        notes,
        {
            ".gitignore": "*.log.md\n/drafts/\n!keep.log.md\n",
            ".localpersignore": "secret*\n",
            "a.log.md": "ignored one",
            "keep.log.md": "kept one",
            "drafts/d.md": "ignored two",
            "secret.md": "ignored three",
            "work/.gitignore": "!secret-but-wanted.md\n",
            "work/secret-but-wanted.md": "kept two",
            ".hidden/h.md": "ignored four",
            "node_modules/m/README.md": "ignored five",
            "picture.png": "ignored six",
        },
    )
    (notes / "work/loop").symlink_to(notes)
    (notes / "again.md").symlink_to(notes / "bread.md")
    (notes / "broken.md").symlink_to(notes / "nowhere.md")
    report = ingest(cli, notes)
    assert counts(report) == (5, 0, 0, 0) and report["skipped"] == []
    assert sorted(paths_found(cli, "ignored kept")) == ["keep.log.md", "secret-but-wanted.md"]


def test_what_localpers_keeps_is_never_read_as_a_note(
    cli: CommandLine, notes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "data" / "localpers"
    monkeypatch.setenv("LOCALPERS_HOME", str(home))
    kept = home / "profiles/default/evaluation/report.html"
    write(kept.parent, {kept.name: "<p>The zeppelin landed here.</p>"})
    for name, target in (("a", kept.parent), ("b.html", kept), ("c", home), ("d", home.parent)):
        (notes / name).symlink_to(target)
    assert counts(ingest(cli, notes)) == (len(NOTES), 0, 0, 0)


def test_bad_files_are_skipped_with_a_reason_and_the_rest_goes_on(
    cli: CommandLine, notes: Path
) -> None:
    (notes / "empty.md").touch()
    (notes / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (notes / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing")
    (notes / "broken.docx").write_bytes(b"PK\x03\x04 not a zip")
    (notes / "latin.txt").write_bytes(
        "Zwölf Boxkämpfer jagen Viktor über den Deich.".encode("latin-1")
    )
    with (notes / "huge.txt").open("wb") as huge:
        huge.truncate(500 * 1024 * 1024)
    report = cli("ingest", notes, "--json").json
    assert report["added"] == 4
    reasons = {Path(s["path"]).name: s["reason"] for s in report["skipped"]}
    assert reasons.keys() == {"empty.md", "binary.txt", "broken.pdf", "broken.docx", "huge.txt"}
    assert paths_found(cli, "Boxkämpfer") == ["latin.txt"]
    again = cli("ingest", notes, "--json").json
    assert again["skipped"] == report["skipped"] and again["unchanged"] == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_files_in_an_unreadable_folder_are_not_taken_for_gone(
    cli: CommandLine, notes: Path
) -> None:
    ingest(cli, notes)
    (notes / "work").chmod(0)
    try:
        report = ingest(cli, notes)
    finally:
        (notes / "work").chmod(0o700)
    assert counts(report) == (0, 0, 0, 3)


def test_a_folder_that_cannot_be_listed_keeps_its_files(
    cli: CommandLine, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(cli, notes)
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("/work"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    report = cli("ingest", notes, "--json").json
    assert counts(report) == (0, 0, 0, 3)
    assert [s["reason"] for s in report["skipped"]] == ["permission denied"]


def test_a_name_that_is_not_utf8_survives_the_round_trip(cli: CommandLine, notes: Path) -> None:
    odd = os.fsencode(notes) + b"/caf\xe9.md"
    Path(os.fsdecode(odd)).write_text("# Odd\n\nzanzibar\n")
    ingest(cli, notes)
    (hit,) = cli("search", "zanzibar", "--json").json
    assert os.fsencode(hit["path"]) == odd
    assert cli("search", "zanzibar").code == 0
    assert counts(ingest(cli, notes)) == (0, 0, 0, 4)
    os.unlink(odd)
    assert counts(ingest(cli, notes)) == (0, 0, 1, 3)


@pytest.mark.parametrize(
    "query", ['"', "AND", "*", "a OR", "NEAR(", "😀", "日本", "--", "(", "';--"]
)
def test_a_query_may_hold_any_characters(cli: CommandLine, notes: Path, query: str) -> None:
    ingest(cli, notes)
    assert cli("search", "--json", "--", query).code == 0


def test_profiles_are_apart_and_private(cli: CommandLine, notes: Path, home: Path) -> None:
    os.umask(0o022)
    ingest(cli, notes, "--profile", "work")
    assert cli("search", "sourdough", "--json").json == []
    assert len(cli("--profile", "work", "search", "sourdough", "--json").json) == 1
    root = home / "profiles" / "work"
    assert [p for p in [root, *root.rglob("*")] if p.stat().st_mode & 0o077] == []
    root.chmod(0o755)
    (root / "index.sqlite").chmod(0o644)
    ingest(cli, notes, "--profile", "work")
    assert root.stat().st_mode & 0o077 == 0
    assert (root / "index.sqlite").stat().st_mode & 0o077 == 0


def test_a_second_writer_is_told_who_writes_and_readers_are_not_blocked(
    cli: CommandLine, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(cli, notes)
    script = (
        "import time\nfrom localpers.profile import Profile\nfrom localpers.store import Store\n"
        "p = Profile.open()\n"
        "with p.writing('tune'), Store.open(p) as s, s.transaction():\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        monkeypatch.setattr("localpers.profile.WRITER_WAIT_SECONDS", 0.2)
        outcome = cli("ingest", notes)
        assert outcome.code == 1
        assert "'localpers tune'" in outcome.err and str(holder.pid) in outcome.err
        assert paths_found(cli, "sourdough") == ["bread.md"]
    finally:
        holder.kill()
        holder.wait()
    assert counts(ingest(cli, notes)) == (0, 0, 0, 3)


def test_killed_at_any_moment_the_next_run_completes(
    cli: CommandLine, tmp_path: Path, home: Path
) -> None:
    notes = write(
        tmp_path / "many",
        {f"n{i}.md": f"# Note {i}\n\nword{i} " + "filler text here. " * 60 for i in range(1200)},
    )
    command = [sys.executable, "-m", "localpers", "ingest", str(notes)]
    for wait in (0.3, 0.7, 1.1):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        database = home / "profiles/default/index.sqlite"
        if database.exists():
            with sqlite3.connect(database) as check:
                assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    report = ingest(cli, notes)
    assert report["documents"] == 1200
    assert counts(ingest(cli, notes)) == (0, 0, 0, 1200)
    for number in (0, 599, 1199):
        assert paths_found(cli, f"word{number}") == [f"n{number}.md"]


def test_a_damaged_database_is_one_clear_line(cli: CommandLine, notes: Path) -> None:
    ingest(cli, notes)
    Profile.open().database.write_bytes(b"this is no database at all" * 100)
    for leftover in Profile.open().root.glob("index.sqlite-*"):
        leftover.unlink()
    outcome = cli("search", "sourdough")
    assert outcome.code == 1 and outcome.err.count("\n") == 1 and "move it away" in outcome.err


def test_a_copied_folder_is_indexed_in_its_own_right(cli: CommandLine, notes: Path) -> None:
    ingest(cli, notes)
    shutil.copytree(notes, notes.with_name("copy"))
    assert counts(ingest(cli, notes.with_name("copy"))) == (3, 0, 0, 0)


def test_a_file_from_the_far_future_is_read(cli: CommandLine, notes: Path) -> None:
    os.utime(notes / "log.txt", (14_000_000_000, 14_000_000_000))
    assert counts(ingest(cli, notes)) == (3, 0, 0, 0)
    assert counts(ingest(cli, notes)) == (0, 0, 0, 3)


def test_a_new_name_that_asks_for_another_reader_is_read_anew(
    cli: CommandLine, tmp_path: Path
) -> None:
    notes = write(tmp_path / "n", {"a.json": "# Heading\n\nquokka\n", "keep.md": "# Keep\n\nx\n"})
    ingest(cli, notes)
    assert paths_found(cli, "quokka") == []
    (notes / "a.json").rename(notes / "a.md")
    ingest(cli, notes)
    assert paths_found(cli, "quokka") == ["a.md"]


def test_a_pipe_is_no_document_and_holds_nobody_up(cli: CommandLine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.md")
    report = cli("ingest", tmp_path / "pipe.md", "--json").json
    assert [s["reason"] for s in report["skipped"]] == ["not a regular file"]


def test_a_touched_file_without_a_date_takes_the_new_one(cli: CommandLine, notes: Path) -> None:
    os.utime(notes / "log.txt", (1_600_000_000, 1_600_000_000))
    ingest(cli, notes)
    os.utime(notes / "log.txt", (1_700_000_000, 1_700_000_000))
    ingest(cli, notes)
    (hit,) = cli("search", "lighthouse", "--json").json
    assert hit["date"].startswith("2023-11-14")


def test_a_reader_that_stumbles_costs_one_file(
    cli: CommandLine, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localpers.corpus.readers import markdown

    def stumble(path: Path, *_: object) -> str:
        raise RecursionError(path)

    monkeypatch.setattr(markdown, "read_text", stumble)
    report = cli("ingest", notes, "--json").json
    assert report["added"] == 1
    assert {s["reason"] for s in report["skipped"]} == {"cannot be read (RecursionError)"}
