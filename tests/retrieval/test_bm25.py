"""The index against rank_bm25 over everything: the same scores, the same order, ties aside."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Plus

from localpers.datatypes import Block, BlockKind, Document, Kind, Passage
from localpers.profile import Profile
from localpers.retrieval import bm25, indexing
from localpers.retrieval.analysis import analyse, query_terms
from localpers.retrieval.bm25 import K1, B, Lookup
from localpers.retrieval.indexing import Indexer
from localpers.retrieval.retriever import Retriever
from localpers.store import Store, postings
from localpers.store.files import StoredFile
from tests.conftest import CommandLine, write

WORDS = ["alpha", "beta", "gamma", "delta", "getUserName", "日本語", "running", "the", "😀", "x-y"]
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
corpora = st.lists(texts, min_size=1, max_size=12)


def add(store: Store, number: int, text: str, language: str) -> None:
    file = store.files.put(StoredFile(0, f"/{number}.md", 1, 1, str(number), 1, None))
    block = Block(BlockKind.PARAGRAPH, 0, len(text))
    Indexer(store).add(
        file,
        Document(text=text, title="t", kind=Kind.NOTE, blocks=(block,)),
        [Passage(0, len(text))],
        date="2024-01-01",
        date_from="file",
        language=language,
        content_hash=str(number),
    )


def store_of(corpus: list[str], language: str) -> Store:
    profile = Profile.open("bm25")
    profile.database.unlink(missing_ok=True)
    for leftover in profile.root.glob("index.sqlite-*"):
        leftover.unlink()
    store = Store.open(profile)
    with store.transaction():
        for number, text in enumerate(corpus):
            add(store, number, text, language)
    return store


def check(store: Store, corpus: list[str], query: str, language: str, k: int = 10) -> None:
    oracle = BM25Plus([analyse(text, language) for text in corpus], delta=0)
    scores = oracle.get_scores(query_terms(query, [language]))
    expected = sorted((score for score in scores if score > 0), reverse=True)[:k]
    hits = Retriever(store).search(query, k, "bm25")
    assert np.allclose([hit.score for hit in hits], expected)
    for hit in hits:
        same_text = [scores[i] for i, text in enumerate(corpus) if text == hit.text]
        assert np.isclose(same_text, hit.score).all()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(corpora, texts, st.sampled_from(["", "en", "ja"]))
def test_the_same_top_ten_as_rank_bm25(corpus: list[str], query: str, language: str) -> None:
    with store_of(corpus, language) as store:
        check(store, corpus, query, language)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.integers(4, 9),
    st.integers(0, 8),
    st.lists(st.integers(0, 12), max_size=5),
    st.lists(st.integers(0, 8), min_size=2, max_size=4),
    st.integers(1, 3),
)
def test_equals_rank_by_place_however_few_are_asked_for(
    equals: int, more: int, others: list[int], asked: list[int], k: int
) -> None:
    """Each of the equals has words of its own, so that each query's term finds one of them."""
    corpus = [[f"x{i}", *(f"x{i}_{n}" for n in range(more))] for i in range(equals)]
    corpus += [[f"y{i}_{n}" for n in range(length + 1)] for i, length in enumerate(others)]
    query = [f"x{i}" for i in asked]
    with pytest.MonkeyPatch.context() as patch, store_of([], "") as store:
        patch.setattr(bm25, "MOST_CANDIDATES", 1.0)
        with store.transaction():
            for number, terms in enumerate(corpus, 1):
                store.postings.add(number, Counter(terms))
        everything = Lookup(store.postings, query).rank(len(corpus))
        assert Lookup(store.postings, query).rank(k) == everything[:k]
        assert list(everything) == sorted(everything, key=lambda hit: (-hit[1], hit[0]))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(corpora, st.data(), st.lists(texts, min_size=1, max_size=3), st.booleans())
def test_still_exact_whatever_came_changed_and_went(
    corpus: list[str], data: st.DataObject, queries: list[str], short_rows: bool
) -> None:
    """Also where every form of row is at work: rows of offsets, of gaps, inline and apart."""
    small = {"MAX_POSTINGS": 5, "MAX_GAPS": 3, "OFFSETS": 6, "MIN_OFFSETS": 2}
    with pytest.MonkeyPatch.context() as patch, store_of(corpus, "en") as store:
        for name, value in ((small | {"MAX_INLINE": 7}) if short_rows else {}).items():
            patch.setattr(postings, name, value)
        held = dict(zip(store.documents.ids_after(0, 1000), corpus, strict=True))
        for number in range(data.draw(st.integers(1, 5))):
            changed = data.draw(st.sets(st.sampled_from(sorted(held))) if held else st.just(set()))
            with store.transaction():
                for id in changed:
                    Indexer(store).remove(id)
                    del held[id]
                for place, text in enumerate(data.draw(st.lists(texts, max_size=9))):
                    add(store, 1000 + 10 * number + place, text, "en")
            known = store.documents.ids_after(0, 1000)
            held = {d.id: d.text for d in store.documents.all() if d.id in known}
            for query in queries if held else ():
                check(store, list(held.values()), query, "en")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(corpora, st.data(), texts)
