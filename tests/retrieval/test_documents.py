"""Whole documents beside passages: the scores are BM25's, and `auto` lets them count."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.datatypes import Block, BlockKind, Document, Kind, Passage
from localpers.profile import Profile
from localpers.retrieval.bm25 import K1, B, Lookup
from localpers.retrieval.indexing import Indexer
from localpers.retrieval.retriever import Retriever
from localpers.store import Store
from localpers.store.files import StoredFile
from tests.conftest import CommandLine, write

WORDS = ["alpha", "beta", "gamma", "delta", "the"]
passages = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9)
collections = st.lists(st.lists(passages, min_size=1, max_size=4), min_size=1, max_size=6)


def add(store: Store, number: int, parts: list[list[str]], heading: str = "") -> None:
    texts = [" ".join(words) for words in parts]
    starts = [sum(len(text) + 1 for text in texts[:n]) for n in range(len(texts))]
    spans = [(start, start + len(text)) for start, text in zip(starts, texts, strict=True)]
    Indexer(store).add(
        store.files.put(StoredFile(0, f"/{number}.md", 1, 1, str(number), 1, None)),
        Document(
            text="\n".join(texts),
            title="",
            kind=Kind.NOTE,
            blocks=tuple(Block(BlockKind.PARAGRAPH, *span) for span in spans),
        ),
        [Passage(*span, heading) for span in spans],
        date="2024-01-01",
        date_from="file",
        language="",
        content_hash=str(number),
    )


def store_of(collection: list[list[list[str]]]) -> Store:
    profile = Profile.open("documents")
    for left in profile.root.glob("index.sqlite*"):
        left.unlink()
    store = Store.open(profile)
    with store.transaction():
        for number, parts in enumerate(collection):
            add(store, number, parts)
    return store


def together(
    store: Store, query: list[str], groups: dict[int, list[int]], mean: float
) -> dict[str, dict[int, float]]:
    """term → document → what the term adds."""
    members = [id for ids in groups.values() for id in ids]
    found = Lookup(store.postings, query).frequencies(members)
    scores = found.score_groups(list(groups.values()), mean)
    return {
        term: dict(zip(groups, row.tolist(), strict=True))
        for term, row in zip(found.terms, scores, strict=True)
    }


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(collections, passages)
def test_a_documents_score_is_bm25_of_its_passages_together(
    collection: list[list[list[str]]], query: list[str]
) -> None:
    everything = [Counter(words) for parts in collection for words in parts]
    whole = [sum((Counter(words) for words in parts), Counter[str]()) for parts in collection]
    mean = sum(document.total() for document in whole) / len(whole)
    with store_of(collection) as store:
        groups = store.documents.passages_of(store.documents.ids())
        found = together(store, query, groups, mean)
    for id, document in zip(groups, whole, strict=True):
        norm = K1 * (1 - B + B * document.total() / mean)
        for term, repeats in Counter(query).items():
            holding = sum(term in words for words in everything)
            expected = 0.0
            if document[term]:
                idf = math.log((len(everything) + 1) / holding)
                expected = repeats * idf * document[term] * (K1 + 1) / (document[term] + norm)
            assert found.get(term, {}).get(id, 0.0) == pytest.approx(expected)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(collections.map(lambda found: [parts[:1] for parts in found]), passages)
def test_where_every_document_is_one_passage_both_score_alike(
    collection: list[list[list[str]]], query: list[str]
) -> None:
    with store_of(collection) as store:
        groups = store.documents.passages_of(store.documents.ids())
        ranked = Lookup(store.postings, query).rank(len(collection))
        found = together(store, query, groups, store.postings.statistics().mean)
        for document, (passage,) in groups.items():
            total = sum(scores.get(document, 0.0) for scores in found.values())
            assert total == pytest.approx(dict(ranked).get(passage, 0.0))


@pytest.fixture
def spread(cli: CommandLine, tmp_path: Path) -> None:
    """One note speaks of all three words, each in a passage of its own; others name two at once."""
    filler = "Plain words about weather and trains, and about nothing that is asked for. " * 16
    files = {
        "spread.md": "\n\n".join(f"{filler} {word} {word}" for word in ("heron", "sluice", "reed")),
        **{
            f"pair{n}.md": "\n\n".join([f"{filler} {pair}", *[f"{filler} Day {d}" for d in "abc"]])
            for n, pair in enumerate(("heron sluice", "sluice reed", "heron reed"))
        },
        **{f"other{n}.md": f"{filler} Number {n}." for n in range(9)},
    }
    assert cli("ingest", write(tmp_path / "notes", files)).code == 0


def first(cli: CommandLine, *arguments: str) -> str:
    return Path(cli("search", "heron sluice reed", "--json", *arguments).json[0]["path"]).stem


@pytest.mark.usefixtures("spread")
def test_auto_finds_the_note_whose_passages_together_hold_what_is_asked(cli: CommandLine) -> None:
    assert first(cli) == "spread"
    assert first(cli, "--retriever", "bm25").startswith("pair")


@pytest.mark.usefixtures("spread")
def test_explain_tells_what_the_whole_document_added(cli: CommandLine) -> None:
    hits = cli("search", "heron sluice reed", "--explain", "--json").json
    for hit in hits:
        why = hit["explain"]
        total = sum(term["score"] for term in why["terms"]) * (1 + why["time"] + why["recency"])
        assert total == pytest.approx(hit["score"])
    told = {(term["part"], term["term"]) for term in hits[0]["explain"]["terms"]}
    assert {part for part, _ in told} == {"text", "document"}
    assert "whole document" in cli("search", "heron sluice reed", "--explain").out


def test_of_two_notes_alike_the_one_that_opens_with_the_word_comes_first(
    cli: CommandLine, tmp_path: Path
) -> None:
    def words(name: str) -> str:
        return " ".join(f"{name}{n}" for n in range(250))

    files = {
        "a.md": f"# Day one\n\n{words('u')}\n\n{words('v')}\n\nheron {words('w')}",
        "b.md": f"# Day two\n\nheron {words('x')}\n\n{words('y')}\n\n{words('z')}",
        **{f"other{n}.md": f"# Day three\n\n{words(f'o{n}x')}" for n in range(3)},
    }
    assert cli("ingest", write(tmp_path / "notes", files)).code == 0
    hits = cli("search", "heron", "--json").json
    assert [Path(hit["path"]).stem for hit in hits] == ["b", "a"]
    assert "heron (opening)" in cli("search", "heron", "--explain").out


@pytest.mark.usefixtures("spread")
def test_the_whole_document_counts_less_the_more_a_query_says(cli: CommandLine) -> None:
    def share_of_document(query: str) -> float:
        hit = cli("search", query, "--explain", "--json").json[0]["explain"]
        heron = {t["part"]: t["score"] for t in hit["terms"] if t["term"] == "heron"}
        return float(heron["document"] / (heron["document"] + heron["text"]))

    short = share_of_document("heron")
    long = share_of_document(
        "heron plain words about weather and trains and about nothing that is asked for"
    )
    assert long < short == pytest.approx(share_of_document("heron sluice reed"), abs=0.1)


def test_parts_of_a_name_weigh_less_where_the_whole_is_known(
    cli: CommandLine, tmp_path: Path
) -> None:
    files = {f"note{n}.md": f"Number {n} of HeronPost and its ways." for n in range(3)}
    assert cli("ingest", write(tmp_path / "notes", files)).code == 0

    def weights(query: str) -> dict[str, float]:
        hit = cli("search", query, "--explain", "--json").json[0]["explain"]
        return {t["term"]: t["score"] for t in hit["terms"] if t["part"] == "text"}

    known = weights("HeronPost")
    assert known["heron"] == known["post"] == pytest.approx(known["heronpost"] / 2)
    unknown = weights("heron.post")
    assert unknown["heron"] == unknown["post"] == pytest.approx(known["heronpost"])


def test_a_passage_must_itself_hold_a_word_of_the_query(cli: CommandLine, tmp_path: Path) -> None:
    filler = "Plain words about weather and trains. " * 30
    text = f"{filler} heron\n\n{filler} the end\n"
    assert cli("ingest", write(tmp_path / "notes", {"a.md": text})).code == 0
    hits = cli("search", "the heron", "--json").json
    assert hits and all("heron" in hit["text"] for hit in hits)


def test_a_word_in_a_long_path_of_headings_alone_is_found() -> None:
    path = "Minutes of the housing cooperative > Decisions > Repairs > Roof and gutters > Budget"
    with store_of([[["weather"]]] * 40) as store:
        with store.transaction():
            add(store, 100, [["sums"]], "Budget > Budget")
            add(store, 101, [["tiles"]], path)
        found = [str(hit.path) for hit in Retriever(store).search("budget")]
        assert found == ["/100.md", "/101.md"]
