"""What `bench retrieval` runs: a collection in a folder, or known items of one's own documents."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from localpers import __version__
from localpers.datatypes import Message, ModelInfo, Reporter, ServedModel, StoredDocument
from localpers.embedding import (
    choose_encoder,
    opened_encoder,
)
from localpers.errors import LocalpersError, TooLittleText
from localpers.evaluation.effectiveness.collection import Collection, Query, read_collection
from localpers.evaluation.effectiveness.index import opened_index
from localpers.evaluation.effectiveness.known_item import (
    Known,
    paraphrase_queries,
    sentence_queries,
    title_queries,
    with_hidden_titles,
)
from localpers.evaluation.effectiveness.measure import Effectiveness, measure
from localpers.evaluation.effectiveness.rankings import Rankings, use_reranker, use_vectors
from localpers.evaluation.results import Ledger
from localpers.locks import locked
from localpers.profile import Profile, home, make_private
from localpers.retrieval.analysis import VERSION as ANALYSIS
from localpers.retrieval.dates.expressions import newest_day
from localpers.retrieval.dense import embed_passages, encoder_note, reuse_vectors, use_encoder
from localpers.retrieval.retriever import RANKING, Retriever
from localpers.store import Store

if TYPE_CHECKING:
    from localpers.inference.encoder import Encoder
    from localpers.inference.engine import Engine

PARAPHRASE = "Say the same in other words, in one sentence:\n\n{sentence}"
PARAPHRASE_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Options:
    """`encoder` names an embedding model, None for the usual one; `base` writes paraphrases and
    reranks; `queries` and `documents` are the most that are used, 0 for all.
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
    """By kind of query (for a collection one, called as its split): how many, and each retriever's
    effectiveness. `encoder` is the SHA-256 of the embedding model's file, where one was used.
    """

    documents: int
    passages: int
    queries: Mapping[str, int]
    kinds: Mapping[str, Mapping[str, Effectiveness]]
    seconds: float
    encoder: str | None


def bench_collection(
    folder: Path, split: str | None, options: Options, reporter: Reporter
) -> Report:
    """Measure on the collection in `folder`; its index is kept below the home for the next time.

    Raises as read_collection does, and ModelNotFound where there is no encoder but need of one.
    """
    reporter.stage("PromptSequence the collection")
    collection = read_collection(folder, split)
    for remark in collection.remarks:
        reporter.warn(remark)
    collection = replace(collection, queries=_sampled(collection, options))
    parent = make_private(make_private(home()) / "benchmarks")
    place = parent / f"retrieval-{collection.fingerprint[:16]}"
    with _held(parent / f".{place.name}.lock"):
        if options.again:
            shutil.rmtree(place, ignore_errors=True)
        return _measured(place, {collection.split: collection}, options, reporter)


def bench_known_items(
    profile: Profile, kinds: Sequence[Known], options: Options, reporter: Reporter
) -> Report:
    """Measure on known items of the profile's own documents.

    The index without titles lies in the profile's folder and is removed at the end; after an
    interruption it stays until the same command goes on, or remove_interrupted. Raises
    TooLittleText for no documents.
    """
    with profile.measuring("bench retrieval"), Store.open(profile) as store:
        documents = _documents(store, options)
        hidden = with_hidden_titles(documents)
        if not hidden.size:
            raise TooLittleText("There are no documents to search: run 'localpers ingest FOLDER'.")
        parent = make_private(profile.files / "evaluation")
        place = parent / f"retrieval-{hidden.fingerprint[:16]}"
        with _held(parent / ".retrieval.lock"):
            _remove_indexes(parent, None if options.again else place)
            asked = _known_items(make_private(place), documents, hidden, kinds, options, reporter)
            report = _measured(place, asked, options, reporter, store)
            shutil.rmtree(place, ignore_errors=True)
        return report


def remove_interrupted(profile: Profile) -> None:
    """Remove the index that an interrupted measurement left: it holds text that may have gone."""
    parent = profile.files / "evaluation"
    if not any(parent.glob("retrieval-*")):
        return
    # One that is being made just now is its owner's.
    with suppress(LocalpersError), _held(parent / ".retrieval.lock"):
        _remove_indexes(parent)


def _remove_indexes(parent: Path, kept: Path | None = None) -> None:
    for place in parent.glob("retrieval-*"):
        if place != kept:
            shutil.rmtree(place, ignore_errors=True)


