"""`localpers rollback`: undo a promotion."""

from __future__ import annotations

from typing import Annotated

import typer

from localpers.cli.console import Json, print_json, say


def rollback(
    context: typer.Context,
    to: Annotated[
        str | None, typer.Option(help="An earlier promoted run, or 'base'. Default: the last one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Undo a promotion: answer with the previous model again. Nothing is deleted."""
    from localpers.cli.unlocking import open_profile
    from localpers.runs import rollback as roll_back

    profile = open_profile(context)
    with profile.writing("rollback"):
        before = profile.promoted()
        now = roll_back(profile, to)
    if as_json:
        print_json({"promoted": now, "before": before})
        return
    say(f"Now answering: {_name(now)} (before: {_name(before)}).")


def _name(run: str | None) -> str:
    return f"run {run}" if run else "the base model"
