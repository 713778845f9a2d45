"""Runs `bench retrieval` on a collection in a folder, or on known items of a profile."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, TypeVar

from localpers import __version__
from localpers.assistant.assistant import Assistant
from localpers.assistant.options import AnswerOptions
from localpers.bench.retrieval.beir import read_collection
from localpers.bench.retrieval.collection import Collection, Query
from localpers.bench.retrieval.index import opened_index
from localpers.bench.retrieval.known_items import (
    Kind,
    paraphrase_queries,
    sentence_queries,
    title_queries,
    with_hidden_titles,
)
from localpers.bench.retrieval.rankings import CollectionNotes, Rankings, use_vectors
from localpers.bench.retrieval.scores import (
    Effectiveness,
    Ranking,
    effectiveness,
    ir_measures,
)
from localpers.datatypes import Reporter, ServedModel, StoredDocument
from localpers.embedding import choose_encoder, opened_encoder
from localpers.errors import LocalpersError, TooLittleText
from localpers.evaluation.ledger import Ledger
from localpers.locks import locked
from localpers.profile import Profile, home, make_private
from localpers.retrieval.analysis import VERSION as ANALYSIS
from localpers.retrieval.dates.expressions import newest_day
from localpers.retrieval.dense import embed_passages, encoder_note, reuse_vectors, use_encoder
from localpers.retrieval.retriever import RANKING, Retriever
from localpers.store import Store

if TYPE_CHECKING:
    from localpers.inference.encoder import Encoder

T = TypeVar("T")
PARAPHRASE = "Say the same in other words, in one sentence:\n\n{sentence}"
PARAPHRASE_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Options:
    """`encoder` names an embedding model, None for the usual one; `base` paraphrases and reranks;
    `queries` and `documents` are the most to use, 0 for all.
    """

    names: tuple[str, ...]
    encoder: str | None = None
    base: ServedModel | None = None
    queries: int = 0
    documents: int = 0
    seed: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """Each retriever's effectiveness by kind of query; a collection's one kind is its split."""

    documents: int
    passages: int
    queries: Mapping[str, int]
    kinds: Mapping[str, Mapping[str, Effectiveness]]
    seconds: float


def bench_collection(
    folder: Path, split: str | None, options: Options, reporter: Reporter
) -> Report:
    """Measure on the collection in `folder`; its index is kept under the home for the next time.

    Raises as read_collection does, and ModelNotFound where an encoder is needed and missing.
    """
    ir_measures()
    reporter.stage("Reading the collection")
    collection = read_collection(folder, split)
    for remark in collection.remarks:
        reporter.warn(remark)
    sampled = _sample(collection.queries, options.queries, options.seed)
    collection = replace(collection, queries=tuple(sampled))
    parent = make_private(make_private(home()) / "benchmarks")
    place = parent / f"retrieval-{collection.fingerprint[:16]}"
    with locked(parent / f".{place.name}.lock", _busy):
        if options.again:
            shutil.rmtree(place, ignore_errors=True)
        asked = {collection.split: collection}
        return _measure(place, collection, lambda _: asked, options, reporter)


def bench_known_items(
    profile: Profile, kinds: Sequence[Kind], options: Options, reporter: Reporter
) -> Report:
    """Measure on known items of the profile's own documents.

    The index without titles lies in the profile's folder until the measurement is complete, or
    remove_interrupted. Raises TooLittleText where there are no documents.
    """
    ir_measures()
    with profile.measuring("bench retrieval"), Store.open(profile) as store:
        documents = sorted(store.documents.all(), key=lambda one: (one.content_hash, one.id))
        documents = list(_sample(documents, options.documents, options.seed))
        hidden = with_hidden_titles(documents)
        if not hidden.size:
            raise TooLittleText("There are no documents to search: run 'localpers ingest FOLDER'.")
        parent = make_private(profile.files / "evaluation")
        place = parent / f"retrieval-{hidden.fingerprint[:16]}"
        with locked(parent / ".retrieval.lock", _busy):
            _remove_indexes(parent, None if options.again else place)

            def ask(assistant: Assistant) -> dict[str, Collection]:
                return _asked(assistant, place, documents, hidden, kinds, options, reporter)

            report = _measure(place, hidden, ask, options, reporter, store)
            shutil.rmtree(place, ignore_errors=True)
        return report


def remove_interrupted(profile: Profile) -> None:
    """Remove the index that an interrupted measurement left: it holds text that may be gone."""
    parent = profile.files / "evaluation"
    if not any(parent.glob("retrieval-*")):
        return
    with suppress(LocalpersError), locked(parent / ".retrieval.lock", _busy):
        _remove_indexes(parent)


def _remove_indexes(parent: Path, kept: Path | None = None) -> None:
    for place in parent.glob("retrieval-*"):
        if place != kept:
            shutil.rmtree(place, ignore_errors=True)


def _asked(
    assistant: Assistant,
    place: Path,
    documents: Sequence[StoredDocument],
    hidden: Collection,
    kinds: Sequence[Kind],
    options: Options,
    reporter: Reporter,
) -> dict[str, Collection]:
    """The queries of each kind that there are."""
    most = options.queries or len(documents)
    sentences = sentence_queries(hidden, most, options.seed)
    asked = {
        Kind.TITLE: title_queries(documents, hidden, most, options.seed),
        Kind.SENTENCE: sentences,
    }
    if Kind.PARAPHRASE in kinds:
        reporter.stage("Paraphrasing")
        settings = {"seed": options.seed, "base": assistant.served.base.sha256, "ask": PARAPHRASE}
        ledger = Ledger(place / "paraphrases.jsonl", settings)
        asked[Kind.PARAPHRASE] = paraphrase_queries(
            sentences, lambda text: _paraphrase(assistant, ledger, text), _shown(reporter)
        )
    found = {kind.value: asked[kind] for kind in kinds if asked[kind].queries}
    if not found:
        raise TooLittleText(
            "These documents yield no queries: they have no titles of two words and no whole "
            "sentences."
        )
    return found


@dataclass(frozen=True, slots=True)
class _Paraphrase:
    text: str


def _paraphrase(assistant: Assistant, ledger: Ledger, sentence: str) -> str:
    def write() -> _Paraphrase:
        options = AnswerOptions(k=0, adapter=False, max_tokens=PARAPHRASE_TOKENS)
        answer = assistant.answer(PARAPHRASE.format(sentence=sentence), options)
        lines = answer.text.strip().splitlines()
        return _Paraphrase(lines[0].strip(' "“”') if lines else "")

    key = hashlib.sha256(sentence.encode()).hexdigest()
    return ledger.measured((key,), _Paraphrase, write).text


def _measure(
    place: Path,
    collection: Collection,
    ask: Callable[[Assistant], Mapping[str, Collection]],
    options: Options,
    reporter: Reporter,
    source: Store | None = None,
) -> Report:
    """Rank the queries that `ask` gives; rankings on record are not computed again. `source` may
    hold vectors of the same documents.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        reporter.stage("Indexing")
        store = stack.enter_context(opened_index(place, collection, _shown(reporter)))
        encoder = _encoder(stack, store, source, options, reporter)
        retriever = Retriever(store, (lambda: encoder) if encoder else None)
        notes = CollectionNotes(retriever, newest_day([store.documents.newest_date()]))
        assistant = stack.enter_context(Assistant(lambda: _base(options), notes))
        kinds = ask(assistant)
        found: dict[str, dict[str, Effectiveness]] = {}
        for kind, asked in kinds.items():
            reporter.stage(f"Searching ({kind})")
            settings = _settings(asked, encoder.sha256 if encoder else None, options)
            ledger = Ledger(place / f"{kind}.jsonl", settings)
            found[kind] = _rank(asked, Rankings(assistant, asked), options, ledger, reporter)
            ledger.remove()
        passages = store.documents.totals().passages
    return Report(
        documents=collection.size,
        passages=passages,
        queries={kind: len(asked.queries) for kind, asked in kinds.items()},
        kinds=found,
        seconds=time.monotonic() - started,
    )


