"""Questions and names that would be SQL, FTS5 or options elsewhere are only words here."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.profile import Profile
from localpers.retrieval.retriever import Retriever
from localpers.store import Store
from tests.conftest import CommandLine, write

QUERIES = (
    "'; DROP TABLE documents; --", '" OR 1=1 --', "lighthouse') UNION SELECT * FROM files --",
    'lighthouse" NEAR/0 "x', "title:lighthouse", "light*", "^lighthouse", "{a b}: lighthouse",
    "lighthouse AND", "NOT lighthouse", "(((((", ')"(', "-lighthouse", "%_%", "\x00lighthouse",
    "lighthouse\x1b[31m", "\ud800 lighthouse", "a" * 100_000, "lighthouse " * 5000, "\u202e",
)  # fmt: skip


@pytest.fixture
def notes(tmp_path: Path, cli: CommandLine) -> Path:
    folder = write(tmp_path / "notes", {"a.md": "The lighthouse was lit.", "b.md": "Rain."})
    assert cli("ingest", folder).code == 0
    return folder


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_a_query_is_words(cli: CommandLine, notes: Path, query: str) -> None:
    outcome = cli("search", "--json", "--", query)
    assert outcome.code == 0 and outcome.err == ""
    assert {Path(hit["path"]).name for hit in outcome.json} <= {"a.md"}
    shown = cli("search", "--explain", "--", query)
    assert shown.code == 0 and not set(shown.out) & set("\x1b\x00\u202e")
    assert cli("ingest", notes, "--json").json["documents"] == 2


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(query=st.text(max_size=60))
def test_any_text_can_be_looked_for(notes: Path, query: str) -> None:
    with Store.open(Profile.open()) as store:
        hits = Retriever(store).search(query, 5)
    assert all(hit.text in ("The lighthouse was lit.", "Rain.") for hit in hits)


def test_escapes_in_a_document_are_not_shown(tmp_path: Path, cli: CommandLine) -> None:
    text = (
        "# A \x1b]0;owned\x07title\n\nThe \x1b[2Jzeppelin \x9b31mflew \u202edliw in the meadow.\n"
    )
    folder = write(tmp_path / "notes", {"z.md": text})
    cli("ingest", folder)
    for command in (("search", "meadow"), ("search", "meadow", "--explain"), ("status",)):
        outcome = cli(*command)
        assert outcome.code == 0
        assert not set(outcome.out + outcome.err) & set("\x1b\x07\x9b\u202e")
    printed = cli("search", "meadow", "--json")
    assert not set(printed.out) & set("\x1b\x07\x9b\u202e")
    assert "\x1b" in printed.json[0]["text"]
