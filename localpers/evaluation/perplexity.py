"""How surprised a served model is by text that it has not seen."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from localpers.datatypes import Example, ServedModel
from localpers.errors import LocalpersError
from localpers.inference.engine import Engine


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


def measure(
    served: ServedModel,
    examples: Sequence[Example],
    deadline: float = math.inf,
    *,
    fewest: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> Likelihood:
    """The likelihood of the examples' last messages under the very files that would answer.

    Stops after the example during which `deadline` (time.monotonic) passes, but not before
    `fewest` were measured; an example that does not fit the context window counts as (0, 0).
    """
    found: list[tuple[float, int]] = []
    with Engine.open(served) as engine:
        for number, example in enumerate(examples):
            if number >= fewest and time.monotonic() >= deadline:
                break
            ids = engine.tokenizer.example_ids(example.messages)
            try:
                logs = engine.log_likelihood(ids.prompt, ids.completion)
            except LocalpersError:
                found.append((0.0, 0))
                continue
            found.append((-float(logs.sum()), len(ids.completion)))
            if on_progress:
                on_progress(number + 1)
    return Likelihood(tuple(found))
