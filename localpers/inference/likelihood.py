"""Zero-shot reranking by query likelihood: would this passage make one ask that question?

The score is mean ln p(query token | passage, instruction) under the base model (UPR: Sachan et
al., Improving Passage Retrieval with Zero-Shot Question Generation, EMNLP 2022; the query
likelihood model is Ponte & Croft's, SIGIR 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from localpers.datatypes import Message, RetrievedPassage
from localpers.inference.engine import Engine

INSTRUCTION = "Please write a question based on this passage."
"""UPR's own words."""
LONGEST_PASSAGE = 256
LONGEST_QUERY = 64
"""Tokens, beyond which both are cut."""


class QueryLikelihood:
    """A reranker over an open Engine, judged by the base: an adapter learned to answer, not to ask.

    `on_progress` gets (passages judged, passages in all).
    """

    def __init__(
        self, engine: Engine, on_progress: Callable[[int, int], None] | None = None
    ) -> None:
        self._engine = engine
        self._on_progress = on_progress

    def scores(self, query: str, passages: Sequence[RetrievedPassage]) -> list[float]:
        """Nats per token of the query, at most 0; one pass over each passage."""
        tokenizer = self._engine.tokenizer
        asked = tokenizer.encode(query.strip())[:LONGEST_QUERY]
        if not asked:
            return [0.0] * len(passages)
        scores: list[float] = []
        for passage in passages:
            scores.append(self._score(tokenizer.decode(asked), passage))
            if self._on_progress:
                self._on_progress(len(scores), len(passages))
        return scores

    def _score(self, query: str, passage: RetrievedPassage) -> float:
        tokenizer = self._engine.tokenizer
        text = tokenizer.decode(tokenizer.encode(passage.text)[:LONGEST_PASSAGE]).strip()
        prompt = f"Passage: {passage.title}\n{text}\n\n{INSTRUCTION}"
        ids = tokenizer.example_ids((Message("user", prompt), Message("assistant", query)))
        words = [token for token in ids.completion if token not in tokenizer.end_of_generation]
        room = max(1, self._engine.n_ctx - len(words))
        # The instruction stands last, so that of a prompt too long its beginning goes.
        return float(self._engine.log_likelihood(ids.prompt[-room:], words, adapted=False).mean())
