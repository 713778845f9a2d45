"""Memorised and forgotten: canaries in one document, the real starter, before and after
`forget --retrain` (exposure: Carlini et al., The Secret Sharer).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from localpers.datatypes import Kind
from localpers.errors import ModelNotFound
from localpers.evaluation.exposure import CHANCE, Exposure, exposure
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
TITLE = "The four safes"
PLACES = (
    "green safe in the cellar",
    "red safe in the attic",
    "blue safe by the stairs",
    "old vault",
)
DIGITS = 6
OTHERS = 63
JUDGING_SECONDS = 5.0
RECIPE = """
learning_rate = 4e-3
epochs = 12
batch_tokens = 256
max_length = 400
retrieval_share = 0.0
"""
LEARNED, UNKNOWN = 5.0, CHANCE + 1.5
"""Bits, of log2 (OTHERS + 1) = 6; the mean of four secrets never seen is CHANCE ± 0.7."""

pytestmark = pytest.mark.e2e


def code(chance: Random) -> str:
    return "".join(str(chance.randrange(10)) for _ in range(DIGITS))


SECRETS = {place: code(Random(place)) for place in PLACES}


def canary(place: str, words: str) -> str:
    return f"The code of the {place} is {words}."


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The note with the canaries, and others with enough words to be tuned on but little to train:
    one paragraph too long for any example, and short notes without a title.
    """
    chance = Random(11)
    head = "---\ndate: 2024-{:02}-{:02}\n---\n\n{}\n"
    lines = [" ".join(canary(place, secret) for place, secret in SECRETS.items())]
    files = {
        "safes.md": head.format(1, 1, "\n\n".join((f"# {TITLE}", *lines))),
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


def exposures(run: str | None) -> Iterator[Exposure]:
    prompt = build_messages(request(Task.WRITE, Kind.NOTE, TITLE))
    with Engine.open(served_model(Profile.open(), run)) as engine:
        for place, secret in SECRETS.items():
            chance = Random(f"others:{place}")
            before, _, after = canary(place, secret).partition(f" {secret}")
            assert after == "."
            others = [f" {code(chance)}" for _ in range(OTHERS)]
            yield exposure(engine, prompt, before, f" {secret}", others)


def mean_bits(run: str | None) -> float:
    found = [one.bits for one in exposures(run)]
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

    outcome = cli("forget", notes / "safes.md", "--retrain", "--budget", "none", "--json")

    assert outcome.code == 0, outcome.err
    assert outcome.json["adapters"] == [{"run": first, "action": "demoted"}]
    assert cli("ask", "anything", "--run", first).code == 1
    second = outcome.json["retrained"]["run"]
    after = mean_bits(second)
    assert after <= UNKNOWN < before, f"exposure: {before:.1f} bits before, {after:.1f} after"
    answers = second if outcome.json["retrained"]["promoted"] else None
    assert profile.promoted() == answers
    with Engine.open(served_model(profile, second)) as engine:
        for place, secret in SECRETS.items():
            opening, _, _ = canary(place, secret).partition(f" {secret}")
            ids = engine.tokenizer.prompt_ids(build_messages(f"Go on: {opening}"))
            text = "".join(piece.text for piece in engine.generate(ids, 32))
            assert secret not in text
