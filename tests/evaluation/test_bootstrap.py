"""Intervals cover what they should, pair what belongs together, and repeat to the digit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from localpers.evaluation.bootstrap import difference_interval, mean_interval, relative_interval

RANDOM = np.random.default_rng(3)
HARD = RANDOM.normal(5, 3, 60)


def test_an_interval_of_the_mean_has_about_the_width_of_theory() -> None:
    found = mean_interval(list(HARD))
    width = 2 * 1.96 * HARD.std() / 60**0.5
    assert found.value == pytest.approx(HARD.mean())
    assert found.high - found.low == pytest.approx(width, rel=0.15)
    assert found == mean_interval(list(HARD))


def test_pairing_shows_a_small_gain_that_every_group_has() -> None:
    better = list(HARD + 0.1 + RANDOM.normal(0, 0.05, 60))
    assert difference_interval(better, list(HARD)).low > 0
    assert mean_interval(better).low < mean_interval(list(HARD)).high


def test_no_difference_is_not_called_one() -> None:
    same = difference_interval(list(HARD), list(HARD))
    assert (same.value, same.low, same.high) == (0, 0, 0)
    noise = list(HARD + RANDOM.normal(0, 1, 60))
    found = difference_interval(noise, list(HARD))
    assert found.low <= 0 <= found.high


def test_weights_weigh_and_ratios_are_ratios() -> None:
    assert mean_interval([1, 3], [3, 1]).value == pytest.approx(1.5)
    found = relative_interval([3.0, 3.0], [2.0, 2.0])
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_nothing_measured_has_no_interval_and_does_not_fail() -> None:
    assert difference_interval([], []).value == 0 == relative_interval([0.0], [0.0]).low


def test_a_base_that_resamples_to_nothing_gives_bounds_and_no_warning() -> None:
    with np.errstate(all="raise"):
        found = relative_interval([1.0, 1.0, 1.0], [1.0, 0.0, 0.0])
        nothing = relative_interval([0.0, 1.0], [0.0, 0.0])
    assert found.value == pytest.approx(2) and found.low == 0 and found.high == math.inf
    assert nothing.value == math.inf and not math.isnan(nothing.low + nothing.high)
