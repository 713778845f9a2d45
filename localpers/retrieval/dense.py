"""Dense retrieval: passages by the cosine of their vectors with the query's.

Exact: every vector is scored. A vector is of the passage's text alone, so that it holds for that
text wherever it stands. Who computes vectors is behind the protocol TextEncoder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from localpers.store import Store

_ENCODER_KEY = "encoder"
BATCH = 64
"""Passages embedded between two commits: a few seconds on a slow core."""


class TextEncoder(Protocol):
    """What dense retrieval needs of an embedding model, with what it wants before texts."""

    name: str
    sha256: str
    dimension: int
    query_prefix: str
    passage_prefix: str

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Vectors of length 1, float32 [len(texts), dimension]."""


@dataclass(frozen=True, slots=True)
class EncoderNote:
    """Whose vectors the store holds, and of what: `sha256` is of the encoder's file."""

    name: str
    sha256: str
    dimension: int
    passage_prefix: str = ""


def encoder_note(store: Store) -> EncoderNote | None:
    """None where nothing was ever embedded."""
    noted = store.meta(_ENCODER_KEY)
    return EncoderNote(**json.loads(noted)) if noted else None


def forget_vectors(store: Store) -> None:
    """Remove all vectors and what was noted of them."""
    with store.transaction():
        store.vectors.clear()
        store.remove_meta(_ENCODER_KEY)


def use_encoder(store: Store, encoder: TextEncoder) -> None:
    """Note whose vectors the store holds from now on; those of another go, and those of
    passages behind another prefix.
    """
    ours = EncoderNote(encoder.name, encoder.sha256, encoder.dimension, encoder.passage_prefix)
    noted = encoder_note(store)
    if noted is None or replace(noted, name=ours.name) != ours:
        forget_vectors(store)
    if noted != ours:
        with store.transaction():
            store.set_meta(_ENCODER_KEY, json.dumps(asdict(ours)))


def reuse_vectors(source: Store, target: Store) -> None:
    """Copy the vectors of equal texts; a document's path in `target` is its id in `source`.

    Both must be of one encoder (use_encoder).
    """
    with target.transaction():
        for document in target.documents.all():
            known = source.vectors.of_document(int(document.path))
            analysed = target.documents.analysed(document.id)
            passages = analysed.passages if analysed else ()
            there = [(id, known[text]) for id, text, _ in passages if text in known]
            if there:
                target.vectors.put([id for id, _ in there], np.stack([v for _, v in there]))


def embed_passages(
    store: Store, encoder: TextEncoder, on_progress: Callable[[int, int], None] | None = None
) -> int:
    """Give every passage without a vector its own; returns how many.

    Committed every BATCH passages: an interrupted run goes on, and readers see what is done.
    """
    use_encoder(store, encoder)
    total, done, last = store.vectors.missing(), 0, -1
    while waiting := store.vectors.unembedded(last, BATCH):
        vectors = encoder.encode([encoder.passage_prefix + passage.text for passage in waiting])
        with store.transaction():
            store.vectors.put([passage.id for passage in waiting], vectors)
        last = waiting[-1].id
        done += len(waiting)
        if on_progress:
            on_progress(done, total)
    return done


def rank_by_vector(
    store: Store, encoder: TextEncoder, query: str, k: int
) -> list[tuple[int, float]]:
    """The k passages with the highest cosine, as (id, cosine), best first, ties by id."""
    if k < 1 or not query.strip():
        return []
    wanted = encoder.encode([encoder.query_prefix + query])[0]
    ids: list[npt.NDArray[np.int64]] = []
    scores: list[npt.NDArray[np.float32]] = []
    for some, vectors in store.vectors.all(encoder.dimension):
        ids.append(some)
        scores.append(vectors @ wanted)
    if not ids or not wanted.any():
        return []
    all_ids, all_scores = np.concatenate(ids), np.concatenate(scores)
    if len(all_ids) > k:
        threshold = np.partition(all_scores, -k)[-k]
        kept = all_scores >= threshold
        all_ids, all_scores = all_ids[kept], all_scores[kept]
    order = np.lexsort((all_ids, -all_scores))[:k]
    return [(int(all_ids[at]), float(all_scores[at])) for at in order]
