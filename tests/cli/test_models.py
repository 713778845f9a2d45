"""`localpers models` as a person and as a program meet it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tiny_bert, tiny_gguf
from tests.conftest import CommandLine

KEYS = {
    "name",
    "path",
    "architecture",
    "quantization",
    "parameters",
    "bytes",
    "sha256",
    "installed",
}


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_gguf.build_tiny_model(tmp_path / "tiny.gguf", "qwen2", half=True)


def test_list_shows_what_is_installed_and_what_can_be_had(cli: CommandLine, tiny: Path) -> None:
    assert "smollm2-135m-instruct" in cli("models", "list").out
    added = cli("models", "add", tiny, "--json").json
    listed = cli("models", "list", "--json").json
    assert listed[0] == added
    assert added["installed"] is True and added["architecture"] == "qwen2"
    assert all(set(model) >= KEYS for model in listed)
    starter = next(model for model in listed if model["name"] == "smollm2-135m-instruct")
    assert starter["installed"] is False and starter["bytes"] == 98_362_432
    assert all(m["bytes"] is None for m in listed if not m["installed"] and m is not starter)


def test_add_shows_the_real_mix_and_remove_deletes(
    cli: CommandLine, tiny: Path, models: Path
) -> None:
    outcome = cli("models", "add", tiny, "--name", "mine")
    assert outcome.code == 0
    assert "bits per weight" in outcome.out and "SHA-256" in outcome.out
    assert cli("models", "remove", "mine", "--json").json["removed"] == "mine"
    assert not list(models.glob("mine*")) and tiny.is_file()


def test_a_model_without_a_template_is_taken_with_a_notice(
    cli: CommandLine, tmp_path: Path
) -> None:
    bare = tiny_gguf.build_tiny_model(tmp_path / "bare.gguf", "llama", chat_template=None)
    outcome = cli("models", "add", bare)
    assert outcome.code == 0 and "no chat template" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("add", "nowhere.gguf"),
        ("add", __file__),
        ("remove", "nothing"),
        ("pull", "nothing"),
        ("pull", "smollm2-135m-instruct", "--offline", "nowhere.whl"),
        ("pull", "smollm2-135m-instruct", "--offline", __file__),
    ],
)
def test_mistakes_are_one_line_and_exit_1(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    outcome = cli("models", *arguments)
    assert outcome.code == 1 and outcome.out == ""
    assert outcome.err.count("\n") == 1 and outcome.err.startswith("localpers: ")


def test_an_unknown_subcommand_is_a_usage_error(cli: CommandLine) -> None:
    assert cli("models", "fetch").code == 2


def test_an_embedding_model_is_taken_but_never_asked(cli: CommandLine, tmp_path: Path) -> None:
    outcome = cli("models", "add", tiny_bert.build_tiny_encoder(tmp_path / "mine.gguf"), "--json")
    assert outcome.code == 0 and outcome.json["embeds"] is True
    assert "embedding model" in outcome.err
    outcome = cli("ask", "anything", "--base", "mine")
    assert outcome.code == 1 and "embedding model" in outcome.err
    outcome = cli("ask", "anything")
    assert outcome.code == 1 and "models pull smollm2" in outcome.err
