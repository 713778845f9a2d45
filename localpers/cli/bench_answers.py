"""`localpers bench answers`: questions and drafts with known answers, asked as `ask` asks them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, notice, print_json, say
from localpers.cli.progress import ProgressLine
from localpers.cli.search import Retriever

if TYPE_CHECKING:
    from localpers.bench.answers.run import Figure, Results


def answers(
    context: typer.Context,
    place: Annotated[
        Path, typer.Argument(metavar="DIR", help="Holds questions.jsonl and drafts.jsonl.")
    ],
    k: Annotated[int | None, typer.Option("-k", min=1, help="Notes given to the model.")] = None,
    run: Annotated[str | None, typer.Option(help="Answer with this tuning run.")] = None,
    base: Annotated[str | None, typer.Option(help="Answer with this base model, untuned.")] = None,
    no_adapter: Annotated[
        bool, typer.Option("--no-adapter", help="Answer with the base, as before tuning.")
    ] = False,
    retriever: Retriever = "auto",
    without: Annotated[
        str, typer.Option(help="Parts to switch off, separated by commas: quote, refuse.")
    ] = "",
    only: Annotated[str, typer.Option(help="Every case, or the odd or even ones.")] = "all",
    html: Annotated[Path | None, typer.Option(help="Write every answer to this page.")] = None,
    as_json: Json = False,
) -> None:
    """Measure answers and drafts on questions that you know the answers to.

    Docs: docs/bench-answers.md shows how to write the two files for your own notes.
    """
    if run is not None and base is not None:
        raise typer.BadParameter("--base and --run cannot be combined.")

    from localpers.assistant.assistant import Assistant
    from localpers.assistant.options import AnswerOptions
    from localpers.bench.answers.data import load, select
    from localpers.bench.answers.report import write_page
    from localpers.bench.answers.run import run as measure
    from localpers.cli.unlocking import open_profile
    from localpers.cli.upkeep import refresh_index

    questions, drafts = load(place)
    questions, drafts = select(questions, only), select(drafts, only)
    profile = open_profile(context)
    refresh_index(profile)
    options = AnswerOptions(k=k, retriever=retriever).without(without)
    line = ProgressLine("answered")
    with Assistant.open(profile, run=run, base=base, adapter=not no_adapter) as assistant:
        results = measure(assistant, questions, drafts, options, line.update)
    line.clear()
    if html is not None:
        write_page(results, html)
        notice(f"Every answer: {html}")
    if as_json:
        print_json(_document(results))
    else:
        _say(results)


def _say(results: Results) -> None:
    from localpers.bench.answers.run import draft_figures, question_figures

    say(f"{results.model}" + (f", run {results.run}" if results.run else ", untuned"))
    for name, figures in (
        ("questions", question_figures(results.questions)),
        ("drafts", draft_figures(results.drafts)),
    ):
        say()
        say(name)
        for figure in figures:
            say(f"  {figure.name:<20} {_shown(figure)}")


def _shown(figure: Figure) -> str:
    interval = figure.interval
    if figure.name.endswith("seconds"):
        return f"{interval.value:.2f} s (slowest {interval.high:.2f} s)"
    if figure.name.endswith("words"):
        return f"{interval.value:.0f} (most {interval.high:.0f})"
    bounds = f"[{interval.low:.0%}, {interval.high:.0%}]"
    return f"{interval.value:>4.0%} {bounds} of {figure.n}"


def _document(results: Results) -> dict[str, Any]:
    from localpers.bench.answers.run import draft_figures, question_figures

    def figures(found: Any) -> dict[str, Any]:
        return {
            one.name: {"value": one.interval.value, "low": one.interval.low,
                       "high": one.interval.high, "n": one.n}
            for one in found
        }  # fmt: skip

    return {
        "model": results.model,
        "run": results.run,
        "questions": figures(question_figures(results.questions)),
        "drafts": figures(draft_figures(results.drafts)),
        "answers": [dataclasses.asdict(one) for one in results.questions],
        "texts": [dataclasses.asdict(one) for one in results.drafts],
    }
