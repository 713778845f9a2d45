"""`localpers tune` on tiny bases: what it makes, what it refuses, and how it resumes."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from localpers.learning import conversion
from tests.cli.conftest import ARCHITECTURES
from tests.conftest import CommandLine, Outcome, write

pytest.importorskip("torch")

RECIPE = """
rank = 4
learning_rate = 5e-3
epochs = 0.2
batch_tokens = 512
max_length = 768
retrieval_share = 0.5
checkpoint_seconds = 0.2
quantization = "q8_0"
"""
KEYS = {"run", "base", "method", "examples", "tokens", "seconds", "parity", "metrics"} | {
    "promoted",
    "files",
}


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(autouse=True)
def models(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))


@pytest.fixture
def indexed(cli: CommandLine, diary: Path) -> Path:
    assert cli("ingest", diary).code == 0
    return diary


def run_folder(home: Path, run: dict[str, Any]) -> Path:
    return home / "profiles/default/runs" / str(run["run"])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_run_trains_converts_checks_and_describes_itself(
    cli: CommandLine, indexed: Path, recipe: Path, home: Path, architecture: str
) -> None:
    outcome = cli("tune", "--base", architecture, "--recipe", recipe, "--budget", "2m", "--json")
    assert outcome.code == 0, outcome.err
    run = outcome.json
    assert run.keys() >= KEYS
    assert run["losses"][-1] < run["losses"][0]
    assert run["parity"]["merged_f16"]["mean_kl"] < 1e-3
    assert run["parity"]["merged_f16"]["tokens_equal"] is True
    assert run["parity"]["adapter"]["mean_kl"] < 1e-3
    tuned, base = run["metrics"]["rag+peft"], run["metrics"]["rag"]
    assert run["promoted"] is (run["verdict"]["gain"]["low"] > 0) is True, run["reason"]
    assert tuned["nll"] < base["nll"] and tuned["documents"] == base["documents"] >= 3
    assert {"merged", "adapter"} == {tried["file"] for tried in run["verdict"]["tried"]}
    folder = run_folder(home, run)
    assert json.loads((folder / "run.json").read_text()) == run
    for name, facts in run["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == facts["sha256"]
    assert {"adapter.gguf", "model-q8_0.gguf", "adapter/adapter_model.safetensors"} <= run[
        "files"
    ].keys()
    everything = [path for path in home.rglob("*") if path.stat().st_mode & 0o077]
    assert everything == []
    answer = cli("ask", "What about the garden?", "--json", "--max-tokens", 4).json
    assert answer["adapter"] == run["run"]
    status = cli("status", "--json").json
    assert status["promoted"] == run["run"] and status["base"] == architecture


@pytest.mark.usefixtures("short_verdict")
def test_contrast_sets_a_tuned_model_against_its_base(
    cli: CommandLine, indexed: Path, recipe: Path
) -> None:
    run = cli("tune", "--base", "llama", "--recipe", recipe, "--json").json["run"]

    def text(*arguments: object) -> str:
        free = ("ask", "garden", "--no-rag", "--json", "--max-tokens", 12)
        return str(cli(*free, *arguments).json["text"])

    assert text("--run", run) != text("--run", run, "--contrast", 2)
    refused = cli("ask", "garden", "--base", "llama", "--contrast", 0.5)
    assert refused.code == 2 and "cannot be combined" in refused.err
    refused = cli("ask", "garden", "--run", run, "--contrast", "nan")
    assert refused.code == 2 and "--contrast" in refused.err


def test_an_activated_adapter_answers_beside_its_base_and_is_not_exported(
    cli: CommandLine, indexed: Path, recipe: Path, tmp_path: Path
) -> None:
    arguments = ("tune", "--base", "llama", "--recipe", recipe, "--method", "activated", "--json")
    run = cli(*arguments).json
    assert run["method"] == "activated" and run["losses"][-1] < run["losses"][0]
    assert run["served"]["activated"] is True and run["served"]["model"] is None
    assert {tried["file"] for tried in run["verdict"]["tried"]} == {"adapter"}
    answer = cli("ask", "garden", "--run", run["run"], "--json", "--max-tokens", 4).json
    assert answer["adapter"] == run["run"]
    refused = cli("export", tmp_path / "out", "--run", run["run"])
    assert refused.code == 1 and "--method lora" in refused.err


def test_nothing_held_out_or_quoted_is_trained_on(
    cli: CommandLine, indexed: Path, recipe: Path
) -> None:
    plan = cli("tune", "--base", "llama", "--recipe", recipe, "--dry-run", "--json").json
    assert plan["split_by"] == "date" and plan["documents"] == 30
    trained = [example["messages"][-1]["content"] for example in plan["examples"]]
    prompts = [example["messages"][-2]["content"] for example in plan["examples"]]
    assert not any("zeppelin" in words for words in trained)
    for day in (28, 29, 30):
        words = (indexed / f"{day}.md").read_text().split("\n\n")[2]
        assert not any(words[:60] in text for text in trained + prompts)
    assert any("My notes:" in prompt for prompt in prompts)
    assert cli("status", "--json").json["runs"] == []
    text = cli("tune", "--base", "llama", "--recipe", recipe, "--dry-run").out
    assert "30 documents" in text and "Nothing was trained" in text


def test_too_little_text_is_declined_with_the_counts(cli: CommandLine, tmp_path: Path) -> None:
    cli("ingest", write(tmp_path / "few", {"a.md": "# One\n\nonly a few words"}))
    outcome = cli("tune", "--base", "llama")
    assert outcome.code == 1
    assert "1 documents with" in outcome.err and "at least 20" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("--budget", "soon"), 2, "is not a duration"),
        (("--method", "osmosis"), 1, "Recipe field 'method'"),
        (("--device", "abacus"), 1, "is no device"),
        (("--base", "nowhere"), 1, "models"),
        (("--quantization", "iq1_s"), 1, "importance matrix"),
        (("--recipe", "/nonexistent.toml"), 1, "cannot be read"),
    ],
)
def test_mistakes_are_one_line_that_says_how_to_go_on(
    cli: CommandLine, indexed: Path, arguments: tuple[str, ...], code: int, expected: str
) -> None:
    outcome = cli("tune", "--base", "llama", *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    last = outcome.err.strip().splitlines()[-1]
    assert expected in last and "Traceback" not in outcome.err


def test_a_wrong_field_in_a_recipe_is_named(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("rank = -3\n")
    assert "'rank'" in cli("tune", "--recipe", path).err
    path.write_text("rnak = 3\n")
    assert "'rnak'" in cli("tune", "--recipe", path).err
    path.write_text("rank = = 3\n")
    assert "not valid TOML" in cli("tune", "--recipe", path).err


def test_failed_parity_keeps_the_adapter_and_promotes_nothing(
    cli: CommandLine, indexed: Path, recipe: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "LARGEST_KL", 1e-12)
    outcome = cli("tune", "--base", "llama", "--recipe", recipe)
    assert outcome.code == 1 and "does not compute what was trained" in outcome.err
    (run,) = cli("status", "--json").json["runs"]
    assert run["promoted"] is False
    assert (run_folder(home, run) / "adapter.gguf").exists()
    assert cli("ask", "garden", "--run", run["run"], "--max-tokens", 2).code == 1


def test_what_is_no_better_is_kept_but_not_promoted(
    cli: CommandLine, indexed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.toml"
    # In 16 bits, as the base is: a random base of 11 nats gains by any noise of a quantization.
    path.write_text(RECIPE.replace("5e-3", "1e-12").replace("q8_0", "f16"))
    run = cli("tune", "--base", "qwen2", "--recipe", path, "--json").json
    assert run["promoted"] is False and "likelier" in run["reason"]
    assert cli("status", "--json").json["promoted"] is None
    tried = cli("ask", "garden", "--run", run["run"], "--json", "--max-tokens", 2)
    assert tried.json["adapter"] == run["run"]


@pytest.mark.usefixtures("short_verdict")
@pytest.mark.timeout(900)  # Three runs, which another busy process slows down tenfold.
def test_an_interrupted_run_resumes_to_the_same_weights(
    cli: CommandLine, indexed: Path, tmp_path: Path, home: Path
) -> None:
    """Interrupted by Ctrl-C in a process of its own, resumed here, against one run in one go."""
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE.replace("checkpoint_seconds = 0.2", "checkpoint_seconds = 0.01"))
    arguments = ["tune", "--base", "llama", "--recipe", str(path), "--budget", "none"]
    process = subprocess.Popen(
        [sys.executable, "-m", "localpers", *arguments], stderr=subprocess.PIPE, text=True
    )
    runs = home / "profiles/default/runs"
    deadline = time.monotonic() + 120
    while not list(runs.glob("*/checkpoint/state.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in complaints
    assert "Interrupted" in complaints
    status = cli("status", "--json").json
    assert status["interrupted"] and status["runs"] == []
    resumed = finished(cli(*arguments, "--resume", "--json"))
    assert resumed["run"] == status["interrupted"]
    whole = finished(cli(*arguments, "--json"))
    assert whole["losses"] == resumed["losses"] and whole["tokens"] == resumed["tokens"]
    name = "adapter/adapter_model.safetensors"
    assert whole["files"][name] == resumed["files"][name]
    assert whole["run"] != resumed["run"]


def finished(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    run: dict[str, Any] = outcome.json
    return run


def test_old_runs_are_pruned_and_the_promoted_one_stays(
    cli: CommandLine, indexed: Path, tmp_path: Path, home: Path
) -> None:
    from localpers.profile import Profile
    from localpers.runs import KEPT_RUNS, RunFolder, finished_runs, prune
    from localpers.runs.records import RecordedBase, RunRecord

    profile = Profile.open()
    runs = []
    for number in range(KEPT_RUNS + 3):
        run = RunFolder(profile.runs / f"2024010{number}-000000-aaaa")
        run.path.mkdir()
        base = RecordedBase(name="llama", sha256="")
        run.finish(RunRecord(run=run.id, base="llama", base_model=base))
        runs.append(run)
    unfinished = RunFolder(profile.runs / "20230101-000000-aaaa")
    unfinished.path.mkdir()
    profile.promote(runs[0].id)
    prune(profile)
    assert [run.id for run in finished_runs(profile)] == [
        *(run.id for run in reversed(runs[-KEPT_RUNS:])),
        runs[0].id,
    ]
    assert not unfinished.path.exists()


def test_the_newest_notes_may_be_lines_but_not_everything_that_is_held_out(
    cli: CommandLine, diary: Path, recipe: Path, tmp_path: Path, home: Path
) -> None:
    def lines(number: int) -> Path:
        text = "---\ndate: 2025-01-{}\n---\nLine {}.\n"
        return write(
            tmp_path / f"{number}",
            {f"{n:02}.md": text.format(f"{n % 28 + 1:02}", f"{number} {n}") for n in range(number)},
        )

    assert cli("ingest", diary, lines(12)).code == 0
    plan = ("tune", "--base", "llama", "--recipe", recipe, "--dry-run", "--json")
    assert cli(*plan).code == 0
    assert cli("ingest", lines(60)).code == 0
    refused = cli("tune", "--base", "llama", "--recipe", recipe)
    assert refused.code == 1 and "long enough to judge by" in refused.err.splitlines()[-1]
    assert not list((home / "profiles/default/runs").iterdir())
