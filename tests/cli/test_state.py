"""`status`, `doctor`, `export`, and what holds for every command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from localpers.cli.app import app
from localpers.profile import Profile
from localpers.runs import RunFolder
from localpers.runs.records import RecordedBase, RunRecord, RunServed
from localpers.weights.catalog import find
from tests.conftest import CommandLine, write

COMMANDS = sorted(
    [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
    + [group.name for group in app.registered_groups if group.name]
)
HEAVY = ("torch", "transformers", "peft", "llama_cpp", "rich")


@pytest.fixture
def tuned(tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> RunFolder:
    """A finished run whose merged model is the tiny base itself."""
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))
    base = find("llama")
    run = RunFolder.create(Profile.open())
    run.model("q8_0").write_bytes(base.path.read_bytes())
    run.finish(
        RunRecord(
            run=run.id,
            created="2024-01-01",
            base="llama",
            base_model=RecordedBase(name="llama", sha256=base.sha256),
            examples=3,
            reason="better",
            served=RunServed(model=run.model("q8_0").name),
        )
    )
    return run


def test_status_of_an_empty_profile(cli: CommandLine) -> None:
    state = cli("status", "--json").json
    assert state["index"]["documents"] == 0 and state["runs"] == []
    assert "ingest" in cli("status").out


def test_status_tells_index_runs_and_who_answers(
    cli: CommandLine, tuned: RunFolder, tmp_path: Path
) -> None:
    cli("ingest", write(tmp_path / "n", {"a.md": "# A\n\nThe river was low that summer, again."}))
    Profile.open().promote(tuned.id)
    state = cli("status", "--json").json
    assert state["index"]["documents"] == 1 and state["promoted"] == tuned.id
    assert tuned.id in cli("status").out


def test_doctor_is_healthy_with_a_model_and_says_what_is_missing_without(
    cli: CommandLine, tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))
    outcome = cli("doctor", "--json")
    assert outcome.code == 0 and outcome.json["healthy"] is True
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path / "none"))
    outcome = cli("doctor")
    assert outcome.code == 1 and "models pull" in outcome.out


def test_export_makes_a_folder_for_other_runtimes(
    cli: CommandLine, tuned: RunFolder, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    assert "tune" in cli("export", folder).err
    outcome = cli("export", folder, "--run", tuned.id, "--json")
    assert outcome.code == 0, outcome.err
    modelfile = (folder / "Modelfile").read_text()
    model = modelfile.splitlines()[0].removeprefix("FROM ./")
    assert (folder / model).read_bytes() == tuned.model("q8_0").read_bytes()
    assert 'SYSTEM """' in modelfile
    assert {file["name"] for file in outcome.json["files"]} == {"Modelfile", "README.txt", model}
    outcome = cli("export", folder, "--run", tuned.id)
    assert outcome.code == 1 and "not an empty folder" in outcome.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    root = Path(__file__).parents[2]
    assert f"localpers {command}" in (root / "docs/commands.md").read_text()


def test_help_and_search_start_light() -> None:
    code = (
        "import sys; from localpers.cli.app import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print('LOADED', *sorted(sys.modules), file=sys.stderr)"
    )
    for arguments in (["--help"], ["search", "anything"], ["ask", "--help"], ["status"]):
        outcome = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True
        )
        loaded = outcome.stderr.split("LOADED", 1)[1].split()
        assert [name for name in HEAVY if name in loaded] == [], arguments


