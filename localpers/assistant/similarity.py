"""Cosines of a query to passages and texts, by the encoder of the notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localpers.retrieval.dense import TextEncoder
from localpers.retrieval.retriever import Retriever
from localpers.store import Store

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Closeness = tuple[tuple[tuple[int, int], float], ...]
"""((start, end) of a passage, cosine) in a document."""


class Similarity:
    """Over one store; the vector of the last query is kept."""

    def __init__(self, store: Store, retriever: Retriever) -> None:
        self._store = store
        self._retriever = retriever
        self._embedded: tuple[str, npt.NDArray[np.float32]] | None = None

    def closeness(self, query: str, ids: Sequence[int]) -> dict[int, Closeness] | None:
        """The cosine of the query to each passage of each document; None without an encoder."""
        encoder = self._retriever.encoder_for(query)
        if encoder is None or not query.strip():
            return None
        vector = self._vector(query, encoder)
        found: dict[int, Closeness] = {}
        for id in ids:
            spans, vectors = self._store.vectors.spans_of(id)
            cosines = [] if vectors is None else (vectors @ vector).tolist()
            found[id] = tuple(zip(spans, cosines, strict=True))
        return found

    def similarities(self, query: str, texts: Sequence[str]) -> list[float] | None:
        """The cosine of each text to the query; None without an encoder."""
        encoder = self._retriever.encoder_for(query)
        if encoder is None or not query.strip():
            return None
        vectors = encoder.encode([encoder.passage_prefix + text for text in texts])
        return [float(one) for one in vectors @ self._vector(query, encoder)]

    def _vector(self, query: str, encoder: TextEncoder) -> npt.NDArray[np.float32]:
        if self._embedded is None or self._embedded[0] != query:
            self._embedded = query, encoder.encode([encoder.query_prefix + query])[0]
        return self._embedded[1]
