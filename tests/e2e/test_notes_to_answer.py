"""The whole way on real notes and the real starter: ingest, search, tune, ask.

The notes are those of one person over six years, in a folder beside the project or named by
LOCALPERS_TEST_DATA; without them the tests skip. The starter must be installed (`make starter`).
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from localpers.errors import ModelNotFound
from localpers.weights.catalog import find
from tests.conftest import CommandLine

ROOT = Path(__file__).parents[2]
NOTES = Path(os.environ.get("LOCALPERS_TEST_DATA", ROOT.parent / "shared/data")) / "til"
BUDGET = 90
MOST_TIMES_BUDGET = 2
QUESTIONS = {
    "How do I attach a shell to a Docker container that is already running?": "docker/attach-bash",
    "How can I change the date of a git commit to the past?": "git/backdate-git-commits",
    "How did I find out which commit broke something with git bisect?": "git/git-bisect",
    "How do I create a PostgreSQL user that can only read?": "postgresql/read-only-postgresql",
    "How do I see the schema of a table in PostgreSQL?": "postgresql/show-schema",
    "How do I call pip from Python code?": "python/call-pip-programatically",
    "How do I make my own zsh prompt?": "zsh/custom-zsh-prompt",
    "How do I turn on the mouse in vim?": "vim/mouse-support-in-vim",
    "How can I remove secrets from the history of a repository?": "git/rewrite-repo-remove",
    "How do I run pytest inside Docker?": "docker/pytest-docker",
}
ENOUGH = 8

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for the tests of this file, which follow one another as a user's day would."""
    if not NOTES.is_dir():
        pytest.skip(f"the notes are not here ({NOTES}); LOCALPERS_TEST_DATA names their folder")
    pytest.importorskip("torch")
    try:
        find("smollm2-135m-instruct")
    except ModelNotFound:
        pytest.skip("the starter model is not installed: run 'make starter'")
    return tmp_path_factory.mktemp("e2e-home")


@pytest.fixture(autouse=True)
def use_shared_home(shared_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCALPERS_HOME", str(shared_home))


def test_ingest_reads_every_note_once(cli: CommandLine) -> None:
    # Vectors for all of them take minutes; test_starter_encoder.py covers them.
    report = cli("ingest", NOTES, "--encoder", "none", "--json").json
    count = len(list(NOTES.rglob("*.md")))
    assert report["added"] == report["documents"] == count and report["skipped"] == []
    again = cli("ingest", NOTES, "--json").json
    assert (again["unchanged"], again["added"], again["updated"]) == (count, 0, 0)


def test_a_hit_stands_at_its_line(cli: CommandLine) -> None:
    for hit in cli("search", "sqlite wal mode", "--json").json:
        line = Path(hit["path"]).read_text().splitlines()[hit["line"] - 1]
        assert line.strip() == hit["text"].splitlines()[0].strip()


def test_tune_keeps_to_its_budget_and_promotes_only_what_is_better(cli: CommandLine) -> None:
    began = time.monotonic()
    outcome = cli("tune", "--budget", f"{BUDGET}s", "--json")
    seconds = time.monotonic() - began
    assert outcome.code == 0, outcome.err
    run = outcome.json
    parity = run["parity"]
    assert parity["merged_f16"]["mean_kl"] < 1e-4 and parity["merged_f16"]["tokens_equal"]
    assert parity["adapter"]["mean_kl"] < 2e-2 and parity["quantized"]["mean_kl"] < 0.2
    proved = run["verdict"]["gain"]["low"] > 0 and run["verdict"]["neutral_rise"] <= 0.1
    assert run["reason"] and (proved or not run["promoted"])
    assert cli("status", "--json").json["promoted"] == (run["run"] if run["promoted"] else None)
    # How closely is a matter of the machine and of who else uses it, so no test's.
    assert seconds <= BUDGET * MOST_TIMES_BUDGET


def test_the_right_note_is_among_the_sources(cli: CommandLine) -> None:
    run = cli("status", "--json").json["runs"][0]["run"]
    found = 0
    for question, note in QUESTIONS.items():
        answer: dict[str, Any] = cli(
            "ask", question, "--run", run, "--max-tokens", 24, "--json"
        ).json
        assert answer["adapter"] == run and answer["text"].strip()
        numbers = {source["n"] for source in answer["sources"]}
        assert numbers == set(range(1, len(answer["sources"]) + 1))
        found += any(note in source["path"] for source in answer["sources"])
    assert found >= ENOUGH


@pytest.mark.timeout(900)
def test_what_tuning_is_worth_is_measured_on_later_notes(cli: CommandLine, tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    conditions = "base,rag,rag+peft"
    outcome = cli("eval", "--sample", 1, "--conditions", conditions, "--report", report, "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.json
    assert found["documents"] == 1 and set(found["conditions"]) == set(conditions.split(","))
    assert found["conditions"]["rag"]["nll"] < found["conditions"]["base"]["nll"] + 0.2
    assert 0 < found["conditions"]["base"]["bits_per_byte"] < 4
    assert 5 < found["neutral"]["base"] < 60 and "<svg" in report.read_text()


def test_the_tuned_model_can_be_exported(cli: CommandLine, tmp_path: Path) -> None:
    run = cli("status", "--json").json["runs"][0]["run"]
    outcome = cli("export", tmp_path / "model", "--run", run, "--json")
    assert outcome.code == 0, outcome.err
    names = {file["name"] for file in outcome.json["files"]}
    assert "Modelfile" in names and any(name.endswith(".gguf") for name in names)
