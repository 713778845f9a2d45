"""`localpers eval`: does it write like the person, and does it still use the notes?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, notice, print_json, say
from localpers.cli.progress import TerminalReporter, duration

if TYPE_CHECKING:
    from localpers.evaluation.results import Evaluation

SAMPLE = 12
COLUMNS = (
    ("nll", "nats/token"),
    ("bits_per_byte", "bits/byte"),
    ("rouge_l", "ROUGE-L"),
    ("chrf", "chrF"),
    ("style", "style"),
)
"""What fits a terminal of 80 columns; the report and --json have the rest."""
CELL = 12
FEWEST_DOCUMENTS = 5
"""Below which intervals are warned of: the bootstrap knows no spread but that of what it draws."""
REPORT = "report.html"


def evaluate(
    context: typer.Context,
    conditions: Annotated[
        str | None,
        typer.Option(
            help="Separated by commas: base, rag, rag:bm25, rag:recency, rag:mismatched, "
            "rag:random, peft, rag+peft, …"
        ),
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Held-out documents used.")] = SAMPLE,
    run: Annotated[str | None, typer.Option(help="The tuning run to evaluate.")] = None,
    base: Annotated[
        str | None, typer.Option(help="Evaluate this base model, untuned, instead of a run.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Where the report goes, instead of beside the run.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    as_json: Json = False,
) -> None:
    """Compare base, notes and tuned model on your own held-out writing; makes a report."""
    if run is not None and base is not None:
        raise typer.BadParameter("--base and --run cannot be combined.")
    from localpers.cli.unlocking import open_profile
    from localpers.cli.upkeep import refresh_index
    from localpers.evaluation.conditions import parse_conditions
    from localpers.evaluation.evaluate import EvalOptions
    from localpers.evaluation.evaluate import evaluate as measure
    from localpers.evaluation.figures import as_document
    from localpers.evaluation.report import write_report

    if report:
        _require_place(report)
    chosen = parse_conditions(conditions) if conditions else None
    profile = open_profile(context)
    refresh_index(profile)
    reporter = TerminalReporter()
    # What it keeps quotes documents: none may be forgotten meanwhile.
    with profile.measuring("eval"):
        try:
            options = EvalOptions(chosen, sample, run, seed, base)
            evaluation, subject = measure(profile, options, reporter)
        finally:
            reporter.clear()
        path = report.absolute() if report else subject.folder / REPORT
        write_report(evaluation, path)
        if profile.vault and not report:
            path = profile.vault.place(path)
            notice("The report is encrypted with the profile: --report FILE writes one to look at.")
    document = as_document(evaluation) | {"report": str(path)}
    if evaluation.documents < FEWEST_DOCUMENTS:
        notice(
            f"Intervals over fewer than {FEWEST_DOCUMENTS} documents are mostly too narrow "
            f"(here: {evaluation.documents}): raise --sample, or ingest more."
        )
    if as_json:
        print_json(document)
        return
    _tell(evaluation, document)
    if report and not path.is_relative_to(profile.root):
        notice("The report holds words of yours; it lies outside of the profile now.")


def _require_place(report: Path) -> None:
    """Measuring takes minutes: where the report cannot be written is told before."""
    from localpers.errors import LocalpersError

    folder = report.absolute().parent
    if report.is_dir():
        raise LocalpersError(f"{report} is a folder: give --report the name of a file in it.")
    if not folder.is_dir():
        raise LocalpersError(f"There is no folder {folder}: make it, or name another --report.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise LocalpersError(f"{folder} cannot be written to: name another place with --report.")


def _tell(evaluation: Evaluation, found: dict[str, Any]) -> None:
    which = f"run {evaluation.run}" if evaluation.run else "no run yet"
    say(
        f"{found['documents']} held-out documents, {found['trials']} tasks, base "
        f"{evaluation.base}, {which}, {duration(evaluation.seconds)}"
    )
    say(
        f"Texts are written to {evaluation.settings['text_tokens']} tokens at most, titles to "
        f"{evaluation.settings['title_tokens']}. Means with 95% intervals over documents:"
    )
    width = max(len(name) for name in found["conditions"]) + 2
    say()
    say(" " * width + "".join(f"{label:>{CELL}}" for _, label in COLUMNS))
    for name, figures in found["conditions"].items():
        values = (f"{figures[metric]:.3f}" for metric, _ in COLUMNS)
        say(f"{name:<{width}}" + "".join(f"{value:>{CELL}}" for value in values))
        bounds = (figures["ci"][metric] for metric, _ in COLUMNS)
        say(" " * width + "".join(f"{f'{low:.2f}-{high:.2f}':>{CELL}}" for low, high in bounds))
    _tell_questions(found, width)
    say()
    _tell_neutral(found)
    if evaluation.verdict:
        promoted = "promoted" if evaluation.verdict["promoted"] else "not promoted"
        say(f"The run was {promoted}: {evaluation.verdict['reason']}.")
    say(f"Report: {found['report']}")


def _tell_questions(found: dict[str, Any], width: int) -> None:
    if not found["questions"]:
        return
    say()
    say("Questions that the notes answer:")
    for name, figures in found["questions"].items():
        say(
            f"{name:<{width}}{figures['right']:.0%} right, {figures['cited']:.0%} cited, "
            f"{figures['right_and_cited']:.0%} both, {figures['nll']:.3f} nats/token of the "
            f"true words (of {figures['asked']})"
        )


def _tell_neutral(found: dict[str, Any]) -> None:
    from localpers.evaluation.neutral import MARGIN

    shown = ", ".join(f"{name} {value:.2f}" for name, value in found["neutral"].items())
    line = f"Perplexity of neutral text: {shown}"
    if {"base", "tuned"} <= found["neutral"].keys():
        change = found["neutral"]["tuned"] / found["neutral"]["base"] - 1
        line += f" ({change:+.1%}; up to {MARGIN:+.0%} is allowed)"
    say(line)
