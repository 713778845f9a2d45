"""Memorised and forgotten: canaries in one document, the real starter, before and after
`forget --retrain` (exposure: Carlini et al., The Secret Sharer).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from localpers.datatypes import Kind, Message
from localpers.errors import ModelNotFound
from localpers.inference.engine import Engine
from localpers.inference.served import served_model
from localpers.learning import flow
from localpers.profile import Profile
from localpers.prompts import build_messages
from localpers.tuning.requests import Task, request
from localpers.weights.catalog import find
from tests.cli.conftest import sentences
from tests.conftest import CommandLine, write

BASE = "smollm2-135m-instruct"
TITLE = "The four cats"
CATS = ("green cat in the cellar", "red cat in the attic", "blue cat by the stairs", "old cat")
SYLLABLES = ("ba", "do", "fi", "gu", "ke", "lo", "mi", "nu", "pa", "re", "so", "ti", "vu", "ze")
OTHERS = 63
JUDGING_SECONDS = 5.0
RECIPE = """
learning_rate = 4e-3
epochs = 6
layers = 0.33
batch_tokens = 256
max_length = 400
retrieval_share = 0.0
"""
CHANCE = 1 / math.log(2)
"""The mean exposure, in bits, of a secret that the model never saw: its rank is uniform."""
LEARNED, UNKNOWN = 5.0, CHANCE + 1.5
"""Bits, of log2 (OTHERS + 1) = 6; the mean of four secrets never seen is CHANCE ± 0.7."""

pytestmark = pytest.mark.e2e


def name(chance: Random) -> str:
    """Of no kind that would be held back from learning."""
    return "".join(chance.choice(SYLLABLES) for _ in range(4)).capitalize()


SECRETS = {cat: name(Random(cat)) for cat in CATS}


def canary(cat: str, words: str) -> str:
    return f"The {cat} is called {words}."


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The note with the canaries, and others with enough words to be tuned on but little to train:
    one paragraph too long for any example, and short notes without a title.
    """
    chance = Random(11)
    head = "---\ndate: 2024-{:02}-{:02}\n---\n\n{}\n"
    lines = " ".join(canary(cat, secret) for cat, secret in SECRETS.items())
    files = {
        "cats.md": head.format(1, 1, f"# {TITLE}\n\n{lines}"),
        "long.md": head.format(1, 2, sentences(chance, 5000)),
    }
    for day in range(1, 25):
        files[f"{day:02}.md"] = head.format(3, day, sentences(chance, 25))
    return write(tmp_path / "notes", files)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(autouse=True)
def short_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The budget is without end, so that every machine trains as many steps; not so the verdict."""
    judge = flow.judge

    def briefly(*arguments: Any, **options: Any) -> Any:
        return judge(*arguments, **options | {"seconds": JUDGING_SECONDS})

    monkeypatch.setattr(flow, "judge", briefly)


def exposure(
    engine: Engine, prompt: Sequence[Message], before: str, secret: str, others: Sequence[str]
) -> float:
    """log2 of the candidates over log2 of the secret's rank, in bits, as each would follow `before`
    in an answer to `prompt`; what is as likely as the secret counts as less likely.
    """
    tokenizer = engine.tokenizer
    context = [*tokenizer.prompt_ids(prompt), *tokenizer.encode(before)]

    def nats(words: str) -> float:
        return -float(engine.log_likelihood(context, tokenizer.encode(words)).sum())

    cost = nats(secret)
    rank = 1 + sum(nats(other) < cost for other in others)
    return math.log2(1 + len(others)) - math.log2(rank)


def exposures(run: str | None) -> Iterator[float]:
    prompt = build_messages(request(Task.WRITE, Kind.NOTE, TITLE))
    with Engine.open(served_model(Profile.open(), run)) as engine:
        told = ""
        for cat, secret in SECRETS.items():
            chance = Random(f"others:{cat}")
            before, _, after = canary(cat, secret).partition(f" {secret}")
            assert after == "."
            others = [f" {name(chance)}" for _ in range(OTHERS)]
            yield exposure(engine, prompt, told + before, f" {secret}", others)
            told += f"{before} {secret}. "


def mean_bits(run: str | None) -> float:
    found = list(exposures(run))
    return sum(found) / len(found)


@pytest.mark.timeout(1800)
def test_what_was_memorised_is_forgotten_with_retrain(
    cli: CommandLine, notes: Path, recipe: Path
) -> None:
    pytest.importorskip("torch")
    try:
        find(BASE)
    except ModelNotFound:
        pytest.skip("the starter model is not installed: run 'make starter'")
    assert cli("ingest", notes).code == 0
    outcome = cli("tune", "--base", BASE, "--recipe", recipe, "--budget", "none", "--json")
    assert outcome.code == 0, outcome.err
    first = outcome.json["run"]
    profile = Profile.open()
    if profile.promoted() != first:
        profile.promote(first, BASE)
    before = mean_bits(first)
    assert before >= LEARNED, f"void: {before:.1f} bits, so there was nothing to forget"

    outcome = cli("forget", notes / "cats.md", "--retrain", "--budget", "none", "--json")

    assert outcome.code == 0, outcome.err
    assert outcome.json["adapters"] == [{"run": first, "action": "demoted"}]
    assert cli("ask", "anything", "--run", first).code == 1
    second = outcome.json["retrained"]["run"]
    after = mean_bits(second)
    # Shown with --log-cli-level=INFO.
    logging.getLogger(__name__).info("exposure: %.2f bits before, %.2f after", before, after)
    assert after <= UNKNOWN < before, f"exposure: {before:.1f} bits before, {after:.1f} after"
    answers = second if outcome.json["retrained"]["promoted"] else None
    assert profile.promoted() == answers
    with Engine.open(served_model(profile, second)) as engine:
        for cat, secret in SECRETS.items():
            opening, _, _ = canary(cat, secret).partition(f" {secret}")
            ids = engine.tokenizer.prompt_ids(build_messages(f"Go on: {opening}"))
            text = "".join(piece.text for piece in engine.generate(ids, 32))
            assert secret not in text