def _known_items(
    place: Path,
    documents: Sequence[StoredDocument],
    hidden: Collection,
    kinds: Sequence[Known],
    options: Options,
    reporter: Reporter,
) -> dict[str, Collection]:
    most = options.queries or len(documents)
    asked: dict[str, Collection] = {}
    if Known.TITLE in kinds:
        asked[Known.TITLE] = title_queries(documents, hidden, most, options.seed)
    sentences = sentence_queries(hidden, most, options.seed)
    if Known.SENTENCE in kinds:
        asked[Known.SENTENCE] = sentences
    if Known.PARAPHRASE in kinds:
        assert options.base is not None
        reporter.stage("Paraphrasing")
        settings = {"seed": options.seed, "base": options.base.base.sha256, "prompt": PARAPHRASE}
        ledger = Ledger(place / "paraphrases.jsonl", settings)
        from localpers.inference.engine import Engine

        with Engine.open(options.base) as engine:
            asked[Known.PARAPHRASE] = paraphrase_queries(
                sentences, _rephraser(engine, ledger), _shown(reporter)
            )
    return {str(kind): collection for kind, collection in asked.items() if collection.queries}


def _rephraser(engine: Engine, ledger: Ledger) -> Callable[[str], str]:
    """Writes a sentence anew, greedily, and remembers it."""

    def rephrase(sentence: str) -> str:
        key = (hashlib.sha256(sentence.encode()).hexdigest(),)
        row = ledger.get(key)
        if row is None:
            prompt = (Message("user", PARAPHRASE.format(sentence=sentence)),)
            pieces = engine.generate(engine.tokenizer.prompt_ids(prompt), PARAPHRASE_TOKENS)
            lines = "".join(piece.text for piece in pieces).strip().splitlines()
            row = {"text": lines[0].strip(' "“”') if lines else ""}
            ledger.put(key, row)
        return str(row["text"])

    return rephrase


def _measured(
    place: Path,
    kinds: Mapping[str, Collection],
    options: Options,
    reporter: Reporter,
    source: Store | None = None,
) -> Report:
    """`source` holds vectors of the same documents, where there are any."""
    started = time.monotonic()
    if not kinds:
        raise TooLittleText(
            "Nothing in these documents can be asked for: they have no titles of two words and no "
            "whole sentences."
        )
    collection = next(iter(kinds.values()))
    with ExitStack() as stack:
        reporter.stage("Indexing")
        store = stack.enter_context(opened_index(place, collection, _shown(reporter)))
        encoder = _encoder(stack, store, source, options, reporter)
        reranker = None
        if use_reranker(options.names):
            from localpers.inference.engine import Engine
            from localpers.inference.likelihood import QueryLikelihood

            assert options.base is not None
            reranker = QueryLikelihood(stack.enter_context(Engine.open(options.base)))
        retriever = Retriever(store, (lambda: encoder) if encoder else None)
        today = newest_day([store.documents.newest_date()])
        found: dict[str, dict[str, Effectiveness]] = {}
        for kind, asked in kinds.items():
            reporter.stage(f"Searching ({kind})")
            settings = _settings(asked, encoder.sha256 if encoder else None, options)
            ledger = Ledger(place / f"{kind}.jsonl", settings)
            rankings = Rankings(retriever, asked.unit, asked.documents, today, reranker)
            names = [name for name in options.names if rankings.can(name)]
            found[kind] = measure(asked, rankings, names, ledger, _shown(reporter))
            ledger.close()
        passages = store.documents.totals().passages
    return Report(
        documents=collection.size,
        passages=passages,
        queries={kind: len(asked.queries) for kind, asked in kinds.items()},
        kinds=found,
        seconds=time.monotonic() - started,
        encoder=encoder.sha256 if encoder else None,
    )


def _encoder(
    stack: ExitStack, store: Store, source: Store | None, options: Options, reporter: Reporter
) -> Encoder | None:
    """The encoder, and all vectors made, where a retriever needs them."""
    if not use_vectors(options.names):
        return None
    model: ModelInfo = choose_encoder(source or store, options.encoder)
    encoder = stack.enter_context(opened_encoder(model))
    use_encoder(store, encoder)
    noted = encoder_note(source) if source else None
    if source and noted and noted.sha256 == encoder.sha256 and store.vectors.missing():
        reuse_vectors(source, store)
    reporter.stage("Embedding")
    embed_passages(store, encoder, _shown(reporter))
    return encoder


def _settings(collection: Collection, encoder: str | None, options: Options) -> dict[str, object]:
    """What decides the figures, beside the documents, by whose fingerprint the rows' folder is
    called: rows under other settings are not gone on with.
    """
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


def _sampled(collection: Collection, options: Options) -> tuple[Query, ...]:
    """The queries used: all, or a sample that is the same each time."""
    if not options.queries or options.queries >= len(collection.queries):
        return collection.queries
    return tuple(Random(options.seed).sample(collection.queries, options.queries))


def _documents(store: Store, options: Options) -> list[StoredDocument]:
    documents = list(store.documents.all())
    if not options.documents or options.documents >= len(documents):
        return documents
    documents.sort(key=lambda document: (document.content_hash, document.id))
    return Random(options.seed).sample(documents, options.documents)


def _shown(reporter: Reporter) -> Callable[[int, int], None]:
    return lambda done, total: reporter.progress(done, total, "", None)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    busy = LocalpersError("The same measurement is already running: wait for it to finish.")
    with locked(path, lambda: busy):
        yield
