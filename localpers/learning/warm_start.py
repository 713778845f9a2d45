"""Warm start: training begins with the adapter of an earlier run in place of a new one."""

from __future__ import annotations

from dataclasses import dataclass

from localpers.datatypes import ModelInfo
from localpers.learning.preparation import Prepared, TuneOptions
from localpers.profile import Profile
from localpers.runs import Origin, RunFolder, finished_runs
from localpers.tuning.recipe import Recipe

_SHAPING = ("method", "rank", "alpha", "targets", "layers")
"""The fields of a recipe that decide which weights there are, and what they mean."""


@dataclass(frozen=True, slots=True)
class WarmStart:
    """`inherited` are content hashes of all that the run's adapter learned from, `origins` where
    those documents came from: the new run has then learned from them too.
    """

    run: RunFolder
    inherited: tuple[str, ...]
    origins: tuple[Origin, ...]


def find_warm_start(profile: Profile, prepared: Prepared, options: TuneOptions) -> WarmStart | None:
    """The newest run whose adapter fits base and recipe and has learned from nothing that is held
    out now, which would be judged too well. None where there is none, or it is not wanted.
    """
    if not options.warm:
        return None
    unseen = frozenset(prepared.held_out)
    for run in finished_runs(profile):
        if not _fits(run, prepared.preflight.base, options.recipe):
            continue
        inherited = run.data().learned_from()
        if inherited.isdisjoint(unseen):
            origins = tuple(one for one in run.origins() if one.content_hash in inherited)
            return WarmStart(run, tuple(sorted(inherited)), origins)
    return None


def _fits(run: RunFolder, base: ModelInfo, recipe: Recipe) -> bool:
    record = run.record()
    if record.served is None or not run.peft_adapter.is_dir():
        return False
    if record.base_model.sha256 != base.sha256:
        return False
    theirs, ours = record.recipe, recipe.model_dump(mode="json")
    return all(theirs.get(name) == ours[name] for name in _SHAPING)
