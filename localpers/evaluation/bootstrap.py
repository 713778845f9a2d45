"""Confidence intervals by the paired percentile bootstrap (Efron & Tibshirani, 1993, chapter 13).

Groups (documents or questions) are resampled whole, and two conditions are always compared on the
same sample. Seeded: a result repeats to the digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SAMPLES = 4000
CONFIDENCE = 0.95

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the bounds of its confidence interval, in the unit of what is measured."""

    value: float
    low: float
    high: float


def mean_interval(values: Sequence[float], weights: Sequence[float] | None = None) -> Interval:
    """Of the mean of `values`, one per group; `weights` (tokens, say) weigh the groups."""
    return _interval(*_resampled([values], weights))


def difference_interval(
    ours: Sequence[float], theirs: Sequence[float], weights: Sequence[float] | None = None
) -> Interval:
    """Of mean(ours) − mean(theirs), paired by group."""
    points, samples = _resampled([ours, theirs], weights)
    return _interval(points[:1] - points[1:], samples[:1] - samples[1:])


def relative_interval(ours: Sequence[float], theirs: Sequence[float]) -> Interval:
    """Of mean(ours) / mean(theirs) − 1, paired by group.

    A bound is infinite where that many samples have nothing of theirs but something of ours, and
    so is the value where all of theirs is zero; of nothing on both sides it is 0. Never NaN.
    """
    points, samples = _resampled([ours, theirs], None)
    return _interval(_change(points), _change(samples))


def _change(means: Array) -> Array:
    """ours / theirs − 1 of means [ours and theirs, n], as [1, n]."""
    ours, theirs = means[:1], means[1:]
    without = np.where(ours == 0, 1.0, np.inf)
    return np.divide(ours, theirs, out=without, where=theirs != 0) - 1


def _resampled(
    series: Sequence[Sequence[float]], weights: Sequence[float] | None
) -> tuple[Array, Array]:
    """Weighted means of each series, as they are [series] and resampled [series, SAMPLES]."""
    values = np.asarray(series, np.float64)
    groups = values.shape[1]
    if not groups:
        return np.zeros(len(series)), np.zeros((len(series), 1))
    weight = np.ones(groups) if weights is None else np.asarray(weights, np.float64)
    drawn = np.random.default_rng(0).integers(0, groups, (SAMPLES, groups))
    counts = np.apply_along_axis(np.bincount, 1, drawn, minlength=groups)
    shares = counts * weight
    totals = np.maximum(shares.sum(axis=1), np.finfo(float).tiny)
    points = values @ weight / max(float(weight.sum()), np.finfo(float).tiny)
    return points, (values @ shares.T) / totals


def _interval(points: Array, samples: Array) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    # Bounds are samples themselves: between infinite ones there is nothing to interpolate.
    low = np.quantile(samples[0], tail, method="lower")
    high = np.quantile(samples[0], 1 - tail, method="higher")
    return Interval(float(points[0]), float(low), float(high))
