"""Passages under the same headings share one entry of title, headings and tags."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localpers.profile import Profile
from localpers.store import Store
from tests.conftest import CommandLine, write

FILLER = "Plain words about weather and trains, and about nothing that is asked for. "
LONG = "\n\n".join(f"{FILLER * 9} {word}" for word in ("oak", "birch", "reed", "willow"))


def hits(cli: CommandLine, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli("search", query, "--explain", "--json").json
    return found


def parts(hit: dict[str, Any]) -> set[tuple[str, str]]:
    return {(term["part"], term["term"]) for term in hit["explain"]["terms"]}


@pytest.fixture
def notes(cli: CommandLine, tmp_path: Path) -> Path:
    headed = f"# Ferry\n\n## Harbour\n\n{LONG}\n\n## Prices\n\n{FILLER}\n\n## Harbour\n\n{LONG}\n"
    distinct = LONG.replace("weather and trains", "boats, bridges and tides")
    files = {
        "heron.md": f"# Heron\n\n{distinct}\n",
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
        with closing(sqlite3.connect(Profile.open().database)) as connection:
            rows = connection.execute(
                "SELECT document, heading, section, id FROM passages"
            ).fetchall()
        entries = np.flatnonzero(store.fields.statistics().lengths).tolist()
    firsts: dict[tuple[int, str], int] = {}
    for document, heading, section, id in rows:
        assert section == firsts.setdefault((document, heading), id)
    assert entries == sorted(firsts.values()) and len(entries) < len(rows)


def test_a_document_that_goes_leaves_no_entry_of_a_section(cli: CommandLine, notes: Path) -> None:
    (notes / "heron.md").unlink()
    assert cli("ingest", notes).code == 0
    with Store.open(Profile.open()) as store:
        assert store.fields.rows("heron") == [] and store.fields.rows("ferri")
