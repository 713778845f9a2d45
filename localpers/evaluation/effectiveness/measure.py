"""Measuring retrievers on a collection, query by query, so that an interrupted run goes on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from localpers.evaluation.bootstrap import Interval, difference_interval, mean_interval
from localpers.evaluation.effectiveness.collection import Collection
from localpers.evaluation.effectiveness.metrics import NAMES, scores_of
from localpers.evaluation.effectiveness.rankings import Rankings
from localpers.evaluation.results import Ledger

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Effectiveness:
    """One retriever on one set of queries. `metrics` by name, as fractions with their 95%
    interval; `reciprocal_ranks` in the order of the queries; `milliseconds` of a query, median.
    """

    metrics: Mapping[str, Interval]
    reciprocal_ranks: tuple[float, ...]
    milliseconds: float

    def gain_over(self, other: Effectiveness) -> Interval:
        """Of the mean reciprocal rank, paired by query."""
        return difference_interval(self.reciprocal_ranks, other.reciprocal_ranks)


def measure(
    collection: Collection,
    rankings: Rankings,
    names: Sequence[str],
    ledger: Ledger,
    on_progress: Progress | None = None,
) -> dict[str, Effectiveness]:
    """Every retriever of `names` on every query; what the ledger holds is not done again."""
    total = len(names) * len(collection.queries)
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    done = 0
    for name in names:
        for query in collection.queries:
            row = ledger.get((name, query.id))
            if row is None:
                started = time.perf_counter()
                ranking = rankings.of(name, query)
                milliseconds = 1e3 * (time.perf_counter() - started)
                row = scores_of(ranking, query.judgements) | {"ms": milliseconds}
                ledger.put((name, query.id), row)
            rows[name].append(row)
            done += 1
            if on_progress:
                on_progress(done, total)
    return {name: _summary(found) for name, found in rows.items()}


def _summary(rows: Sequence[Mapping[str, float]]) -> Effectiveness:
    return Effectiveness(
        metrics={name: mean_interval([row[name] for row in rows]) for name in NAMES},
        reciprocal_ranks=tuple(row["mrr"] for row in rows),
        milliseconds=statistics.median([row["ms"] for row in rows] or [0.0]),
    )
