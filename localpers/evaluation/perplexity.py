"""How surprised a served model is by text that it has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Negative log-likelihood of the completions given their prompts.

    `nll` is in nats per token, over all tokens; `by_example` holds (nats, tokens) of each example
    in order.
    """

    by_example: tuple[tuple[float, int], ...]

    @property
    def tokens(self) -> int:
        return sum(tokens for _, tokens in self.by_example)

    @property
    def nll(self) -> float:
        return sum(nats for nats, _ in self.by_example) / max(self.tokens, 1)

    @property
    def perplexity(self) -> float:
        """exp(nll) (Jelinek et al., 1977)."""
        return math.exp(self.nll)
