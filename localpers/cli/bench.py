"""`localpers bench`: published benchmarks, on files in their formats."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.bench_answers import answers
from localpers.cli.bench_retrieval import retrieval
from localpers.cli.console import Json, notice, print_json, say
from localpers.cli.durations import seconds_in
from localpers.cli.progress import ProgressLine, duration

if TYPE_CHECKING:
    from localpers.evaluation.bootstrap import Interval
    from localpers.evaluation.lamp.bench import Outcome
    from localpers.evaluation.lamp.summary import Measured, Summary

app = typer.Typer(help="Measure on published benchmarks.", no_args_is_help=True)
app.command()(answers)
app.command()(retrieval)


@app.callback()
def benchmarks() -> None:
    """Measure on published benchmarks."""


@app.command()
def lamp(
    context: typer.Context,
    place: Annotated[Path, typer.Argument(metavar="DIR", help="Holds questions and outputs.")],
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
    again: Annotated[bool, typer.Option("--again", help="Begin anew instead of going on.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the users' adapters.")] = False,
    as_json: Json = False,
) -> None:
    """The LaMP protocol: the base, retrieval, an adapter per user, and both, on the same questions.

    An interrupted run goes on where it stopped when the same command is given again.
    """
    limit = seconds_in(budget, default_unit="s")

    from localpers.cli.unlocking import open_profile
    from localpers.evaluation.lamp.bench import Request, run
    from localpers.evaluation.lamp.prompts import Form
    from localpers.evaluation.lamp.settings import RECIPE, conditions_named
    from localpers.inference.served import served_model
    from localpers.tuning.recipe import Recipe

    request = Request(
        place=place,
        task=task,
        users=users,
        conditions=conditions_named(conditions),
        base=served_model(open_profile(context), use_adapter=False, base=base).base,
        recipe=Recipe.load(recipe) if recipe else RECIPE,
        form=Form(passages=k),
        contrast=contrast,
        budget=limit,
        seed=seed,
        device=device,
        jobs=jobs,
        results=results,
        again=again,
        keep=keep,
    )
    line = ProgressLine("Answers")
    try:
        outcome = run(request, line.update)
    finally:
        line.clear()
    if as_json:
        print_json(_as_record(outcome))
    else:
        _tell(outcome)


def _as_record(outcome: Outcome) -> dict[str, Any]:
    summary = outcome.summary
    return {
        "task": summary.task.name,
        "users": summary.users,
        "questions": summary.questions,
        "conditions": {
            name: _condition_as_record(found) for name, found in summary.conditions.items()
        },
        "losses": [
            {
                "user": loss.user,
                "condition": loss.condition,
                "questions": loss.questions,
                "change": _interval_as_record(loss.change),
            }
            for loss in summary.losses
        ],
        "results": str(outcome.results),
        "adapters": str(outcome.adapters) if outcome.adapters else None,
        "seconds": outcome.seconds,
    }


def _condition_as_record(found: Measured) -> dict[str, Any]:
    return {
        **{name: round(value, 5) for name, value in found.metrics.items()},
        "interval": {
            name: [round(i.low, 5), round(i.high, 5)] for name, i in found.intervals.items()
        },
        "relative": {name: _interval_as_record(i) for name, i in found.relative.items()},
    }


def _interval_as_record(found: Interval) -> dict[str, float]:
    return {
        "value": round(found.value, 5),
        "low": round(found.low, 5),
        "high": round(found.high, 5),
    }


def _tell(outcome: Outcome) -> None:
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
