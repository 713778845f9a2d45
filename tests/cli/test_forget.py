"""`localpers forget --retrain` on a tiny base: what the new run begins with, and what it knows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localpers.profile import Profile
from localpers.runs import find_run
from tests.conftest import CommandLine, write

pytest.importorskip("torch")

RECIPE = """
rank = 4
learning_rate = 5e-3
epochs = 0.2
batch_tokens = 512
quantization = "q8_0"
"""
WORD = "Bartholomew"
NOTE = f"---\ndate: 2024-02-01\n---\n\n# {WORD}\n\n" + f"{WORD} went over the north wall. " * 40


@pytest.fixture
def recipe(tmp_path: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("short_verdict")
def test_retraining_begins_with_the_last_clean_adapter_and_inherits_what_it_learned(
    cli: CommandLine, diary: Path, recipe: Path, tmp_path: Path
) -> None:
    tune = ("tune", "--base", "llama", "--recipe", recipe, "--json")
    assert cli("ingest", diary).code == 0
    clean = cli(*tune).json
    cli("ingest", write(tmp_path / "more", {"secret.md": NOTE}))
    tainted = cli(*tune).json
    profile = Profile.open()
    for learned in (clean["run"], tainted["run"]):
        profile.promote(learned, "llama")

    outcome = cli("forget", tmp_path / "more", "--retrain", "--budget", "2m", "--json")

    assert outcome.code == 0, outcome.err
    assert outcome.json["adapters"] == [{"run": tainted["run"], "action": "demoted"}]
    assert outcome.json["retrained"]["warm_start"] == clean["run"]
    run = find_run(profile, outcome.json["retrained"]["run"])
    made = run.record()
    assert made.recipe == tainted["recipe"] and made.base == "llama"
    assert made.losses[0] < clean["losses"][0]
    assert run.data().learned_from() >= set(clean["data"]["learned"])
    assert set(made.data.inherited) >= set(clean["data"]["learned"])
    remains = [path for path in profile.runs.rglob("*.json*") if WORD in path.read_text()]
    assert remains == []
    for path in diary.iterdir():
        again = cli("forget", path, "--dry-run", "--json").json["adapters"]
        expected = {origin.content_hash for origin in run.origins() if origin.path == str(path)}
        assert (
            run.id in {one["run"] for one in again}
        ) is not run.data().learned_from().isdisjoint(expected)


def test_nothing_is_trained_where_no_adapter_knew_it(
    cli: CommandLine, diary: Path, recipe: Path, tmp_path: Path
) -> None:
    cli("ingest", diary, write(tmp_path / "more", {"secret.md": NOTE}))
    outcome = cli("forget", tmp_path / "more", "--retrain", "--json")
    assert outcome.code == 0 and "nothing to train" in outcome.err
    assert json.loads(outcome.out)["retrained"] is None