def _base(options: Options) -> ServedModel:
    assert options.base is not None
    return options.base


def _rank(
    asked: Collection, rankings: Rankings, options: Options, ledger: Ledger, reporter: Reporter
) -> dict[str, Effectiveness]:
    names = [name for name in options.names if rankings.can(name)]
    found: dict[str, list[Ranking]] = {name: [] for name in names}
    for name in names:
        for query in asked.queries:

            def rank(name: str = name, query: Query = query) -> Ranking:
                started = time.perf_counter()
                ids = rankings.of(name, query)
                return Ranking(ids, 1e3 * (time.perf_counter() - started))

            found[name].append(ledger.measured((name, query.id), Ranking, rank))
            done = sum(map(len, found.values()))
            reporter.progress(done, len(names) * len(asked.queries), "", None)
    return {name: effectiveness(asked.queries, rows) for name, rows in found.items()}


def _encoder(
    stack: ExitStack, store: Store, source: Store | None, options: Options, reporter: Reporter
) -> Encoder | None:
    """The encoder, after embedding all passages, where a retriever needs it."""
    if not use_vectors(options.names):
        return None
    model = choose_encoder(source or store, options.encoder)
    encoder = stack.enter_context(opened_encoder(model))
    use_encoder(store, encoder)
    noted = encoder_note(source) if source else None
    if source and noted and noted.sha256 == encoder.sha256 and store.vectors.missing():
        reuse_vectors(source, store)
    reporter.stage("Embedding")
    embed_passages(store, encoder, _shown(reporter))
    return encoder


def _settings(collection: Collection, encoder: str | None, options: Options) -> dict[str, object]:
    """What decides the figures besides the documents, whose fingerprint names the folder."""
    asked = hashlib.sha256()
    for query in collection.queries:
        judged = sorted(query.judgements.items())
        asked.update(json.dumps([query.id, query.text, judged]).encode())
    return {
        "version": __version__,
        "analysis": ANALYSIS,
        "ranking": RANKING,
        "queries": asked.hexdigest(),
        "encoder": encoder,
        "base": options.base.base.sha256 if options.base else None,
    }


def _busy() -> LocalpersError:
    return LocalpersError("The same measurement is already running: wait for it to finish.")


def _sample(items: Sequence[T], most: int, seed: int) -> Sequence[T]:
    """All items, or the same `most` of them each time; `most` 0 is all."""
    return items if not most or most >= len(items) else Random(seed).sample(items, most)


def _shown(reporter: Reporter) -> Callable[[int, int], None]:
    return lambda done, total: reporter.progress(done, total, "", None)
