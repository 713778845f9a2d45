"""What each optimizer step learns from, and how fast: decided by seed and step alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from localpers.datatypes import TokenizedExample
from localpers.tuning.recipe import Recipe

Step = tuple[int, ...]
"""Indices of the examples of one optimizer step."""


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds per token: of those that are learned through, and of those that are only read."""

    learned: float
    read: float


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds that each example takes, in the first pass over them and in later ones."""

    first: tuple[float, ...]
    again: tuple[float, ...]


def steps(examples: Sequence[TokenizedExample], recipe: Recipe) -> Iterator[Step]:
    """The steps, without end: pass after pass over the examples, each in an order of its own.

    All take so many examples that the mean step has at most `recipe.batch_tokens`, at least one,
    and may reach from one pass into the next.
    """
    lengths = [example.length for example in examples]
    number = max(1, recipe.batch_tokens * len(lengths) // sum(lengths))
    coming = _passes(len(examples), recipe.seed)
    while True:
        yield tuple(itertools.islice(coming, number))


def _passes(examples: int, seed: int) -> Iterator[int]:
    """The indices of one pass after another."""
    for epoch in itertools.count():
        order = list(range(examples))
        Random(f"{seed}:{epoch}").shuffle(order)
        yield from order


def steps_in_epochs(examples: Sequence[TokenizedExample], recipe: Recipe) -> int:
    """How many steps `recipe.epochs` passes over the examples take."""
    wanted = recipe.epochs * len(examples)
    seen = count = 0
    for step in steps(examples, recipe):
        count += 1
        seen += len(step)
        if seen >= wanted:
            break
    return count


def completion_tokens_per_step(examples: Sequence[TokenizedExample], recipe: Recipe) -> float:
    """In the mean of all steps."""
    learned = recipe.epochs * sum(len(example.completion) for example in examples)
    return learned / steps_in_epochs(examples, recipe)


def steps_in_seconds(
    examples: Sequence[TokenizedExample], recipe: Recipe, seconds: float, costs: Costs
) -> int:
    """How many steps fit into `seconds`, at least one and at most what the epochs take."""
    most = steps_in_epochs(examples, recipe)
    spent, count, seen = 0.0, 0, 0
    for step in steps(examples, recipe):
        for index in step:
            spent += (costs.first if seen < len(examples) else costs.again)[index]
            seen += 1
        if count == most or (count and spent > seconds):
            break
        count += 1
    return count


def learning_rate(step: int, total: int, recipe: Recipe) -> float:
    """Linear warmup, then half a cosine from `recipe.learning_rate` to `recipe.final_rate` of it,
    for step 0 … total - 1.
    """
    warmup = max(1, round(total * recipe.warmup))
    if step < warmup:
        return recipe.learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return recipe.learning_rate * (recipe.final_rate + (1 - recipe.final_rate) * cosine)


def micro_batches(
    step: Step,
    examples: Sequence[TokenizedExample],
    most_tokens: int,
    most_padding: float,
    width: Callable[[TokenizedExample], int],
) -> list[list[TokenizedExample]]:
    """The step's examples by length, in groups of at most `most_tokens` tokens, padding counted,
    and with at most `most_padding` of it; `width` tells how many tokens of an example are computed
    together with those of others.
    """
    groups: list[list[TokenizedExample]] = []
    filled = 0
    for example in sorted((examples[index] for index in step), key=width):
        computed = (len(groups[-1]) + 1) * width(example) if groups else 0
        filled += width(example)
        if groups and computed <= most_tokens and computed - filled <= most_padding:
            groups[-1].append(example)
        else:
            groups.append([example])
            filled = width(example)
    return groups
