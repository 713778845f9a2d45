"""Known items: what is hidden, and what must be found."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.bench.retrieval.known_items import (
    paraphrase_queries,
    sentence_queries,
    title_queries,
    with_hidden_titles,
    without_title,
)
from localpers.corpus.passages import split_passages
from localpers.datatypes import StoredDocument
from localpers.profile import Profile
from localpers.store import Store
from tests.conftest import CommandLine, write

SENTENCE = "The mill by the old bridge was idle for most of that summer."
FILES = {
    "a.md": f"# The *idle* mill\n\n{SENTENCE}\n\n## The idle mill\n\nMore of it.\n",
    "b.md": "---\ntitle: Bread and honey\n---\n\nSalt and two onions are what we carried over.\n",
    "c.md": "# Bread and honey\n\nAnother note with the same title as one before it, told anew.\n",
    "d.md": "# Nothing but a title\n",
}


@pytest.fixture
def documents(cli: CommandLine, tmp_path: Path) -> list[StoredDocument]:
    assert cli("ingest", write(tmp_path / "notes", FILES)).code == 0
    with Store.open(Profile.open()) as store:
        return list(store.documents.all())


def test_a_title_is_hidden_once_and_blocks_still_name_their_text(
    documents: list[StoredDocument],
) -> None:
    mill = next(d for d in documents if "mill" in d.title)
    hidden = without_title(mill)
    assert hidden.title == "" and SENTENCE in hidden.text
    assert hidden.text.count("idle") == mill.text.count("idle") - 1
    first = hidden.blocks[0]
    assert hidden.text[first.start : first.end] == SENTENCE
    assert len(hidden.blocks) == len(mill.blocks) - 1


def test_titles_find_their_documents_and_twins_are_both_right(
    documents: list[StoredDocument],
) -> None:
    hidden = with_hidden_titles(documents)
    assert hidden.size == 3  # of d.md nothing remains
    asked = title_queries(documents, hidden, 10)
    answers = {query.text: len(query.judgements) for query in asked.queries}
    assert answers["Bread and honey"] == 2 and "Nothing but a title" not in answers
    assert title_queries(documents, hidden, 10).queries == asked.queries
    assert title_queries(documents, hidden, 1).queries == asked.queries[:1]


def test_sentences_name_their_passage_and_copies_are_no_paraphrases(
    documents: list[StoredDocument],
) -> None:
    hidden = with_hidden_titles(documents)
    asked = sentence_queries(hidden, 10)
    texts = {id: document.text for id, document in hidden.documents()}
    for query in asked.queries:
        ((place, grade),) = query.judgements.items()
        id, start = place.split("@")
        assert grade == 1 and query.text.split()[0] in texts[id][int(start) :]
    steps: list[int] = []
    same = paraphrase_queries(asked, lambda text: text + "!", lambda done, _: steps.append(done))
    assert same.queries == () and steps == list(range(1, len(asked.queries) + 1))
    other = paraphrase_queries(asked, lambda _: "Quite another wording", lambda *_: None)
    assert [q.judgements for q in other.queries] == [q.judgements for q in asked.queries]


def test_sentences_are_taken_from_paragraphs_longer_than_a_passage(
    cli: CommandLine, tmp_path: Path
) -> None:
    told = "The {} came down to the water at seven and stood there until the boat was gone."
    birds = ["heron", "plover", "curlew", "bittern", "dunlin", "godwit", "avocet", "whimbrel"]
    text = " ".join(told.format(f"{bird} of the {n}th day") for n in range(9) for bird in birds)
    assert cli("ingest", write(tmp_path / "notes", {"long.md": f"# Birds\n\n{text}\n"})).code == 0
    with Store.open(Profile.open()) as store:
        hidden = with_hidden_titles(list(store.documents.all()))
    (query,) = sentence_queries(hidden, 10).queries
    ((place, _),) = query.judgements.items()
    ((_, document),) = hidden.documents()
    (passage,) = (p for p in split_passages(document) if p.start == int(place.rpartition("@")[2]))
    assert query.text in " ".join(document.text[passage.start : passage.end].split())
