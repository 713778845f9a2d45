"""Short texts, whose language is often unsure, beside others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import Stemmer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rank_bm25 import BM25Plus

from localpers.datatypes import Block, BlockKind, Document, Kind, Passage
from localpers.profile import Profile
from localpers.retrieval.indexing import Indexer
from localpers.retrieval.retriever import Retriever
from localpers.retrieval.retrievers.protocol import Index
from localpers.store import Store
from localpers.store.files import StoredFile
from tests.conftest import CommandLine, write

WORDS = ["mathematical", "mathematics", "running", "rivers", "stones", "happiness", "computing"]
texts = st.lists(st.sampled_from(WORDS), min_size=3, max_size=10).map(" ".join)


def add(store: Store, number: int, text: str, language: str) -> None:
    Indexer(store).add(
        store.files.put(StoredFile(0, f"/{number}.md", 1, 1, str(number), 1, None)),
        Document(text, "", Kind.NOTE, blocks=(Block(BlockKind.PARAGRAPH, 0, len(text)),)),
        [Passage(0, len(text))],
        date="2024-01-01",
        date_from="file",
        language=language,
        content_hash=str(number),
    )


def ranking(
    sure: list[str], others: list[str], language: str, settle: bool, query: str
) -> list[str]:
    """The order of the `sure` documents, which are English."""
    profile = Profile.open("languages")
    for left in profile.root.glob("index.sqlite*"):
        left.unlink()
    with Store.open(profile) as store:
        with store.transaction():
            for number, text in enumerate([*sure, *others]):
                add(store, number, text, "en" if number < len(sure) else language)
            if settle:
                list(Indexer(store).settle_languages())
        hits = Retriever(store).search(query, 100, "bm25")
    return [hit.path for hit in hits if int(Path(hit.path).stem) < len(sure)]


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(texts, min_size=3, max_size=8), st.lists(texts, max_size=4), texts)
def test_documents_of_unsure_language_do_not_change_the_order_of_the_others(
    sure: list[str], unsure: list[str], query: str
) -> None:
    """It is the order that they would have if the language were known."""
    expected = ranking(sure, unsure, "en", settle=False, query=query)
    assert ranking(sure, unsure, "", settle=True, query=query) == expected


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(texts, min_size=3, max_size=8), texts, st.sampled_from(WORDS))
def test_the_forms_of_one_word_are_one_term(sure: list[str], unsure: str, word: str) -> None:
    """Nor while documents of unsure language are not settled."""
    expected = ranking(sure, [unsure], "en", settle=False, query=word)
    assert ranking(sure, [unsure], "", settle=False, query=word) == expected


def test_short_texts_are_found_as_well_as_by_bm25_over_snowball_stems(
    cli: CommandLine, tmp_path: Path
) -> None:
    subjects = ["gardens", "engines", "rivers", "teachers", "windows", "letters", "mountains"]
    acts = ["painting", "building", "cleaning", "repairing", "describing", "measuring"]
    manners = ["quickly", "carefully", "before winter", "with friends and neighbours", "", "slowly"]
    notes = [
        f"{act} {subject} {manner}".strip()
        for place, subject in enumerate(subjects)
        for act in acts
        for manner in (manners[place % 6], manners[(place + len(act)) % 6])
    ]
    notes = sorted({note for note in notes if len(note.split()) >= 3})
    files = {f"{number}.md": note for number, note in enumerate(notes)}
    files["long.md"] = "This is a long English text, so that most of what is here is English. " * 9
    assert cli("ingest", write(tmp_path / "notes", files)).code == 0
    stem = Stemmer.Stemmer("english").stemWords
    oracle = BM25Plus([stem(note.split()) for note in notes])
    ours, theirs = [], []
    with Store.open(Profile.open()) as store:
        for number, note in enumerate(notes):
            query = note.replace("ing ", "ed ")
            hits = [Path(hit.path).stem for hit in Retriever(store).search(query, 10, "bm25")]
            ours.append(1 / (1 + hits.index(str(number))) if str(number) in hits else 0.0)
            scores = oracle.get_scores(stem(query.split()))
            theirs.append(1 / (1 + int(np.sum(scores > scores[number]))))
    assert np.mean(ours) > np.mean(theirs) - 0.02


def test_an_english_encoder_reads_no_query_in_another_script() -> None:
    index = Index(_NO_STORE, lambda: _NO_ENCODER, True, ("en",))
    assert index.reads("how do I undo a commit? naïve café")
    assert index.reads("the 東京 note in English words")
    assert not index.reads("東京で昼食を食べたのはいつ？")
    assert not index.reads("когда мы были в Берлине?")
    assert Index(_NO_STORE, lambda: _NO_ENCODER, True, ("en", "ja")).reads("東京の昼食")
    assert not Index(_NO_STORE, lambda: _NO_ENCODER, False, ("en",)).reads("a commit")


_NO_STORE: Any = None
_NO_ENCODER: Any = None
