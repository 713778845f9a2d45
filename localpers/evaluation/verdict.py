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
SLOWER = 1.3
"""How much longer a candidate takes than the base, on average: an adapter costs time."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`metrics` holds base and candidates by name; `best` is the candidate to serve if any is,
    `winner` the same where it is better than the base, None where the base stays.
    """

    metrics: Mapping[str, Likelihood]
    best: str
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

    def report(name: str, total: int) -> Callable[[int], None]:
        return lambda done: on_progress(name, done, total) if on_progress else None

    deadline = time.monotonic() + seconds / (1 + SLOWER * len(candidates))
    first = measure(
        base,
        examples,
        deadline,
        fewest=FEWEST_EXAMPLES,
        on_progress=report("base", len(examples)),
    )
    used = examples[: len(first.by_example)]
    metrics = {"base": first}
    for name, served in candidates.items():
        metrics[name] = measure(served, used, on_progress=report(name, len(used)))
    return _decide(metrics)


def _decide(metrics: Mapping[str, Likelihood]) -> Verdict:
    base = metrics["base"]
    names = [name for name in metrics if name != "base"]
    lowest = min(metrics[name].nll for name in names)
    best = next(name for name in names if metrics[name].nll <= lowest + FASTER_IS_WORTH)
    if not base.tokens:
        return Verdict(metrics, best, None, "no held-out text fits the context window")
    figures = f"{metrics[best].perplexity:.2f} against the base's {base.perplexity:.2f}"
    if base.nll - metrics[best].nll > 0:
        number = len(base.by_example)
        reason = f"perplexity of {number} held-out texts is {figures}"
        return Verdict(metrics, best, best, reason)
    return Verdict(
        metrics, best, None, f"no better than the base: perplexity of held-out text is {figures}"
    )
