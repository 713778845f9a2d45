"""`localpers bench lamp`: the LaMP protocol, by shares if wanted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, notice, print_json, say
from localpers.cli.durations import seconds_in
from localpers.cli.progress import ProgressLine, duration

if TYPE_CHECKING:
    from localpers.bench.lamp.run import Outcome
    from localpers.bench.lamp.summary import Measured, Summary
    from localpers.evaluation.bootstrap import Interval


def lamp(
    context: typer.Context,
    place: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="Holds questions and outputs.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="LaMP_1 … LaMP_7 (default: what the outputs name).")
    ] = None,
    users: Annotated[int, typer.Option(min=0, help="The first N users; 0 for all.")] = 0,
    conditions: Annotated[
        str, typer.Option(help="Names separated by commas; 'chosen' is one more.")
    ] = "base,rag,peft,rag+peft",
    base: Annotated[str | None, typer.Option(help="The base model.")] = None,
    budget: Annotated[str, typer.Option(help="Time to train one user's adapter: 60s, 2m.")] = "60s",
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in TOML.")] = None,
    k: Annotated[int, typer.Option("-k", min=1, help="Items of the profile in a prompt.")] = 4,
    contrast: Annotated[
        float,
        typer.Option(min=0, max=2, help="Weight of the base against a tuned text; 0: off."),
    ] = 0.5,
    device: Annotated[str, typer.Option(help="cuda, mps, xpu, cpu or auto.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    jobs: Annotated[int, typer.Option(min=0, help="Processes; 0 for as many as fit.")] = 0,
    results: Annotated[
        Path | None, typer.Option(help="Where the predictions go (default: below the home).")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(metavar="I/N", help="One of N shares of the users.")
    ] = None,
    merge: Annotated[
        Path | None, typer.Option(metavar="RESULTS", help="Sum up the shards in this folder.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Start over.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the users' adapters.")] = False,
    as_json: Json = False,
) -> None:
    """The LaMP protocol: the base, retrieval, an adapter per user, and both, on the same questions.

    An interrupted run continues when the same command is given again. Docs: docs/lamp.md
    """
    limit = seconds_in(budget, default_unit="s")
    if (place is None) == (merge is None):
        raise typer.BadParameter("Name either a folder with questions, or --merge RESULTS.")

    from localpers.bench.lamp import run

    if merge is not None:
        outcome = run.merge(merge)
    else:
        from localpers.bench.lamp.context import RECIPE, conditions_named
        from localpers.cli.unlocking import open_profile
        from localpers.inference.served import served_model
        from localpers.tuning.recipe import Recipe

        assert place is not None
        request = run.Request(
            place=place,
            task=task,
            users=users,
            conditions=conditions_named(conditions),
            base=served_model(open_profile(context), use_adapter=False, base=base).base,
            recipe=Recipe.load(recipe) if recipe else RECIPE,
            k=k,
            contrast=contrast,
            budget=limit,
            seed=seed,
            device=device,
            jobs=jobs,
            results=results,
            again=again,
            keep=keep,
            shard=_shard(shard) if shard else None,
        )
        line = ProgressLine("Answers")
        try:
            outcome = run.run(request, line.update)
        finally:
            line.clear()
    if as_json:
        print_json(_document(outcome))
    else:
        _say(outcome)


def _shard(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise typer.BadParameter(f"'{text}' is no share: write 3/64 for the third of 64.")
    return int(found[1]), int(found[2])


def _document(outcome: Outcome) -> dict[str, Any]:
    summary = outcome.summary
    return {
        "task": summary.task.name,
        "users": summary.users,
        "questions": summary.questions,
        "conditions": {
            name: _condition_document(found) for name, found in summary.conditions.items()
        },
        "losses": [
            {
                "user": loss.user,
                "condition": loss.condition,
                "questions": loss.questions,
                "change": _interval_document(loss.change),
            }
            for loss in summary.losses
        ],
        "results": str(outcome.results),
        "adapters": str(outcome.adapters) if outcome.adapters else None,
        "seconds": outcome.seconds,
    }


def _condition_document(found: Measured) -> dict[str, Any]:
    return {
        **{name: round(value, 5) for name, value in found.metrics.items()},
        "interval": {
            name: [round(i.low, 5), round(i.high, 5)] for name, i in found.intervals.items()
        },
        "relative": {name: _interval_document(i) for name, i in found.relative.items()},
    }


def _interval_document(found: Interval) -> dict[str, float]:
    return {
        "value": round(found.value, 5),
        "low": round(found.low, 5),
        "high": round(found.high, 5),
    }


def _say(outcome: Outcome) -> None:
    summary = outcome.summary
    say(f"{summary.task.name}: {summary.users} users, {summary.questions} questions")
    names = [*summary.task.metrics, "nll"]
    width = max(len(name) for name in summary.conditions) + 2
    say(" " * width + "".join(f"{name:>24}" for name in names))
    for name, found in summary.conditions.items():
        cells = "".join(f"{_cell(metric, found):>24}" for metric in names)
        say(f"{name:{width}}{cells}")
    say()
    for line in _headline(summary):
        say(line)
    for loss in summary.losses:
        change = loss.change
        say(
            f"Significantly worse than base: {loss.condition} for {loss.user} "
            f"({change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}], "
            f"{loss.questions} questions)"
        )
    notice(f"Every prediction is in {outcome.results} ({duration(outcome.seconds)}).")


def _cell(metric: str, found: Measured) -> str:
    value = f"{found.metrics[metric]:.3f}"
    interval = found.intervals.get(metric)
    return f"{value} [{interval.low:.3f}, {interval.high:.3f}]" if interval else value


def _headline(summary: Summary) -> list[str]:
    """The relative improvement over the plain model, as the field reports it."""
    lines = []
    for name, found in summary.conditions.items():
        gains = [
            f"{metric} {gain.value:+.1%} [{gain.low:+.1%}, {gain.high:+.1%}]"
            for metric, gain in found.relative.items()
        ]
        if gains:
            lines.append(f"{name} over base: {', '.join(gains)}")
    return lines
