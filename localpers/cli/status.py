"""`localpers status`: the index, the runs and the promoted model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from localpers.cli.console import Json, notice, print_json, say
from localpers.cli.unlocking import open_profile
from localpers.errors import LocalpersError

if TYPE_CHECKING:
    from localpers.profile import Profile
    from localpers.store import Store


MAX_GONE_SHOWN = 3


def status(context: typer.Context, as_json: Json = False) -> None:
    """Show the index, the tuning runs and the model in use."""
    profile = open_profile(context)
    state = _state(profile)
    if as_json:
        print_json(state)
        return
    index = state["index"]
    lock = ", encrypted" if state["encrypted"] else ""
    say(f"Profile {profile.name} in {profile.root} ({state['bytes'] / 1e6:,.0f} MB{lock})")
    shares = ", ".join(
        f"{name or 'unsure'} {share:.0%}" for name, share in index["languages"].items()
    )
    say(
        f"  {index['documents']} documents in {index['passages']} passages"
        + (f" · languages: {shares}" if shares else "")
    )
    if state["vectors"]:
        say(_vectors_line(state["vectors"]))
    if index["skipped"]:
        say(f"  {index['skipped']} files could not be read ('localpers ingest' lists them)")
    answers = f"run {state['promoted']}" if state["promoted"] else "the base model"
    say(f"  Answering: {answers} · base: {state['base'] or 'not chosen yet'}")
    for run in state["runs"]:
        mark = "*" if run["run"] == state["promoted"] else " "
        reason = "forgotten: weights removed" if run["tainted"] else run["reason"]
        say(f"  {mark} {run['run']}  {run['base']}  {run['examples']} examples  {reason}")
        if run["gone"]:
            say(_gone_line(run["gone"]))
    if state["interrupted"] and state["writing"]:
        say(f"  Run {state['interrupted']} is in progress.")
    elif state["interrupted"]:
        say(
            f"  Run {state['interrupted']} was interrupted: 'localpers tune --resume' continues it."
        )
    from localpers.cli.next_step import next_step

    say(f"Next: {next_step(profile.name)}")


def _gone_line(paths: list[str]) -> str:
    """A deleted file is not forgotten: the adapter has still learned from it."""
    names = ", ".join(paths[:MAX_GONE_SHOWN]) + (" …" if len(paths) > MAX_GONE_SHOWN else "")
    files = "a file" if len(paths) == 1 else f"{len(paths)} files"
    return (
        f"      It learned from {files} deleted since ('localpers forget PATH' removes it): {names}"
    )


def _vectors_line(vectors: dict[str, Any]) -> str:
    line = (
        f"  Vectors: {vectors['encoder']}, {vectors['embedded']} of {vectors['passages']} passages"
    )
    if vectors["auto"]:
        return f"{line} · auto uses them"
    reason = "the encoder is missing, or not made for your notes' language"
    return f"{line} · auto does not use them: {reason}"


def _vectors(store: Store) -> dict[str, Any] | None:
    from localpers.embedding import encoder_for_notes
    from localpers.retrieval.dense import encoder_note

    noted = encoder_note(store)
    if noted is None:
        return None
    embedded = store.vectors.count()
    return {
        "encoder": noted.name,
        "embedded": embedded,
        "passages": embedded + store.vectors.missing(),
        "auto": encoder_for_notes(store) is not None,
    }


def _state(profile: Profile) -> dict[str, Any]:
    from localpers.privacy.forget import gone
    from localpers.runs import finished_runs, interrupted_run
    from localpers.store import Store

    with Store.open(profile) as store:
        totals = store.documents.totals()
        shares = store.documents.language_shares()
        vectors = _vectors(store)
        runs = {}
        for folder in finished_runs(profile):
            try:
                runs[folder] = folder.record()
            except LocalpersError as error:
                notice(str(error))
        learned_from_gone = gone(store, runs)
    unfinished = interrupted_run(profile)
    return {
        "profile": profile.name,
        "path": str(profile.root),
        "encrypted": profile.vault is not None,
        "bytes": sum(file.stat().st_size for file in profile.root.rglob("*") if file.is_file()),
        "index": {
            "documents": totals.documents,
            "passages": totals.passages,
            "files": totals.files,
            "skipped": totals.skipped,
            "languages": dict(sorted(shares.items(), key=lambda item: -item[1])),
        },
        "vectors": vectors,
        "base": profile.base(),
        "promoted": profile.promoted(),
        "runs": [
            {
                "run": folder.id,
                "created": run.created,
                "base": run.base,
                "method": run.method,
                "examples": run.examples,
                "promoted": folder.id == profile.promoted(),
                "reason": run.reason,
                "tainted": run.tainted,
                "gone": learned_from_gone[folder.id],
            }
            for folder, run in runs.items()
        ],
        "interrupted": unfinished.id if unfinished else None,
        "writing": profile.is_being_written(),
    }
