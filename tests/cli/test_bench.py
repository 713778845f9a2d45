"""`localpers bench lamp` on a tiny base and small generated sets."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from localpers.bench.lamp.records import opened
from localpers.bench.lamp.tasks import TASKS
from tests.conftest import CommandLine, Outcome
from tests.lamp_files import write_lamp

UNTUNED = "base,rag,rag:paper,rag:recency,rag:random,rag:mismatched"


@pytest.fixture(autouse=True)
def models(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))


def bench(cli: CommandLine, *arguments: object) -> Outcome:
    outcome = cli("bench", "lamp", *arguments, "--base", "llama", "--json")
    assert outcome.code == 0, outcome.err
    return outcome


def lines(path: str | Path) -> list[dict[str, Any]]:
    """The settings, then the records."""
    head, *rows = (json.loads(line) for line in Path(path).read_text().splitlines())
    return [head, *(line["row"] for line in rows)]


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_measured_by_its_own_metrics(
    cli: CommandLine, tmp_path: Path, home: Path, task: str
) -> None:
    found = bench(cli, write_lamp(tmp_path, task), "--conditions", UNTUNED).json
    assert (found["task"], found["users"], found["questions"]) == (task, 2, 4)
    assert list(found["conditions"]) == UNTUNED.split(",")
    metrics = {*TASKS[task].metrics, "nll"}
    for name, condition in found["conditions"].items():
        numbers = {key for key, value in condition.items() if isinstance(value, float | int)}
        assert numbers == metrics
        assert all(low <= condition[m] <= high for m, (low, high) in condition["interval"].items())
        assert bool(condition["relative"]) is (name != "base")
    configuration, *records = lines(found["results"])
    assert configuration["task"] == task
    assert len(records) == 4 * 6
    assert {record["condition"] for record in records} == set(UNTUNED.split(","))
    for record in records:
        assert record["nats"] > 0 and "\n" not in record["prediction"]
    assert [path for path in home.rglob("*") if path.stat().st_mode & 0o077] == []


def test_adapters_are_trained_served_and_removed(
    cli: CommandLine, tmp_path: Path, home: Path
) -> None:
    pytest.importorskip("torch")
    folder = write_lamp(tmp_path, "LaMP_4", users=2, questions=1, items=12, dates=True)
    names = "base,rag,peft,rag+peft,chosen"
    found = bench(cli, folder, "--conditions", names, "--budget", "4s", "--jobs", 1).json
    assert list(found["conditions"]) == names.split(",")
    assert found["conditions"]["peft"]["nll"] < found["conditions"]["base"]["nll"]
    records = {(r["question"], r["condition"]): r for r in lines(found["results"])[1:]}
    trained = records["0", "peft"]["details"]["adapter"]
    assert trained["steps"] > 1 and trained["examples"] >= 12  # On a busy machine no more.
    choice = records["0", "chosen"]["details"]["choice"]
    assert choice["condition"] in ("base", "rag", "peft", "rag+peft")
    assert list(home.rglob("*.gguf")) == [] and found["adapters"] is None


def test_contrast_changes_what_the_tuned_model_writes_from_items_alone(
    cli: CommandLine, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    folder = write_lamp(tmp_path, "LaMP_4", users=1, questions=3, items=12)
    found = {}
    for contrast in (0, 0.5):
        results = tmp_path / f"{contrast}.jsonl"
        names = ("--conditions", "rag,rag+peft", "--results", results)
        bench(cli, folder, *names, "--contrast", contrast, "--budget", "20s", "--seed", 1)
        records = lines(results)[1:]
        found[contrast] = {(r["condition"], r["question"]): r["text"] for r in records}
    changed = {
        condition for (condition, q), text in found[0].items() if text != found[0.5][condition, q]
    }
    assert changed == {"rag+peft"}


@pytest.mark.parametrize("task", ["LaMP_1", "LaMP_7"])
def test_tasks_whose_items_are_no_pairs_are_learned_from_too(
    cli: CommandLine, tmp_path: Path, task: str
) -> None:
    pytest.importorskip("torch")
    folder = write_lamp(tmp_path, task, users=1, questions=1)
    arguments = ("--conditions", "peft", "--budget", "1s", "--keep")
    found = bench(cli, folder, *arguments).json
    assert len(list(Path(found["adapters"]).glob("*.gguf"))) == 1
    assert lines(found["results"])[1]["details"]["adapter"]["steps"] >= 1


def test_a_profile_too_small_to_learn_from_leaves_the_base(
    cli: CommandLine, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    folder = write_lamp(tmp_path, "LaMP_4", users=1, items=1)
    found = bench(cli, folder, "--conditions", "base,peft,chosen").json
    base = found["conditions"]["base"]["nll"]
    assert found["conditions"]["peft"]["nll"] == pytest.approx(base, rel=1e-3)
    details = {r["condition"]: r["details"] for r in lines(found["results"])[1:]}
    assert details["peft"] == {"adapter": None}


def test_what_is_too_long_for_the_model_does_not_stop_it(cli: CommandLine, tmp_path: Path) -> None:
    folder = write_lamp(tmp_path, "LaMP_4", users=1, questions=2)
    questions, outputs = folder / "questions.json", folder / "outputs.json"
    rows, golds = json.loads(questions.read_text()), json.loads(outputs.read_text())
    rows[0]["input"] += " river mill" * 3000
    golds["golds"][1]["output"] = "salt honey " * 3000
    questions.write_text(json.dumps(rows))
    outputs.write_text(json.dumps(golds))
    found = bench(cli, folder, "--conditions", "base,rag,rag:paper", "--jobs", 1).json
    assert found["questions"] == 2
    tokens = {record["question"]: record["tokens"] for record in lines(found["results"])[1:]}
    for record in lines(found["results"])[1:]:
        assert record["tokens"] == tokens[record["question"]]


def test_training_that_diverges_leaves_the_base(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from localpers.tuning.training import Trainer

    monkeypatch.setattr(Trainer, "_backward", lambda *_, **__: float("nan"))
    folder = write_lamp(tmp_path / "set", "LaMP_4", users=1, questions=1, items=12)
    arguments = ("--conditions", "base,peft,chosen", "--budget", "1s")
    found = bench(cli, folder, *arguments, "--jobs", 1).json
    base = found["conditions"]["base"]["nll"]
    assert found["conditions"]["peft"]["nll"] == pytest.approx(base, rel=1e-3)
    details = {r["condition"]: r["details"] for r in lines(found["results"])[1:]}
    assert details["peft"] == {"adapter": None, "diverged": True}


def test_an_adapter_has_the_same_time_whatever_else_is_asked(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch")
    from localpers.tuning.adapter_trainer import AdapterTrainer

    budgets: dict[str, list[float]] = {}
    monkeypatch.setattr(
        AdapterTrainer,
        "train",
        lambda self, examples, seconds, path: budgets.setdefault(path.name, []).append(seconds),
    )
    folder = write_lamp(tmp_path, "LaMP_4", users=1, questions=1, items=12)
    for conditions in ("peft", "peft,chosen"):
        bench(cli, folder, "--conditions", conditions, "--budget", "10s", "--again", "--jobs", 1)
    whole, held_out = (
        budgets[name] for name in sorted(budgets, key=lambda name: -max(budgets[name]))
    )
    assert (whole, held_out) == ([6, 6], [4])


def test_kept_adapters_outlive_a_run_that_keeps_none(
    cli: CommandLine, tmp_path: Path, home: Path
) -> None:
    pytest.importorskip("torch")
    folder = write_lamp(tmp_path, "LaMP_4", users=1, questions=1)
    arguments = (folder, "--conditions", "peft", "--budget", "1s", "--jobs", 1)
    kept = Path(bench(cli, *arguments, "--keep").json["adapters"])
    before = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    assert len(before) == 2
    bench(cli, *arguments, "--again")
    assert {path: path.stat().st_mtime_ns for path in kept.iterdir()} == before
    assert [path for path in home.rglob("*.gguf") if path.parent != kept] == []
    assert list(home.rglob("passing-*")) == []


def test_two_runs_do_not_write_one_file(cli: CommandLine, tmp_path: Path) -> None:
    folder = write_lamp(tmp_path / "set", "LaMP_4", users=1, questions=1)
    results = tmp_path / "results.jsonl"
    arguments = (folder, "--conditions", "base", "--results", results)
    with opened(results, {}, again=True):
        outcome = cli("bench", "lamp", *arguments, "--base", "llama", "--again")
    assert (outcome.code, outcome.out) == (1, "")
    assert "Another run" in outcome.err and len(outcome.err.strip().splitlines()) == 1
    bench(cli, *arguments, "--again")


def test_an_empty_profile_is_answered_for(cli: CommandLine, tmp_path: Path) -> None:
    found = bench(cli, write_lamp(tmp_path, "LaMP_7", items=0), "--conditions", "base,rag").json
    conditions = found["conditions"]
    assert conditions["rag"]["nll"] == pytest.approx(conditions["base"]["nll"], rel=1e-3)


def test_the_same_command_goes_on_and_more_can_be_added(cli: CommandLine, tmp_path: Path) -> None:
    folder = write_lamp(tmp_path, "LaMP_4", users=3)
    first = bench(cli, folder, "--users", 2, "--conditions", "base").json
    path = Path(first["results"])
    whole = path.read_text()
    # As after a kill: half a line at the end, and one answer too few.
    path.write_text("".join(whole.splitlines(keepends=True)[:-1]) + '{"user": "us')
    bench(cli, folder, "--users", 2, "--conditions", "base")
    assert path.read_text().startswith("".join(whole.splitlines(keepends=True)[:-1]))
    assert len(lines(path)) == 1 + 4
    whole = path.read_text()
    more = bench(cli, folder, "--conditions", "base,rag").json
    assert more["results"] == first["results"] and more["questions"] == 6
    assert path.read_text().startswith(whole)
    again = bench(cli, folder, "--conditions", "base", "--again").json
    assert len(lines(again["results"])) == 1 + 6


def test_results_of_other_settings_are_refused(cli: CommandLine, tmp_path: Path) -> None:
    folder = write_lamp(tmp_path / "set", "LaMP_6")
    results = tmp_path / "results.jsonl"
    arguments = (folder, "--conditions", "rag", "--results", results)
    bench(cli, *arguments)
    outcome = cli("bench", "lamp", *arguments, "--base", "llama", "-k", 1)
    assert outcome.code == 1
    assert "other settings (k)" in outcome.err and "--again" in outcome.err
    head, *answers = results.read_text().splitlines(keepends=True)
    older = json.loads(head)
    older["procedure"] -= 1
    results.write_text(json.dumps(older) + "\n" + "".join(answers))
    outcome = cli("bench", "lamp", *arguments, "--base", "llama")
    assert outcome.code == 1 and "other settings (procedure)" in outcome.err
    results.write_text("shopping list\n")
    outcome = cli("bench", "lamp", *arguments, "--base", "llama")
    assert outcome.code == 1 and "no results" in outcome.err


def test_processes_answer_as_one_does(cli: CommandLine, tmp_path: Path) -> None:
    folder = write_lamp(tmp_path, "LaMP_5", users=2)
    alone = bench(cli, folder, "--conditions", "base,rag", "--jobs", 1).json
    both = bench(cli, folder, "--conditions", "base,rag", "--jobs", 2, "--again").json
    for name, found in alone["conditions"].items():
        assert both["conditions"][name]["nll"] == pytest.approx(found["nll"], rel=1e-3)


def test_the_headline_is_what_conditions_gain_over_the_base(
    cli: CommandLine, tmp_path: Path
) -> None:
    folder = write_lamp(tmp_path, "LaMP_3")
    outcome = cli("bench", "lamp", folder, "--conditions", "base,rag", "--base", "llama")
    assert outcome.code == 0, outcome.err
    assert "LaMP_3: 2 users, 4 questions" in outcome.out
    assert "rag over base: mae " in outcome.out and "nll" in outcome.out
    assert ".jsonl" in outcome.err


def test_four_shards_have_the_figures_of_one_run(cli: CommandLine, tmp_path: Path) -> None:
    folder = write_lamp(tmp_path / "set", "LaMP_2", users=6, questions=2)
    results, arguments = tmp_path / "shards", "--base llama --conditions base,rag"
    alone = bench(cli, folder, "--conditions", "base,rag", "--jobs", 1).json
    localpers = f"{sys.executable} -m localpers"
    command = f"seq 4 | xargs -P 4 -I I {localpers} bench lamp {folder} {arguments}"
    subprocess.run(f"{command} --jobs 1 --shard I/4 --results {results}", shell=True, check=True)
    merged = cli("bench", "lamp", "--merge", results, "--json").json
    keys = ("task", "users", "questions", "conditions", "losses")
    assert [merged[key] for key in keys] == [alone[key] for key in keys]
    (results / "shard-0003-of-0004.json").unlink()
    incomplete = cli("bench", "lamp", "--merge", results)
    assert incomplete.code == 1 and "not finished, of 4: 3" in incomplete.err


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("--task", "LaMP_9"), 1, "LaMP_1"),
        (("--task", "LaMP_3"), 1, "is of the task LaMP_4"),
        (("--conditions", "rag:dense"), 1, "not measured"),
        (("--conditions", "raag"), 1, "no condition"),
        (("--budget", "soon"), 2, "is not a duration"),
        (("--base", "nowhere"), 1, "models"),
        (("--users", "1", "--conditions", "rag:mismatched"), 1, "second user"),
        (("--shard", "5/4"), 2, "is no share"),
        (("--shard", "1/4"), 1, "--results"),
    ],
)
def test_mistakes_are_one_line(
    cli: CommandLine, tmp_path: Path, arguments: tuple[str, ...], code: int, expected: str
) -> None:
    folder = write_lamp(tmp_path, "LaMP_4", users=1)
    base = () if "--base" in arguments else ("--base", "llama")
    outcome = cli("bench", "lamp", folder, *base, *arguments)
    assert (outcome.code, outcome.out) == (code, "")
    assert expected in outcome.err and len(outcome.err.strip().splitlines()) == 1


def test_without_adapters_no_torch_is_loaded(tmp_path: Path) -> None:
    folder = write_lamp(tmp_path, "LaMP_4", users=1, questions=1)
    code = (
        "import sys; from localpers.cli.app import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as stop: assert not stop.code\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    for arguments in (["--help"], [str(folder), "--base", "llama", "--conditions", "base,rag"]):
        outcome = subprocess.run(
            [sys.executable, "-c", code, "bench", "lamp", *arguments],
            capture_output=True,
            text=True,
        )
        assert outcome.returncode == 0 and outcome.stderr.endswith("False\n"), outcome.stderr


def test_processes_end_with_a_killed_command_and_the_next_clears_up_after_them(
    cli: CommandLine, tmp_path: Path, home: Path
) -> None:
    pytest.importorskip("torch")
    folder = write_lamp(tmp_path, "LaMP_4", users=2, questions=1, items=40)
    arguments = ("bench", "lamp", str(folder), "--base", "llama", "--conditions", "peft", "--keep")
    command = (sys.executable, "-m", "localpers", *arguments, "--budget", "60s", "--jobs", "2")
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        until(lambda: list(home.rglob("process-*/*")))
        workers = psutil.Process(running.pid).children(recursive=True)
        running.kill()
    assert len(workers) >= 2
    assert psutil.wait_procs(workers, timeout=20)[1] == []
    assert list(home.rglob("process-*"))
    bench(cli, folder, "--conditions", "peft", "--keep", "--budget", "1s", "--jobs", 1)
    assert list(home.rglob("process-*")) == []


def until(found: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is found."""
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)
