"""`localpers eval` on tiny bases: what it measures, that it repeats itself, what it reports."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.cli.conftest import sentences
from tests.conftest import CommandLine, write

METRICS = {"nll", "bits_per_byte", "rouge_1", "rouge_l", "chrf", "style", "copied", "distinct_2"}
RECIPE = """
rank = 4
learning_rate = 5e-3
epochs = 0.2
batch_tokens = 512
max_length = 512
quantization = "q8_0"
"""
SAMPLE = ("--sample", 2)

pytestmark = pytest.mark.timeout(900)  # A run, which another busy process slows down tenfold.


@pytest.fixture(scope="module")
def tuned_home(tmp_path_factory: pytest.TempPathFactory, tiny_models: Path, diary: Path) -> Path:
    """A home with a tuned tiny base, made once; each test gets a copy."""
    pytest.importorskip("torch")
    home = tmp_path_factory.mktemp("tuned")
    recipe = home / "recipe.toml"
    recipe.write_text(RECIPE)
    environment = os.environ | {
        "LOCALPERS_HOME": str(home / "home"),
        "LOCALPERS_MODELS": str(tiny_models),
    }
    for arguments in (
        ["ingest", str(diary)],
        ["tune", "--base", "llama", "--recipe", str(recipe), "--budget", "none"],
    ):
        command = [sys.executable, "-m", "localpers", *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    return home / "home"


@pytest.fixture
def tuned(tuned_home: Path, tiny_models: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))
    shutil.copytree(tuned_home, home, dirs_exist_ok=True)
    (run,) = (home / "profiles/default/runs").iterdir()
    return run


def figures(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "seconds"}


def test_conditions_are_compared_on_what_was_held_out(
    cli: CommandLine, tuned: Path, home: Path, diary: Path
) -> None:
    outcome = cli("eval", *SAMPLE, "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.json
    names = {"base", "rag", "rag:mismatched", "rag:random", "peft", "rag+peft"}
    assert found["conditions"].keys() == names
    assert found["documents"] == 2 and found["trials"] == 6 and found["split_by"] == "date"
    for condition in found["conditions"].values():
        assert condition.keys() >= METRICS and condition["ci"].keys() >= METRICS
        for metric in METRICS:
            low, high = condition["ci"][metric]
            assert low <= condition[metric] + 1e-9 and condition[metric] <= high + 1e-9
        assert condition["tasks"].keys() == {
            "title_from_body",
            "write_from_opening",
            "write_from_title",
        }
        assert condition["kinds"].keys() == {"note"}
    assert found["conditions"]["peft"]["nll"] < found["conditions"]["base"]["nll"]
    assert found["questions"].keys() <= {"rag", "rag+peft"}
    assert found["neutral"].keys() == {"base", "tuned"}
    assert found["verdict"]["promoted"] is True
    assert found["mismatched_passages"] == "shipped"
    run = json.loads((tuned / "run.json").read_text())
    data = run["data"]
    assert not set(data["held_out"]) & set(data.get("retrievable", data["learned"]))
    kept = json.loads((tuned / "evaluation.json").read_text())
    assert {row["document"] for row in kept["scores"]} <= set(data["held_out"])
    assert not list(tuned.glob("*.partial*"))
    assert [path for path in home.rglob("*") if path.stat().st_mode & 0o077] == []


def test_the_same_command_gives_the_same_digits(cli: CommandLine, tuned: Path) -> None:
    arguments = ("eval", *SAMPLE, "--conditions", "base,rag,rag:random,rag+peft", "--json")
    assert figures(cli(*arguments).json) == figures(cli(*arguments).json)


def test_an_interrupted_evaluation_goes_on_to_the_same_digits(
    cli: CommandLine, tuned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localpers.evaluation import evaluate

    arguments = ("eval", *SAMPLE, "--conditions", "base,rag", "--json")
    whole = figures(cli(*arguments).json)
    measured = evaluate.measure_trial
    calls: list[int] = []

    def interrupted(*given: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return measured(*given, **more)

    monkeypatch.setattr(evaluate, "measure_trial", interrupted)
    assert cli(*arguments).code == 130
    assert list(tuned.glob("*.partial.jsonl"))
    calls.clear()
    monkeypatch.setattr(evaluate, "measure_trial", lambda *a, **k: calls.append(1) or measured(*a))
    assert figures(cli(*arguments).json) == whole
    assert len(calls) == 12 - 3


def test_the_report_fetches_nothing_and_escapes_what_was_written(
    cli: CommandLine, tuned: Path, tmp_path: Path
) -> None:
    from localpers.evaluation.report import render
    from localpers.evaluation.results import Evaluation

    path = tmp_path / "report.html"
    outcome = cli("eval", *SAMPLE, "--report", path)
    assert outcome.code == 0 and "outside of the profile" in outcome.err
    assert "fewer than 5 documents" in outcome.err
    assert "rag+peft" in outcome.out and "Perplexity of neutral text" in outcome.out
    assert not path.stat().st_mode & 0o077
    page = path.read_text()
    assert page.count("<svg") >= 9 and "Training loss" in page and "nats per token gained" in page
    assert not re.search(r"""(src|href)\s*=|url\(|@import|<script|<link|https?://""", page)
    kept = tuned / "evaluation.json"
    words = json.dumps(json.loads(kept.read_text())["trials"][0]["truth"])
    attack = json.dumps("<script>alert('x')</script><img src=x onerror=y>")
    kept.write_text(kept.read_text().replace(words, attack))
    page = render(TypeAdapter(Evaluation).validate_json(kept.read_bytes()))
    assert "&lt;script&gt;alert" in page and "<script" not in page and "<img" not in page


def test_another_persons_words_stay_out_of_this_ones_folder(
    cli: CommandLine, tuned: Path, tmp_path: Path
) -> None:
    from random import Random

    chance = Random(3)
    notes = write(
        tmp_path / "other",
        {f"{n}.md": f"# Elsewhere {n}\n\n{sentences(chance, 80)}" for n in range(4)},
    )
    assert cli("--profile", "somebody", "ingest", notes).code == 0
    found = cli("eval", *SAMPLE, "--conditions", "base,rag:mismatched", "--json").json
    assert found["mismatched_passages"] == "profile"
    kept = json.loads((tuned / "evaluation.json").read_text())
    texts = {row["condition"]: row["text"] for row in kept["scores"]}
    assert texts["base"] and not texts["rag:mismatched"]
    assert "another profile" in (tuned / "report.html").read_text()


def test_a_profile_that_is_not_tuned_has_a_base_to_evaluate(
    cli: CommandLine, diary: Path, tiny_models: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))
    outcome = cli("eval")
    assert outcome.code == 1 and "ingest" in outcome.err.splitlines()[-1]
    cli("ingest", diary)
    arguments = ("--sample", 1, "--conditions", "base,rag:recency", "--json")
    found = cli("eval", "--base", "llama", *arguments).json
    assert found["run"] is None and found["verdict"] is None and found["documents"] == 1
    refused = cli("eval", "--base", "llama", "--conditions", "peft")
    assert refused.code == 1 and "localpers tune" in refused.err
    unknown = cli("eval", "--conditions", "rag:oracle")
    assert unknown.code == 1 and "rag:oracle" in unknown.err
    assert cli("eval", "--run", "nope").code == 1


def test_a_retriever_that_does_not_exist_is_refused_before_anything_else(cli: CommandLine) -> None:
    from localpers.retrieval.retrievers import RETRIEVERS

    for name in {"dense", "hybrid"} - RETRIEVERS.keys():
        refused = cli("eval", "--conditions", f"base,rag:{name}")
        assert refused.code == 1 and len(refused.err.splitlines()) == 1
        assert name in refused.err and "bm25" in refused.err


def test_a_report_that_cannot_be_written_is_refused_before_measuring(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localpers.evaluation import evaluate

    monkeypatch.setattr(evaluate, "evaluate", lambda *given: pytest.fail("measured"))
    for place in (tmp_path, tmp_path / "nowhere/report.html"):
        refused = cli("eval", "--report", place)
        assert refused.code == 1 and str(tmp_path) in refused.err
