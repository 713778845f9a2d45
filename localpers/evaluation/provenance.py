"""What an evaluation depends on, for its settings, and what earlier runs reached."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from localpers.datatypes import ServedModel
from localpers.evaluation.conditions import RETRIEVERS, Condition
from localpers.evaluation.results import GrowthPoint
from localpers.profile import Profile
from localpers.retrieval.analysis import VERSION as ANALYSIS
from localpers.retrieval.dense import encoder_note
from localpers.retrieval.retriever import Retriever
from localpers.retrieval.retrievers import need_vectors
from localpers.runs import finished_runs
from localpers.runs.records import RunRecord
from localpers.store import Store


def retrieval_settings(
    store: Store, retriever: Retriever, conditions: Sequence[Condition]
) -> dict[str, Any]:
    """What decides, besides the documents, which passages are found."""
    retrievers = {condition.retriever for condition in conditions}
    by_vectors = need_vectors(name for name in retrievers if name in RETRIEVERS)
    noted = encoder_note(store)
    used = by_vectors or ("auto" in retrievers and retriever.auto_is_hybrid)
    return {
        "analysis": ANALYSIS,
        "auto": "hybrid" if retriever.auto_is_hybrid else "words",
        "encoder": noted.sha256 if noted and used else None,
    }


def growth(profile: Profile) -> Iterator[GrowthPoint]:
    """Of each finished run that has these figures, oldest first."""
    for folder in reversed(finished_runs(profile)):
        run = folder.record()
        if run.metrics is not None and run.metrics.base.nll:
            gain = 1 - run.metrics.tuned.nll / run.metrics.base.nll
            yield GrowthPoint(folder.id, run.base, len(run.data.learned), run.tokens, gain)


def fingerprint(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def fingerprint_of(served: ServedModel | None, record: RunRecord | None) -> str | None:
    """The recorded SHA-256 of the run's file that answers."""
    if served is None:
        return None
    name = (served.adapter or served.model).name
    known = record.files.get(name) if record else None
    return known.sha256 if known else name
