"""`localpers ask --form` with a text to work on: the person's own notes show how."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CommandLine, write

NOTES = {
    f"{name}.md": f"# {title}\n\n{text}\n"
    for name, title, text in (
        ("river", "Low water", "The river was low that summer, and the mill stood idle."),
        ("garden", "Blocked drains", "The garden floods: the drain at the wall is blocked."),
        ("bread", "Over the pass", "Bread, salt, two onions and a jar of honey from the mill."),
    )
}


@pytest.fixture(autouse=True)
def notes(
    cli: CommandLine, tmp_path: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))
    assert cli("ingest", write(tmp_path / "notes", NOTES)).code == 0


def test_a_title_for_a_text_is_one_line_after_the_titles_of_own_notes(cli: CommandLine) -> None:
    request = "title for this text: the mill turns again and the river is high"
    answer = cli("ask", request, "--form", "title", "--base", "llama", "--json").json
    assert answer["text"] and "\n" not in answer["text"]
    names = {Path(source["path"]).name for source in answer["sources"]}
    assert {"river.md", "bread.md"} <= names
    alone = cli("ask", request, "--form", "title", "--base", "llama", "--no-rag", "--json").json
    assert alone["sources"] == [] and alone["tokens"]["prompt"] < answer["tokens"]["prompt"]


def test_one_of_the_labels_in_the_request_is_chosen(cli: CommandLine) -> None:
    request = "Which of [kitchen, garden, travel] is this: the drain is blocked"
    answer = cli("ask", request, "--form", "label", "--base", "llama", "--json").json
    assert answer["text"] in ("kitchen", "garden", "travel")
