"""Retriever: a query in, ranked passages out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from localpers.datatypes import RetrievedPassage
from localpers.errors import LocalpersError
from localpers.retrieval.bm25 import Lookup
from localpers.retrieval.dense import TextEncoder
from localpers.retrieval.hits import Hit, Reason, TermScore
from localpers.retrieval.query import Query, QueryParser
from localpers.retrieval.rerank import DEPTH, Reranker, rerank
from localpers.retrieval.retrievers import Index, retriever_called
from localpers.store import Store

RANKING = 6
"""Of the order of hits. Whatever moves one bumps it: figures of other rankings do not mix."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How the query was understood, and why each passage ranks where it does.

    `embedded` is the text whose vector was compared, None where vectors played no part; `idf` is in
    nats.
    """

    query: Query
    embedded: str | None
    idf: dict[str, float]
    passages: list[RetrievedPassage]
    reasons: list[Reason]

    def reason_of(self, passage: RetrievedPassage) -> Reason:
        """Of one of the passages, wherever a reranker has put it since."""
        place = (passage.document, passage.start)
        places = [(found.document, found.start) for found in self.passages]
        return self.reasons[places.index(place)]


class Retriever:
    """Ranks the passages of one store.

    `encoder` opens the embedding model when it is first needed; `auto` uses it where it
    `speaks_notes`. `rerankers` are opened by name.
    """

    def __init__(
        self,
        store: Store,
        encoder: Callable[[], TextEncoder] | None = None,
        speaks_notes: bool = False,
        languages: Sequence[str] = (),
        rerankers: Mapping[str, Callable[[], Reranker]] | None = None,
    ) -> None:
        self._store = store
        self._index = Index(store, encoder, speaks_notes, languages)
        self._rerankers = rerankers or {}

    @property
    def auto_is_hybrid(self) -> bool:
        """Whether `auto` uses vectors."""
        return self._index.open_encoder is not None and self._index.speaks_notes

    def encoder_for(self, text: str) -> TextEncoder | None:
        """The embedding model, opened; None where none was made for the notes and this text."""
        return self._index.encoder() if self._index.reads(text) else None

    def search(
        self,
        query: str,
        k: int = 10,
        retriever: str = "auto",
        reranker: str | None = None,
        today: date | None = None,
    ) -> list[RetrievedPassage]:
        """The k best passages for `query`, best first; fewer where fewer match.

        The query is plain text: no character in it has a meaning of its own. Relative times in it
        count from `today`, by default the day that it is. Raises LocalpersError for an unknown
        retriever or reranker, and for `dense` and `hybrid` without an encoder.
        """
        method = retriever_called(retriever)
        judge = self._reranker(reranker) if reranker is not None else None
        with self._store.snapshot():
            parsed = method.parse(self._parser(today), query)
            found = method.rank(self._index, parsed, max(k, DEPTH) if judge else k)
        passages = [_retrieved(rank, hit) for rank, hit in enumerate(found, 1)]
        return rerank(judge, query, passages, k) if judge else passages

    def explain(self, query: str, k: int = 10, retriever: str = "auto") -> Explanation:
        """As `search`, with the reasons."""
        method = retriever_called(retriever)
        with self._store.snapshot():
            parsed = method.parse(self._parser(None), query)
            found = self._with_terms(parsed, method.rank(self._index, parsed, k))
            idf = Lookup(self._store.postings, parsed.terms, parsed.forms).idf
        return Explanation(
            query=parsed,
            embedded=parsed.topic if method.embeds(self._index, parsed) else None,
            idf={term: idf.get(term, 0.0) for term in parsed.terms},
            passages=[_retrieved(rank, hit) for rank, hit in enumerate(found, 1)],
            reasons=[hit.reason for hit in found],
        )

    def _parser(self, today: date | None) -> QueryParser:
        return QueryParser(self._store.documents.languages(), today or date.today())

    def _reranker(self, name: str) -> Reranker:
        if name not in self._rerankers:
            names = ", ".join(self._rerankers) or "none is there"
            raise LocalpersError(f"'{name}' is not a reranker: choose one of {names}.")
        return self._rerankers[name]()

    def _with_terms(self, query: Query, hits: Sequence[Hit]) -> list[Hit]:
        """With what each term adds, where the method scores by nothing else."""
        if any(hit.reason != Reason() for hit in hits) or not query.terms:
            return list(hits)
        ids = [hit.passage.id for hit in hits]
        found = Lookup(self._store.postings, query.terms, query.forms).frequencies(ids)
        scores = found.score_passages(ids)
        return [
            replace(
                hit,
                reason=Reason(
                    tuple(
                        TermScore(term, "text", score)
                        for term, score in zip(found.terms, scores[:, at].tolist(), strict=True)
                        if score
                    )
                ),
            )
            for at, hit in enumerate(hits)
        ]


def _retrieved(rank: int, hit: Hit) -> RetrievedPassage:
    passage = hit.passage
    return RetrievedPassage(
        rank=rank,
        score=hit.score,
        document=passage.document,
        path=passage.path,
        title=passage.title,
        date=passage.date,
        start=passage.start,
        end=passage.end,
        text=passage.text,
        line=passage.line,
        page=passage.page,
    )