def test_a_failure_shows_no_traceback_without_debug(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("with a secret in it")

    monkeypatch.setattr("localpers.store.Store.open", fail)
    outcome = cli("status")
    assert outcome.code == 1 and outcome.out == ""
    assert outcome.err.count("\n") == 1 and "secret" not in outcome.err
    with pytest.raises(RuntimeError):
        cli("status", "--debug")


@pytest.mark.parametrize(
    "arguments",
    [("--nonsense",), ("fly",), ("search",), ("ask", "x", "-k", "0"), ("ingest",)],
)
def test_wrong_usage_exits_with_2(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    outcome = cli(*arguments)
    assert (outcome.code, outcome.out) == (2, "")


def test_version_and_module_are_the_same_command(cli: CommandLine) -> None:
    version = cli("--version").out
    outcome = subprocess.run(
        [sys.executable, "-m", "localpers", "--version"], capture_output=True, text=True
    )
    assert outcome.stdout == version and version.startswith("localpers ")


def test_a_damaged_profile_file_is_named(cli: CommandLine) -> None:
    profile = Profile.open()
    (profile.root / "profile.json").write_text("{not json")
    outcome = cli("status")
    assert outcome.code == 1 and "profile.json" in outcome.err
    (profile.root / "profile.json").write_text(json.dumps({"promoted": "gone"}))
    assert "Runs" in cli("ask", "x").err or "kept" in cli("ask", "x").err


def test_a_closed_pipe_is_no_failure(cli: CommandLine, tmp_path: Path) -> None:
    cli("ingest", write(tmp_path / "n", {f"{i}.md": "# A\n\nriver " * 200 for i in range(40)}))
    process = subprocess.Popen(
        [sys.executable, "-m", "localpers", "search", "river", "-k", "500"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(30) == 0 and process.stderr.read() == b""


@pytest.mark.parametrize("stated", ["/dev/null/x", "/proc/nowhere"])
def test_a_home_that_cannot_be_made_is_one_line(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, stated: str
) -> None:
    monkeypatch.setenv("LOCALPERS_HOME", stated)
    outcome = cli("status")
    assert outcome.code == 1 and outcome.err.count("\n") == 1 and stated in outcome.err


def test_an_open_home_is_closed(cli: CommandLine, home: Path) -> None:
    home.chmod(0o755)
    cli("status")
    assert home.stat().st_mode & 0o077 == 0


def test_damaged_pages_are_one_line(cli: CommandLine, tmp_path: Path) -> None:
    cli("ingest", write(tmp_path / "n", {f"{i}.md": f"# A{i}\n\nriver {i}" for i in range(300)}))
    database = Profile.open().database
    content = bytearray(database.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    database.write_bytes(content)
    for command in (["search", "river"], ["status"], ["doctor"]):
        outcome = cli(*command)
        assert outcome.code == 1 and "Unexpected" not in outcome.err, command


def test_output_in_another_encoding_still_comes(tmp_path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-m", "localpers", "search", "日本語"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert outcome.returncode == 0 and b"Traceback" not in outcome.stderr


def test_rollback_undoes_one_promotion_after_the_other(cli: CommandLine, tuned: RunFolder) -> None:
    profile = Profile.open()
    assert "Nothing answered before" in cli("rollback").err
    profile.promote(tuned.id)
    profile.promote("gone")
    assert cli("rollback", "--json").json == {"promoted": tuned.id, "before": "gone"}
    assert cli("rollback", "--json").json == {"promoted": None, "before": tuned.id}
    assert cli("rollback").code == 1 and tuned.is_finished


def test_rollback_returns_to_the_base_of_then(cli: CommandLine, tuned: RunFolder) -> None:
    profile = Profile.open()
    profile.promote(tuned.id, "llama")
    profile.promote("other", "qwen2")
    assert profile.base() == "qwen2"
    cli("rollback")
    assert (profile.promoted(), profile.base()) == (tuned.id, "llama")
    cli("rollback")
    assert (profile.promoted(), profile.base()) == (None, None)


def test_rollback_goes_to_what_is_named_and_passes_over_what_is_gone(
    cli: CommandLine, tuned: RunFolder
) -> None:
    profile = Profile.open()
    for run in (tuned.id, "gone", "now"):
        profile.promote(run)
    refused = cli("rollback", "--to", "gone")
    assert refused.code == 1 and tuned.id in refused.err and profile.promoted() == "now"
    assert tuned.id in cli("rollback").out
    assert "answering: the base model" in cli("rollback", "--to", "base").out
