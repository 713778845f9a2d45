"""Lexicon: the terms of a text as the index has them, and how much each of them tells."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date

from localpers.retrieval.analysis import query_terms
from localpers.retrieval.query import QueryParser
from localpers.store import Store


class Lexicon:
    """The vocabulary of one store, for as long as it is open."""

    def __init__(self, store: Store) -> None:
        self._postings = store.postings
        self._languages = store.documents.languages()
        self._passages = self._postings.statistics().number
        self._idf: dict[str, float] = {}

    def terms(self, text: str) -> list[str]:
        """The terms of `text`, as a query for it would have them."""
        return query_terms(text, self._languages)

    def topic_terms(self, text: str) -> frozenset[str]:
        """The terms of what a request is about, without instruction, stop words and times."""
        return QueryParser(self._languages, date.today()).parse(text).content_terms

    @property
    def rarest(self) -> float:
        """The idf, in nats, of a term that one passage holds, or none."""
        return math.log(self._passages + 1)

    def idf(self, terms: Iterable[str]) -> float:
        """The sum of the terms' log((N + 1) / n), as bm25 has it, in nats."""
        return sum(map(self._idf_of, terms))

    def _idf_of(self, term: str) -> float:
        if term not in self._idf:
            holding = self._postings.count(term)
            self._idf[term] = math.log((self._passages + 1) / max(holding, 1))
        return self._idf[term]
