"""Passages under the same headings share one entry of title, headings and tags."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localpers.profile import Profile
from localpers.retrieval.analysis import analyse
from localpers.retrieval.retriever import Retriever
from localpers.store import Store
from tests.conftest import CommandLine, write

FILLER = "Plain words about weather and trains, and about nothing that is asked for. "
LONG = "\n\n".join(f"{FILLER * 9} {word}" for word in ("oak", "birch", "reed", "willow"))
BEFORE_SECTIONS = 4


def hits(cli: CommandLine, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli("search", query, "--explain", "--json").json
    return found


def parts(hit: dict[str, Any]) -> set[tuple[str, str]]:
    return {(term["part"], term["term"]) for term in hit["explain"]["terms"]}


@pytest.fixture
def notes(cli: CommandLine, tmp_path: Path) -> Path:
    headed = f"# Ferry\n\n## Harbour\n\n{LONG}\n\n## Prices\n\n{FILLER}\n\n## Harbour\n\n{LONG}\n"
    files = {
        "heron.md": f"# Heron\n\n{LONG}\n",
        "ferry.md": headed,
        "other.md": f"# Other\n\n{LONG}\n",
    }
    folder = write(tmp_path / "notes", files)
    assert cli("ingest", folder).code == 0
    return folder


@pytest.mark.usefixtures("notes")
@pytest.mark.parametrize("word", ["oak", "birch", "reed", "willow"])
def test_every_passage_is_found_by_the_title_it_stands_under(cli: CommandLine, word: str) -> None:
    (found,) = (
        hit
        for hit in hits(cli, f"heron {word}")
        if Path(hit["path"]).stem == "heron" and word in hit["text"]
    )
    assert {("fields", "heron"), ("text", word)} <= parts(found)


@pytest.mark.usefixtures("notes")
def test_a_title_alone_brings_passages_that_do_not_repeat_it(cli: CommandLine) -> None:
    found = [hit for hit in hits(cli, "harbour") if "Harbour" not in hit["text"]]
    assert len(found) == 6 and all(("fields", "harbour") in parts(hit) for hit in found)


@pytest.mark.usefixtures("notes")
def test_the_index_holds_an_entry_for_each_section() -> None:
    with Store.open(Profile.open()) as store:
        rows = store.db.conn.execute(
            "SELECT document, heading, section, id FROM passages"
        ).fetchall()
        entries = np.flatnonzero(store.fields.collection().lengths).tolist()
    firsts: dict[tuple[int, str], int] = {}
    for document, heading, section, id in rows:
        assert section == firsts.setdefault((document, heading), id)
    assert entries == sorted(firsts.values()) and len(entries) < len(rows)


def before_sections(profile: Profile) -> None:
    """Make the profile's database one of a localpers that knew no sections."""
    with Store.open(profile) as store, store.transaction():
        store.fields.clear()
        for document in store.documents.ids():
            analysed = store.documents.analysed(document)
            assert analysed is not None
            for id, _, heading in analysed.passages:
                terms = Counter(analyse(f"{analysed.title} {heading}", analysed.language))
                store.fields.add(id, terms)
        store.set_meta("analysis_version", "3")
    with closing(sqlite3.connect(profile.database)) as connection, connection:
        connection.execute("DROP INDEX passages_by_section")
        connection.execute("ALTER TABLE passages DROP COLUMN section")
        connection.execute("CREATE INDEX passages_by_document ON passages (document)")
        connection.execute(f"PRAGMA user_version = {BEFORE_SECTIONS}")


@pytest.mark.usefixtures("notes")
def test_an_index_from_before_sections_finds_the_same(cli: CommandLine) -> None:
    queries = ("heron willow", "ferry harbour birch", "prices", "other reed")
    expected = [hits(cli, query) for query in queries]
    before_sections(Profile.open())
    # As a reader sees it that may not write: migrated, not analysed again yet.
    with Store.open(Profile.open()) as store:
        for query, wanted in zip(queries, expected, strict=True):
            found = Retriever(store).search(query)
            assert [hit.start for hit in found][:1] == [wanted[0]["start"]]
    assert [hits(cli, query) for query in queries] == expected
    with Store.open(Profile.open()) as store:
        assert store.fields.collection().number < store.postings.collection().number


def test_a_document_that_goes_leaves_no_entry_of_a_section(cli: CommandLine, notes: Path) -> None:
    (notes / "heron.md").unlink()
    assert cli("ingest", notes).code == 0
    with Store.open(Profile.open()) as store:
        assert store.fields.rows("heron") == [] and store.fields.rows("ferri")
