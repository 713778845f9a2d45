"""`localpers forget`: remove documents from the index, the runs and the weights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import SHOWN_ID, Json, notice, print_json, say
from localpers.cli.durations import seconds_in
from localpers.cli.progress import ProgressLine, TerminalReporter

if TYPE_CHECKING:
    from localpers.privacy.forget import Affected, Plan
    from localpers.profile import Profile
    from localpers.runs.records import RunRecord

MAX_SHOWN = 20


def forget(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files and folders, including deleted ones.")
    ] = None,
    document: Annotated[
        list[str] | None,
        typer.Option(help="Id of one document in a file of many; --dry-run shows it."),
    ] = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Tune again if an adapter learned from them.")
    ] = False,
    budget: Annotated[
        str, typer.Option(help="Time for --retrain: 90s, 10m, 2h or 'none'.")
    ] = "10m",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Forget documents, and adapters that learned from them. Your own files are not changed."""
    started = time.monotonic()
    seconds = seconds_in(budget)
    if not paths and not document:
        raise typer.BadParameter("Specify files or folders, or --document ID.")
    from localpers.cli.unlocking import open_profile
    from localpers.privacy.forget import forget as carry_out
    from localpers.privacy.forget import plan
    from localpers.store import Store

    profile = open_profile(context)
    line = ProgressLine("forgetting")
    retrained: RunRecord | None = None
    with profile.writing("forget"):
        with profile.measuring("forget"), Store.open(profile) as store:
            planned = plan(profile, store, paths or [], document or [])
            try:
                if not dry_run:
                    carry_out(profile, store, planned, line.update)
            finally:
                line.clear()
        taken = time.monotonic() - started
        if not as_json:
            _tell(profile, planned, dry_run, taken)
        if retrain and not dry_run:
            retrained = _retrained(profile, planned.affected, seconds)
    if as_json:
        print_json(_document(profile, planned, retrained, taken))
    elif retrained:
        became = "answers now" if retrained.promoted else "was not promoted"
        say(f"Run {retrained.run}, trained without it, {became}: {retrained.reason}.")


def _retrained(profile: Profile, affected: tuple[Affected, ...], budget: float) -> RunRecord | None:
    """A new run like the one that answered, else like the newest that went."""
    from localpers.learning.flow import tune
    from localpers.learning.preparation import TuneOptions
    from localpers.tuning.recipe import Recipe

    if not affected:
        notice("No adapter learned from them: there is nothing to train again.")
        return None
    model = min(affected, key=lambda one: one.action != "demoted")
    notice("Forgotten. Retraining …")
    reporter = TerminalReporter()
    recipe = Recipe.of(dict(model.recipe))
    options = TuneOptions(model.base, recipe, budget=budget, warm=True)
    try:
        return tune(profile, options, reporter)
    finally:
        reporter.clear()


def _document(
    profile: Profile, planned: Plan, retrained: RunRecord | None, seconds: float
) -> dict[str, Any]:
    keys = {"run", "promoted", "reason", "warm_start"}
    return {
        "removed": len(planned.documents),
        "documents": [
            {
                "document": found.content_hash[:SHOWN_ID],
                "path": found.path,
                "title": found.title,
                "date": found.date,
            }
            for found in planned.documents
        ],
        "adapters": [{"run": one.run, "action": one.action} for one in planned.affected],
        "promoted": profile.promoted(),
        "retrained": retrained.model_dump(include=keys) if retrained else None,
        "seconds": round(seconds, 3),
    }


def _tell(profile: Profile, planned: Plan, dry_run: bool, seconds: float) -> None:
    for found in planned.documents[:MAX_SHOWN]:
        say(f"  {found.content_hash[:SHOWN_ID]}  {found.path}  {found.title}")
    if len(planned.documents) > MAX_SHOWN:
        say(f"  … and {len(planned.documents) - MAX_SHOWN} more (--json lists all)")
    gone = {origin.path for origin in planned.origins} - {one.path for one in planned.documents}
    if gone:
        files = "1 file that is" if len(gone) == 1 else f"{len(gone)} files that are"
        say(f"  {files} no longer indexed, but known to a run")
    count = len(planned.documents)
    documents, are = ("document", "is") if count == 1 else ("documents", "are")
    if dry_run:
        say(f"{count} {documents} would be forgotten; nothing was changed.")
    else:
        say(
            f"{count} {documents} {are} forgotten, in {seconds:.1f} s. "
            "Your own files were not changed."
        )
    would = "would " if dry_run else ""
    for one in planned.affected:
        if one.action == "abandoned":
            say(
                f"Run {one.run}, which was interrupted, {would}{'be' if dry_run else 'was'} "
                "removed: it contained them."
            )
        else:
            what = "lose its weights" if dry_run else "lost its weights"
            say(f"Run {one.run} learned from them: it {would}{what}.")
    if not dry_run and any(one.action == "demoted" for one in planned.affected):
        now = profile.promoted()
        say(f"Now answering: {f'run {now}' if now else 'the base model'}.")
    if not dry_run:
        notice("Copies elsewhere (export, eval --report, backups) are not removed.")
