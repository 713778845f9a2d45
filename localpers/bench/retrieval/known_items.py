"""Known-item queries made of a person's own documents, which need no judgements.

The query is a title, a sentence or a paraphrased sentence, and the one relevant item is the one it
was taken from (known-item finding: Beitzel et al., 2003; Azzopardi, de Rijke & Balog, 2007). Titles
are hidden from the index, as a field and as a heading: otherwise a title would find itself.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from random import Random

from localpers.bench.retrieval.collection import Collection, Query, Unit, passage_id
from localpers.corpus.passages import split_passages
from localpers.datatypes import Block, Document, StoredDocument
from localpers.evaluation.questions import sentences_of

FEWEST_TITLE_WORDS = 2
MOST_REPEATED = 0.7
"""Share of the sentence's words that a paraphrase repeats; above it, nothing was rephrased."""
_WORD = re.compile(r"\w+")


class Kind(StrEnum):
    """A title must find its document, the others the passage that they were taken from."""

    TITLE = "title"
    SENTENCE = "sentence"
    PARAPHRASE = "paraphrase"


def with_hidden_titles(documents: Sequence[StoredDocument]) -> Collection:
    """The documents without their titles, under the store's ids; without those left empty."""
    hidden = [(str(document.id), without_title(document)) for document in documents]
    kept = [(id, document) for id, document in hidden if document.blocks]
    digest = hashlib.sha256()
    for id, document in kept:
        digest.update(f"{id}\0{document.date}\0{document.text}\0".encode("utf-8", "surrogatepass"))
    return Collection("known items", lambda: iter(kept), len(kept), digest.hexdigest())


def without_title(stored: StoredDocument) -> Document:
    """The document with an empty title and without the first block that only repeats it."""
    text, blocks, words = stored.text, list(stored.blocks), _words(stored.title)
    for number, block in enumerate(blocks):
        if words and _words(text[block.start : block.end]) == words:
            gap = block.end - block.start
            text = text[: block.start] + text[block.end :]
            blocks[number:] = [_moved(later, gap) for later in blocks[number + 1 :]]
            break
    return Document(
        text=text,
        title="",
        kind=stored.kind,
        blocks=tuple(blocks),
        date=stored.date,
        first_line=None,
    )


def title_queries(
    documents: Sequence[StoredDocument], collection: Collection, most: int, seed: int = 0
) -> Collection:
    """At most `most` titles; all documents that share a title are relevant to it."""
    kept = {id for id, _ in collection.documents()}
    by_title: dict[tuple[str, ...], list[StoredDocument]] = defaultdict(list)
    for document in documents:
        words = tuple(_words(document.title))
        if str(document.id) in kept and len(words) >= FEWEST_TITLE_WORDS:
            by_title[words].append(document)
    queries = [
        Query(f"title {same[0].id}", same[0].title, {str(document.id): 1 for document in same})
        for same in by_title.values()
    ]
    return _asking(collection, queries, most, seed, Unit.DOCUMENT)


def sentence_queries(collection: Collection, most: int, seed: int = 0) -> Collection:
    """At most `most` sentences of prose, one a document; relevant is the passage that holds it."""
    queries: list[Query] = []
    for id, document in collection.documents():
        candidates = list(_sentences(id, document))
        if candidates:
            queries.append(Random(f"{seed}:{id}").choice(candidates))
    return _asking(collection, queries, most, seed, Unit.PASSAGE)


def paraphrase_queries(
    sentences: Collection, rephrase: Callable[[str], str], on_progress: Callable[[int, int], None]
) -> Collection:
    """The sentences in the words of `rephrase`, without those that it merely copied."""
    queries: list[Query] = []
    for number, query in enumerate(sentences.queries, 1):
        text = rephrase(query.text)
        before, after = set(_words(query.text)), set(_words(text))
        if after and len(before & after) / len(before) <= MOST_REPEATED:
            queries.append(
                Query(query.id.replace("sentence", "paraphrase"), text, query.judgements)
            )
        on_progress(number, len(sentences.queries))
    return replace(sentences, queries=tuple(queries))


def _asking(
    collection: Collection, queries: list[Query], most: int, seed: int, unit: Unit
) -> Collection:
    queries.sort(key=lambda query: hashlib.sha256(f"{seed}:{query.text}".encode()).digest())
    return replace(collection, queries=tuple(queries[:most]), unit=unit)


def _sentences(id: str, document: Document) -> Iterator[Query]:
    for passage in split_passages(document):
        # A paragraph may be longer than a passage, which then ends where a sentence does.
        blocks = [
            replace(block, start=max(block.start, passage.start), end=min(block.end, passage.end))
            for block in document.blocks
            if block.start < passage.end and passage.start < block.end
        ]
        for sentence in sentences_of(document.text, blocks):
            yield Query(f"sentence {id}", sentence, {passage_id(id, passage.start): 1})


def _moved(block: Block, gap: int) -> Block:
    return replace(block, start=block.start - gap, end=block.end - gap)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
