"""`localpers tune`: learn to write like the notes."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, print_json, say
from localpers.cli.durations import seconds_in
from localpers.cli.progress import TerminalReporter, duration

if TYPE_CHECKING:
    from localpers.learning.preparation import Options, Prepared

EXAMPLES_SHOWN = 3


def tune(
    context: typer.Context,
    base: Annotated[str | None, typer.Option(help="The base model to tune.")] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe file in TOML.")] = None,
    method: Annotated[str | None, typer.Option(help="How to adapt the base: lora.")] = None,
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

    from localpers.learning.flow import learn
    from localpers.learning.preparation import Options, prepare
    from localpers.profile import Profile
    from localpers.tuning.recipe import Recipe

    stated = {"method": method, "quantization": quantization, "seed": seed}
    fields = Recipe.load(recipe).model_dump() if recipe else {}
    fields |= {name: value for name, value in stated.items() if value is not None}
    options = Options(base, Recipe.of(fields), device, seconds, resume, started)
    profile = Profile.open(context.obj)
    reporter = TerminalReporter()
    with profile.writing("tune"):
        try:
            if dry_run:
                prepared = prepare(profile, options, reporter)
                reporter.clear()
                _tell_plan(prepared, options, as_json)
                return
            description = learn(profile, options, reporter)
        finally:
            reporter.clear()
    if as_json:
        print_json(description)
    else:
        _tell(description)


def _tell_plan(prepared: Prepared, options: Options, as_json: bool) -> None:
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
    for number, example in enumerate(prepared.examples[:EXAMPLES_SHOWN], 1):
        say()
        say(f"── example {number}: {example.task}")
        for message in example.messages:
            say(f"[{message.role}] {message.content}")
    say()
    say("Nothing was trained. --json lists all examples.")


def _tell(run: dict[str, Any]) -> None:
    training = duration(run["seconds"])
    say(
        f"Run {run['run']}: {run['examples']} examples, {run['tokens']:,} completion tokens in "
        f"{run['steps']} steps, {training} of training, {duration(run['seconds_total'])} in all"
    )
    names = {
        "merged_f16": "merged, F16",
        "adapter": "base + adapter",
        "quantized": f"merged, {run['quantization']['type']}",
    }
    say("Against the model in torch:")
    for key, name in names.items():
        found = run["parity"][key]
        say(
            f"  {name:<16} mean KL {found['mean_kl']:.1e} nats, same top token "
            f"{found['top1_agreement']:.1%} of {found['positions']}"
        )
    say("Held-out text, with retrieval:")
    labels = {
        "rag": "base",
        "rag+peft:merged": f"tuned, {names['quantized']}",
        "rag+peft:adapter": "tuned, base + adapter",
    }
    for key, label in labels.items():
        found = run["metrics"][key]
        say(f"  {label:<24} perplexity {found['perplexity']:.2f} on {found['tokens']} tokens")
    if run["promoted"]:
        which = "base + adapter" if run["served"]["adapter"] else names["quantized"]
        say(f"Promoted ({which}): {run['reason']}. 'localpers ask' uses it from now on.")
    else:
        say(f"Not promoted: {run['reason']}.")
        say(f"It is kept: 'localpers ask --run {run['run']} …' tries it.")