def test_still_exact_after_documents_went_and_came(
    corpus: list[str], data: st.DataObject, query: str
) -> None:
    gone = data.draw(st.sets(st.integers(0, len(corpus) - 1), max_size=len(corpus) - 1))
    with store_of(corpus, "en") as store:
        ids = store.documents.ids_after(0, 1000)
        with store.transaction():
            for number in gone:
                Indexer(store).remove(ids[number])
        late = "alpha running late"
        with store.transaction():
            add(store, 1000, late, "en")
        left = [text for number, text in enumerate(corpus) if number not in gone] + [late]
        check(store, left, query, "en")


def test_passages_beyond_one_row_of_postings_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "MAX_POSTINGS", 8192)
    corpus = [
        f"alpha w{number} {'beta ' * (number % 3)}{'rare' * (number % 4000 == 7)}"
        for number in range(postings.MAX_POSTINGS + 200)
    ]
    with store_of(corpus, "") as store:
        for query in ("w8350 alpha", "w3 w4150", "beta", "rare beta alpha", "alpha alpha beta"):
            check(store, corpus, query, "")


def test_one_document_and_one_word_is_a_hit() -> None:
    with store_of(["alpha"], "en") as store:
        assert [hit.text for hit in Retriever(store).search("alpha", 3)] == ["alpha"]


def outdate(store: Store) -> None:
    with store.transaction():
        store.postings.clear()
        store.set_meta("analysis_version", "0")


def test_a_new_analysis_rebuilds_the_index() -> None:
    with store_of(["alpha beta", "beta"], "en") as store:
        outdate(store)
        assert Retriever(store).search("alpha", retriever="bm25") == []
        assert Indexer(store).refresh() is True
        check(store, ["alpha beta", "beta"], "alpha beta", "en")
        assert Indexer(store).refresh() is False


def test_a_rebuild_goes_on_where_it_was_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "_BATCH_DOCUMENTS", 1)
    corpus = ["alpha beta", "beta", "gamma"]
    seen: list[int] = []

    def interrupt_at(stop: int) -> Callable[[int, int], None]:
        def progress(done: int, total: int) -> None:
            seen.append(done)
            if done == stop:
                raise KeyboardInterrupt

        return progress

    with store_of(corpus, "en") as store:
        outdate(store)
        with pytest.raises(KeyboardInterrupt):
            Indexer(store).refresh(interrupt_at(2))
        assert Retriever(store).search("alpha", retriever="bm25") == []
        assert Indexer(store).refresh(interrupt_at(9)) is True
        assert seen == [1, 2, 3]
        check(store, corpus, "alpha gamma", "en")


def test_a_document_that_comes_in_between_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "_BATCH_DOCUMENTS", 1)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with store_of(["alpha beta", "beta"], "en") as store:
        outdate(store)
        with pytest.raises(KeyboardInterrupt):
            Indexer(store).refresh(interrupt)
        with store.transaction():
            Indexer(store).remove(1)
            add(store, 7, "alpha", "en")
        Indexer(store).refresh()
        check(store, ["beta", "alpha"], "alpha beta", "en")


CHARACTERS = "猫犬のはな門語가나กข"


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(alphabet=f"{CHARACTERS}a1 。-", min_size=1, max_size=8), min_size=1, max_size=6
    )
)
def test_one_character_finds_every_text_that_holds_it_as_often_as_it_does(
    corpus: list[str],
) -> None:
    with store_of(corpus, "ja") as store:
        for character in CHARACTERS:
            holding = [text for text in corpus if character in text]
            hits = Retriever(store).search(character, 10, "bm25")
            assert sorted(hit.text for hit in hits) == sorted(holding)
            idf = math.log((len(corpus) + 1) / max(len(holding), 1))
            lengths = [len(analyse(text, "ja")) for text in corpus]
            for hit in hits:
                frequency = hit.text.count(character)
                length = len(analyse(hit.text, "ja")) / (sum(lengths) / len(lengths))
                norm = K1 * (1 - B + B * length)
                expected = idf * frequency * (K1 + 1) / (frequency + norm)
                assert hit.score == pytest.approx(expected)


def test_auto_finds_one_character_wherever_it_stands(cli: CommandLine, tmp_path: Path) -> None:
    texts = {"begin": "猫が好きです", "middle": "黒い猫の写真", "end": "これは猫", "none": "犬の話"}
    notes = write(tmp_path / "notes", {f"{name}.md": text for name, text in texts.items()})
    assert cli("ingest", notes).code == 0
    found = {Path(hit["path"]).stem for hit in cli("search", "猫", "--json").json}
    assert found == {"begin", "middle", "end"}
