"""What rankings are worth against judgements, by ir-measures (MacAvaney et al., 2022)."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from localpers.bench.retrieval.collection import Query
from localpers.errors import LocalpersError
from localpers.evaluation.bootstrap import Interval, mean_interval

MEASURES = {"ndcg@10": "nDCG@10", "recall@100": "R@100", "mrr": "RR"}
"""Our names → those of ir-measures."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ids, best first, and the time that finding them took."""

    ids: Sequence[str]
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Effectiveness:
    """One retriever on one set of queries: measures as fractions, the median time of a query."""

    metrics: Mapping[str, Interval]
    milliseconds: float


def ir_measures() -> Any:
    """The library. Raises LocalpersError where it is not installed."""
    try:
        import ir_measures as library
    except ImportError as error:
        raise LocalpersError(
            "Retrieval is measured by ir-measures: run \"pip install 'localpers[bench]'\"."
        ) from error
    return library


def effectiveness(queries: Sequence[Query], rankings: Sequence[Ranking]) -> Effectiveness:
    """Means with 95% intervals by bootstrap over queries; `rankings` are in their order."""
    by_query = scores(queries, rankings)
    return Effectiveness(
        {name: mean_interval([row[name] for row in by_query]) for name in MEASURES},
        statistics.median([ranking.milliseconds for ranking in rankings] or [0.0]),
    )


def scores(queries: Sequence[Query], rankings: Sequence[Ranking]) -> list[dict[str, float]]:
    """Each measure of each query, 0 where nothing is relevant or found."""
    library = ir_measures()
    measures = {library.parse_measure(theirs): ours for ours, theirs in MEASURES.items()}
    qrels = {
        str(at): {id: max(grade, 0) for id, grade in query.judgements.items()}
        for at, query in enumerate(queries)
    }
    run = {
        str(at): {id: float(-rank) for rank, id in enumerate(ranking.ids)}
        for at, ranking in enumerate(rankings)
    }
    found = [dict.fromkeys(MEASURES, 0.0) for _ in queries]
    for metric in library.iter_calc(list(measures), qrels, run) if queries else ():
        found[int(metric.query_id)][measures[metric.measure]] = float(metric.value)
    return found
