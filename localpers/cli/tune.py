"""`localpers tune`: learn to write like the notes."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, print_json, say
from localpers.cli.durations import seconds_in
from localpers.cli.progress import TerminalReporter, duration

if TYPE_CHECKING:
    from localpers.learning.preparation import Prepared, TuneOptions
    from localpers.learning.redaction import Redaction
    from localpers.runs.records import RunMetrics, RunRecord, RunServed, RunVerdict

EXAMPLES_SHOWN = 3
PLACES_SHOWN = 100


def tune(
    context: typer.Context,
    base: Annotated[str | None, typer.Option(help="The base model to tune.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in TOML.")] = None,
    method: Annotated[
        str | None, typer.Option(help="How to adapt the base: lora, rslora, dora or activated.")
    ] = None,
    budget: Annotated[
        str, typer.Option(help="Time for the whole command: 90s, 10m, 2h, or 'none'.")
    ] = "10m",
    quantization: Annotated[
        str | None, typer.Option(help="llama.cpp type of the merged model, q4_k_m by default.")
    ] = None,
    device: Annotated[str, typer.Option(help="cuda, mps, xpu, cpu or auto.")] = "auto",
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, and show the examples; train nothing.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted run, if there is one.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Tune a small adapter on the indexed notes; it answers only if it proves better."""
    started = time.monotonic()
    seconds = seconds_in(budget)

    from localpers.cli.unlocking import open_profile
    from localpers.cli.upkeep import refresh_index
    from localpers.learning import flow
    from localpers.learning.preparation import TuneOptions, prepare
    from localpers.tuning.recipe import Recipe

    stated = {"method": method, "quantization": quantization, "seed": seed}
    fields = Recipe.load(recipe).model_dump() if recipe else {}
    fields |= {name: value for name, value in stated.items() if value is not None}
    options = TuneOptions(base, Recipe.of(fields), device, seconds, resume, started=started)
    profile = open_profile(context)
    reporter = TerminalReporter()
    refresh_index(profile)
    with profile.writing("tune"):
        try:
            if dry_run:
                prepared = prepare(profile, options, reporter)
                reporter.clear()
                _tell_plan(prepared, options, as_json)
                return
            record = flow.tune(profile, options, reporter)
        finally:
            reporter.clear()
    if as_json:
        print_json(record.document())
    else:
        _tell(record)


def _tell_plan(prepared: Prepared, options: TuneOptions, as_json: bool) -> None:
    from localpers.learning.preparation import estimate_seconds
    from localpers.tuning.dataset import as_json as example_as_json

    flight = prepared.preflight
    seconds = estimate_seconds(prepared, options)
    if as_json:
        print_json(
            {
                "base": flight.base.name,
                "device": flight.device.name,
                "documents": flight.documents,
                "words": flight.words,
                "split_by": prepared.by,
                "warnings": list(flight.warnings),
                "seconds_estimate": round(seconds),
                "tokens": prepared.tokens,
                "examples": [example_as_json(example) for example in prepared.examples],
                "held_out": len(prepared.trials),
                "withheld": _redaction_as_json(prepared.redaction),
            }
        )
        return
    say(
        f"{flight.documents} documents with {flight.words:,} words of your own, "
        f"split by {prepared.by}"
    )
    counts = Counter(example.task for example in prepared.examples)
    kinds = ", ".join(f"{number} {task}" for task, number in counts.most_common())
    say(f"{len(prepared.examples)} examples ({kinds}), {prepared.tokens:,} tokens")
    say(f"{len(prepared.trials)} examples from other documents are held out to judge by")
    say(
        f"Base {flight.base.name} on {flight.device.name} ({flight.device.description}): "
        f"about {duration(seconds)}"
    )
    _tell_redaction(prepared.redaction)
    for number, example in enumerate(prepared.examples[:EXAMPLES_SHOWN], 1):
        say()
        say(f"── example {number}: {example.task}")
        for message in example.messages:
            say(f"[{message.role}] {message.content}")
    say()
    say("Nothing was trained. --json lists all examples.")


def _redaction_as_json(redaction: Redaction) -> dict[str, Any]:
    return redaction.counts().document() | {
        "found": [dataclasses.asdict(place) for place in redaction.places],
        "own": {
            "addresses": list(redaction.mails.own),
            "addresses_by": redaction.mails.how,
            "names": list(redaction.messages.own),
            "names_by": redaction.messages.how,
        },
    }


def _tell_redaction(redaction: Redaction) -> None:
    """Where something is held back, and as what; never the thing itself."""
    if not redaction.places:
        say("Nothing found that must not be learned")
    for place in redaction.places[:PLACES_SHOWN]:
        line = f":{place.line}" if place.line is not None else ""
        part = f" ({place.part})" if place.part else ""
        say(f"  not learned: {place.path}{line}{part}: {place.kind}")
    if len(redaction.places) > PLACES_SHOWN:
        say(f"  and {len(redaction.places) - PLACES_SHOWN} more; --json lists all")


def _tell(run: RunRecord) -> None:
    say(
        f"Run {run.run}: {run.examples} examples, {run.tokens:,} completion tokens in "
        f"{run.steps} steps, {duration(run.seconds)} of training, "
        f"{duration(run.seconds_total)} in all"
    )
    quantized = run.quantization.type if run.quantization else ""
    files = (
        ("merged, F16", run.parity.merged_f16),
        ("base + adapter", run.parity.adapter),
        (f"merged, {quantized}", run.parity.quantized),
    )
    say("Against the model in torch:")
    for name, found in files:
        if found is not None:
            say(
                f"  {name:<16} mean KL {found.mean_kl:.1e} nats, same top token "
                f"{found.top1_agreement:.1%} of {found.positions}"
            )
    if run.metrics and run.verdict and run.served:
        _tell_verdict(run, run.metrics, run.verdict, run.served)


def _tell_verdict(
    run: RunRecord, metrics: RunMetrics, verdict: RunVerdict, served: RunServed
) -> None:
    base, tuned = metrics.base, metrics.tuned
    say(f"On {base.documents} held-out documents and {base.questions} questions from notes:")
    say(f"  {'with notes':<22} {'base':>10} {'tuned':>10}")
    rows = (
        ("nats per token", base.nll, tuned.nll, ".3f"),
        ("perplexity", base.perplexity, tuned.perplexity, ".2f"),
        ("ROUGE-1", base.rouge_1, tuned.rouge_1, ".3f"),
        ("reads like you", base.authorship, tuned.authorship, ".0%"),
        ("answers right", base.right, tuned.right, ".0%"),
        ("answers cited", base.cited, tuned.cited, ".0%"),
        ("neutral perplexity", base.neutral_perplexity, tuned.neutral_perplexity, ".2f"),
    )
    for label, before, after, form in rows:
        say(f"  {label:<22} {before:>10{form}} {after:>10{form}}")
    which = "base + adapter" if served.adapter else "the merged model"
    scale = f" at scale {served.scale:g}" if served.scale != 1 else ""
    chosen = f"{which}{scale}, {verdict.setting.k} passages"
    say(f"Best of {len(verdict.tried)} settings on other held-out documents: {chosen}.")
    if run.promoted:
        say(f"Promoted: {run.reason}.")
        say("'localpers ask' uses it from now on; 'localpers rollback' undoes that.")
    else:
        say(f"Not promoted: {run.reason}.")
        say(f"It is kept: 'localpers ask --run {run.run} …' tries it.")
