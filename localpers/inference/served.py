"""Which files answer: the promoted run, one that was asked for, or a base alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from localpers.datatypes import ModelInfo, ServedModel
from localpers.encryption.vault import fetch
from localpers.errors import LocalpersError, ModelNotFound, UnsupportedModel
from localpers.profile import Profile
from localpers.runs import RunFolder, find_run
from localpers.weights import catalog
from localpers.weights.adapter import check_base

if TYPE_CHECKING:
    from localpers.runs.records import RunServed


def served_model(
    profile: Profile,
    run: str | None = None,
    use_adapter: bool = True,
    base: str | None = None,
    unmerged: bool = False,
) -> ServedModel:
    """What answers for `profile`: `run`, else the promoted run, else a base.

    Without `use_adapter` it is the run's base as it was before tuning; `base` names a base to use
    alone; `unmerged` asks for the run's base and adapter also where a merged model would answer.
    Raises RunNotFound, ModelNotFound and WrongBase, and LocalpersError for a damaged run.
    """
    run = run or profile.promoted()
    if base is not None or run is None:
        model = catalog.find(base) if base is not None else _default_base(profile)
        if model.embeds:
            raise UnsupportedModel(
                f"{model.name} is an embedding model, which writes no text: name another by --base."
            )
        return ServedModel(model, model.path)
    folder = find_run(profile, run)
    base_name, served = _answering(folder)
    if not use_adapter:
        model = catalog.find(base_name)
        return ServedModel(model, model.path)
    return _tuned(folder, base_name, served, unmerged)


def _answering(folder: RunFolder) -> tuple[str, RunServed]:
    """(name of the base, what is served). Raises LocalpersError for a run that cannot answer."""
    run, record = folder.id, folder.record()
    if record.served is not None:
        return record.base_model.name, record.served
    if record.tainted:
        raise LocalpersError(
            f"Run '{run}' learned from a document that was forgotten, and its weights are gone: "
            "choose another run ('localpers status' lists them), or tune again."
        )
    raise LocalpersError(
        f"Run '{run}' made no model that can answer: ask with --base NAME, or tune again."
    )


def _tuned(folder: RunFolder, base_name: str, served: RunServed, unmerged: bool) -> ServedModel:
    if unmerged and not fetch(folder.adapter).is_file():
        raise LocalpersError(
            f"Run '{folder.id}' is served merged only, by its method: ask without --contrast."
        )
    adapter_name = folder.adapter.name if unmerged else served.adapter
    adapter = fetch(folder.path / adapter_name) if adapter_name else None
    merged = fetch(folder.path / served.model) if served.model and not unmerged else None
    for path in (adapter, merged):
        if path is not None and not path.is_file():
            raise ModelNotFound(
                f"The run's file {path} is gone: choose another run, or tune again."
            )
    base = _recorded_base(base_name, merged)
    if adapter is not None:
        check_base(adapter, base)
    return ServedModel(
        base=base,
        model=merged or base.path,
        adapter=adapter,
        adapter_scale=served.scale,
        run=folder.id,
        passages=served.passages,
        base_reads_prompt=served.activated,
    )


def _recorded_base(name: str, merged: Path | None) -> ModelInfo:
    try:
        return catalog.find(name)
    except ModelNotFound:
        if merged is None:
            raise
        # A merged model is whole: it answers after its base was removed.
        return replace(catalog.describe(merged), name=name, installed=False)


def _default_base(profile: Profile) -> ModelInfo:
    """The base last tuned on, else the catalog's first, else the only one there is."""
    starter = catalog.catalog()[0].name
    try:
        return catalog.find(profile.base() or starter)
    except ModelNotFound:
        if profile.base():
            raise
        there = [model for model in catalog.installed() if not model.embeds]
        if len(there) == 1:
            return there[0]
        if not there:
            raise
    names = ", ".join(model.name for model in there)
    raise ModelNotFound(f"Several base models are installed ({names}): name one with --base.")
