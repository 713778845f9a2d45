"""The verdict: is a tuned model better than its base on the person's own held-out writing?

First form: the negative log-likelihood of held-out text, with retrieved passages in the prompt as
`ask` puts them there, on the very files that would be served.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from localpers.datatypes import Example, ServedModel
from localpers.evaluation.perplexity import Likelihood, measure

FASTER_IS_WORTH = 0.01
"""Nats per token for which the merged file is preferred to base + adapter: it reads prompts and
writes a good deal faster."""
FEWEST_EXAMPLES = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """`metrics` holds base and candidates by name; `winner` is None where the base stays."""

    metrics: Mapping[str, Likelihood]
    winner: str | None
    reason: str


def judge(
    base: ServedModel,
    candidates: Mapping[str, ServedModel],
    examples: Sequence[Example],
    seconds: float = math.inf,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> Verdict:
    """Compare the candidates (in order of preference) with the base on the same examples.

    As many examples are used as fit into `seconds`, which are shared equally among the models.
    """

    def show(name: str) -> Callable[[int], None] | None:
        if on_progress is None:
            return None
        report = on_progress
        return lambda done: report(name, done, len(examples))

    share = seconds / (1 + len(candidates))
    used = list(examples[:FEWEST_EXAMPLES])
    first = measure(base, examples, time.monotonic() + share, show("base"))
    if len(first.by_example) > len(used):
        used = list(examples[: len(first.by_example)])
    elif len(first.by_example) < len(used):
        first = measure(base, used, on_progress=show("base"))
    metrics = {"base": first}
    for name, served in candidates.items():
        metrics[name] = measure(served, used, on_progress=show(name))
    return _decide(metrics)


def _decide(metrics: Mapping[str, Likelihood]) -> Verdict:
    base = metrics["base"]
    if not base.tokens:
        return Verdict(metrics, None, "there is no held-out text that fits the context window")
    names = [name for name in metrics if name != "base"]
    best = min(metrics[name].nll for name in names)
    winner = next(name for name in names if metrics[name].nll <= best + FASTER_IS_WORTH)
    gain = base.nll - metrics[winner].nll
    if not gain > 0:
        return Verdict(
            metrics,
            None,
            f"the tuned model is no better than the base on held-out text "
            f"(perplexity {metrics[winner].perplexity:.2f} against {base.perplexity:.2f})",
        )
    return Verdict(
        metrics,
        winner,
        f"perplexity of held-out text fell from {base.perplexity:.2f} "
        f"to {metrics[winner].perplexity:.2f}",
    )
