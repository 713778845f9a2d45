"""What a step learns from follows from seed and step alone."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.datatypes import TokenizedExample
from localpers.tuning.recipe import Recipe
from localpers.tuning.schedule import (
    Costs,
    learning_rate,
    micro_batches,
    steps,
    steps_in_epochs,
    steps_in_seconds,
)

PAIRS = st.lists(
    st.builds(
        lambda prompt, completion: TokenizedExample((1,) * prompt, (2,) * completion),
        st.integers(1, 60),
        st.integers(1, 60),
    ),
    min_size=1,
    max_size=20,
)


def length(example: TokenizedExample) -> int:
    return len(example.prompt) + len(example.completion)


@given(PAIRS, st.integers(1, 300), st.integers(0, 3))
def test_two_epochs_show_every_example_twice_in_steps_of_like_size(
    pairs: list[TokenizedExample], batch: int, seed: int
) -> None:
    recipe = Recipe(batch_tokens=batch, epochs=2, seed=seed)
    total = steps_in_epochs(pairs, recipe)
    taken = list(islice(steps(pairs, recipe), total))
    seen = Counter(index for step in taken for index in step)
    # The last step may reach into a third pass; without it the second is not complete.
    assert len(seen) == len(pairs) and min(seen.values()) >= 2
    assert seen.total() - len(taken[-1]) < 2 * len(pairs)
    (number,) = {len(step) for step in taken}
    mean = sum(map(length, pairs)) / len(pairs)
    assert number == 1 or number * mean <= batch + 1e-6
    assert (number + 1) * mean > batch - 1e-6
    assert taken == list(islice(steps(pairs, recipe), total))


@given(PAIRS, st.integers(1, 300), st.integers(0, 300))
def test_micro_batches_hold_the_step_once_and_keep_the_limits(
    pairs: list[TokenizedExample], most: int, padding: int
) -> None:
    step = next(steps(pairs, Recipe(batch_tokens=500)))
    groups = micro_batches(step, pairs, most, padding, length)
    chosen = [pairs[index] for index in step]
    assert Counter(e for group in groups for e in group) == Counter(chosen)
    for group in groups:
        computed = len(group) * max(map(length, group))
        assert computed <= most or len(group) == 1
        assert computed - sum(map(length, group)) <= padding


def test_answers_are_grouped_by_their_own_length() -> None:
    pairs = [TokenizedExample((1,) * 100, (2,) * n) for n in (10, 100, 12)]
    step = next(steps(pairs, Recipe(batch_tokens=sum(map(length, pairs)))))
    groups = micro_batches(step, pairs, 300, 48, lambda example: len(example.completion))
    assert [[len(e.completion) for e in group] for group in groups] == [[10, 12], [100]]


@given(PAIRS, st.floats(0, 50))
def test_steps_fit_the_time_and_the_epochs(pairs: list[TokenizedExample], seconds: float) -> None:
    recipe = Recipe(batch_tokens=64)
    again = tuple(0.1 * length(pair) for pair in pairs)
    first = tuple(3 * cost for cost in again)
    count = steps_in_seconds(pairs, recipe, seconds, Costs(first, again))
    assert 1 <= count <= steps_in_epochs(pairs, recipe)
    order = [index for step in islice(steps(pairs, recipe), count) for index in step]
    spent = sum(first[n] for n in order[: len(pairs)]) + sum(again[n] for n in order[len(pairs) :])
    assert count == 1 or spent <= seconds + 1e-6
    if count < steps_in_epochs(pairs, recipe):
        one_more = list(islice(steps(pairs, recipe), count + 1))[-1]
        seen = len(order)
        spent += sum((first if seen + n < len(pairs) else again)[i] for n, i in enumerate(one_more))
        assert spent > seconds - 1e-6


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0, 1))
def test_the_rate_rises_to_its_peak_and_falls(total: int, warmup: float, final: float) -> None:
    recipe = Recipe(warmup=warmup, learning_rate=1e-3, final_rate=final)
    rates = [learning_rate(step, total, recipe) for step in range(total)]
    peak = rates.index(max(rates))
    assert max(rates) == pytest.approx(1e-3)
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[-1] >= final * 1e-3 * 0.999 or total == 1
    if max(1, round(total * warmup)) < total:
        assert learning_rate(total, total, recipe) == pytest.approx(final * 1e-3)
