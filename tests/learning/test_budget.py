"""A run's time is shared so that there is something to judge, and time to judge it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.learning.budget import LEAST_TRAINING_SECONDS, VERDICT_SHARE, Budget
from localpers.tuning.recipe import Recipe

FAST = Budget(600.0, Recipe(), parameters=135_000_000, seconds_per_token=1e-4)


def test_a_fast_machine_trains_for_all_that_the_verdict_cannot_use() -> None:
    assert FAST.verdict < VERDICT_SHARE * FAST.seconds
    left = FAST.seconds - FAST.conversion - FAST.verdict
    assert FAST.training(spent=20.0) == pytest.approx(left - 20.0)


def test_on_a_slow_machine_training_keeps_half_of_what_it_shares_with_the_verdict() -> None:
    slow = replace(FAST, seconds=360.0, seconds_per_token=0.06)
    shared = slow.seconds - slow.conversion - 30.0
    assert slow.verdict > shared / 2 > LEAST_TRAINING_SECONDS
    assert slow.training(spent=30.0) == pytest.approx(shared / 2)


@given(st.floats(1, 7200), st.floats(1e-6, 1), st.booleans(), st.floats(0, 7200))
def test_there_is_always_some_training_and_no_more_than_is_left(
    seconds: float, per_token: float, through_prompts: bool, spent: float
) -> None:
    budget = Budget(seconds, Recipe(prompt_gradients=through_prompts), 135_000_000, per_token)
    left = seconds - spent - budget.conversion
    training = budget.training(spent)
    assert LEAST_TRAINING_SECONDS <= training <= max(LEAST_TRAINING_SECONDS, left)
