"""Neutral text: has tuning cost the model its general ability?

A fixed English text on several topics, written for this purpose. A tuned model should find it about
as likely as its base does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from localpers.inference.engine import Engine

MARGIN = 0.10
"""The perplexity of neutral text may rise by this share of the base's."""
WINDOW = 512
"""Tokens read at once: what the smallest bases hold."""


@dataclass(frozen=True, slots=True)
class Likelihood:
    """(nats, tokens) of each text; `nll` is in nats per token, over all tokens."""

    parts: tuple[tuple[float, int], ...]

    @property
    def tokens(self) -> int:
        return sum(tokens for _, tokens in self.parts)

    @property
    def nll(self) -> float:
        return sum(nats for nats, _ in self.parts) / max(self.tokens, 1)

    @property
    def perplexity(self) -> float:
        """exp(nll) (Jelinek et al., 1977)."""
        return math.exp(self.nll)


@cache
def neutral_text() -> str:
    return files("localpers.evaluation").joinpath("neutral.txt").read_text(encoding="utf-8")


def neutral_likelihood(engine: Engine) -> Likelihood:
    """How likely the neutral text is to the model, as plain text without a chat template.

    Each paragraph is read by itself, its first token given.
    """
    found: list[tuple[float, int]] = []
    for paragraph in neutral_text().strip().split("\n\n"):
        tokens = engine.tokenizer.encode(paragraph, bos=True)[: min(WINDOW, engine.n_ctx)]
        engine.forget()
        logs = engine.log_likelihood(tokens[:1], tokens[1:])
        found.append((-float(logs.sum()), len(tokens) - 1))
    return Likelihood(tuple(found))


def rise(tuned: Likelihood, base: Likelihood) -> float:
    """How much higher the tuned model's perplexity is, as a share of the base's."""
    return tuned.perplexity / base.perplexity - 1
