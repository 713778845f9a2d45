"""`localpers ask` on a tiny model: its output, its refusals, its exit codes; and on the starter."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localpers.errors import ModelNotFound
from localpers.weights.catalog import find

STARTER = "smollm2-135m-instruct"
NOTES = {
    "pass.md": "# Over the pass\n\nBread, salt, two onions and a jar of honey over the pass.\n",
    "river.md": "# The river\n\nThe river was low that summer, and the mill stood idle.\n",
    "garden.md": "# The garden\n\nThe garden floods: the drain under the north wall is blocked.\n",
}
JSON_KEYS = ["text", "answered", "sources", "model", "adapter", "tokens", "seconds"]
SOURCE_KEYS = ["n", "path", "title", "start", "end", "score", "cited"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = importlib.util.spec_from_file_location(
        "tiny_gguf", Path(__file__).parents[1] / "tiny_gguf.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny_gguf"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    built: Path = module.build_tiny_model(tmp_path_factory.mktemp("m") / "tiny.gguf", "llama")
    return built


@pytest.fixture
def models(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(tiny, folder / "tiny.gguf")
    monkeypatch.setenv("LOCALPERS_MODELS", str(folder))
    return folder


@pytest.fixture
def notes(tmp_path: Path, cli: Callable[..., Any]) -> Path:
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in NOTES.items():
        (folder / name).write_text(text)
    assert cli("ingest", folder).code == 0
    return folder


@pytest.mark.usefixtures("models")
def test_json_is_one_document_with_the_stated_keys(cli: Callable[..., Any], notes: Path) -> None:
    outcome = cli("ask", "Why does the garden flood?", "--json", "--max-tokens", 8, "-k", 2)
    assert outcome.code == 0
    document = outcome.json
    assert list(document) == JSON_KEYS
    assert document["sources"] and all(
        list(source) == SOURCE_KEYS for source in document["sources"]
    )
    assert document["sources"][0]["path"] == str(notes / "garden.md")
    assert [source["n"] for source in document["sources"]] == [
        n for n, _ in enumerate(document["sources"], 1)
    ]
    assert (document["model"], document["adapter"]) == ("tiny", None)
    assert document["answered"]
    assert document["tokens"]["completion"] <= 8
    seconds = document["seconds"]
    assert list(seconds) == ["retrieve", "load", "first_token", "total"]
    assert seconds["load"] <= seconds["first_token"] <= seconds["total"]


@pytest.mark.usefixtures("models")
def test_text_and_sources_go_to_stdout_plainly(cli: Callable[..., Any], notes: Path) -> None:
    outcome = cli("ask", "Why does the garden flood?", "--max-tokens", 8, "-k", 1)
    assert outcome.code == 0
    answer, sources = outcome.out.split("\n\nSources (* cited):\n")
    assert answer.strip()
    assert sources.strip("* ").startswith(f"[1] {notes / 'garden.md'}:1  The garden")
    assert "\x1b" not in outcome.out


@pytest.mark.usefixtures("models", "notes")
def test_without_notes_there_are_no_sources(cli: Callable[..., Any]) -> None:
    outcome = cli("ask", "Why does the garden flood?", "--no-rag", "--max-tokens", 4)
    assert outcome.code == 0 and "Sources" not in outcome.out
    assert cli("ask", "garden", "--no-rag", "--json", "--max-tokens", 4).json["sources"] == []


@pytest.mark.usefixtures("models", "notes")
def test_a_question_no_note_answers_says_so(cli: Callable[..., Any]) -> None:
    outcome = cli("ask", "Zyzzyva?", "--json")
    assert outcome.code == 0
    assert not outcome.json["answered"]
    assert "Your notes don't" in outcome.json["text"]


@pytest.mark.usefixtures("models", "notes")
def test_abstaining_answers_nothing_without_a_note(cli: Callable[..., Any]) -> None:
    outcome = cli("ask", "Write a tweet about zyzzyvas", "--abstain", "--json")
    assert outcome.code == 0 and "nothing was answered" in outcome.err
    assert outcome.json["text"] == "" and outcome.json["sources"] == []
    assert cli("ask", "garden", "--abstain", "--json", "--max-tokens", 4).json["sources"]
    assert cli("ask", "garden", "--abstain", "--no-rag").code == 2


@pytest.mark.usefixtures("models")
def test_an_empty_index_says_how_to_fill_it(cli: Callable[..., Any]) -> None:
    outcome = cli("ask", "Anything?", "--json", "--max-tokens", 4)
    assert outcome.code == 0 and "localpers ingest" in outcome.err
    assert outcome.json["sources"] == []


@pytest.mark.usefixtures("models", "notes")
def test_the_prompt_comes_from_standard_input(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Why does the garden \xff?\n")))
    document = cli("ask", "-", "--json", "--max-tokens", 4, "-k", 1).json
    assert document["sources"][0]["title"] == "The garden"


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "  "),
        ("ask",),
        ("ask", "x", "-k", 0),
        ("ask", "x", "--temperature", -1),
        ("ask", "x", "--run", "r", "--base", "b"),
    ],
)
def test_usage(cli: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    outcome = cli(*arguments)
    assert outcome.code == 2 and outcome.out == "" and "--help" in outcome.err


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("--run", "gone"), "localpers tune"),
        (("--base", "gone"), "models add"),
        (("--no-rag",), "shorten"),
    ],
)
def test_refusals_are_one_line(
    cli: Callable[..., Any], arguments: tuple[str, ...], hint: str
) -> None:
    outcome = cli("ask", "why " * 3000, *arguments)
    assert outcome.code == 1 and hint in outcome.err
    assert outcome.err.count("\n") == 1 and "why why" not in outcome.err


@pytest.mark.usefixtures("models")
def test_control_sequences_in_notes_do_not_reach_the_terminal(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    folder = tmp_path / "sly"
    folder.mkdir()
    title = r"\e]0;owned\aA garden"  # YAML's escapes
    (folder / "sly.md").write_text(f'---\ntitle: "{title}"\n---\nThe garden floods here.\n')
    cli("ingest", folder)
    outcome = cli("ask", "garden floods", "--max-tokens", 4)
    assert outcome.code == 0 and "Sources" in outcome.out
    assert not any(c in outcome.out for c in "\x1b\x07")


@pytest.mark.usefixtures("models")
def test_an_interrupt_keeps_what_was_printed_and_exits_130(home: Path) -> None:
    arguments = "ask Hello --no-rag --max-tokens 100000 --temperature 4 --seed 3"
    process = subprocess.Popen(
        [sys.executable, "-m", "localpers", *arguments.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"LOCALPERS_HOME": str(home)},
        # Tests that run in the background inherit that interrupts are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    first = process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    rest, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (first + rest).endswith(b"\n") and b"Traceback" not in complaint


@pytest.fixture(scope="session")
def starter() -> Path:
    if stated := os.environ.get("LOCALPERS_TEST_STARTER"):
        return Path(stated)
    try:
        return find(STARTER).path
    except ModelNotFound:
        pytest.skip("the starter model is not here: run 'localpers models pull' or 'make install'")


@pytest.mark.e2e
@pytest.mark.usefixtures("notes")
def test_the_starter_answers_from_the_notes(
    cli: Callable[..., Any], models: Path, starter: Path
) -> None:
    (models / f"{STARTER}.gguf").symlink_to(starter)
    arguments = ("ask", "What did we carry over the pass?", "--max-tokens", 48, "--json")
    document = cli(*arguments).json
    assert document["model"] == STARTER
    assert document["sources"][0]["title"] == "Over the pass"
    assert document["sources"][0]["cited"]
    assert cli(*arguments).json["text"] == document["text"]
