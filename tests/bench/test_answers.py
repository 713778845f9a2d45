"""`bench answers` on a vault of three notes: the figures, the page, the errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

NOTES = {
    "undo.md": "# Undo a commit\n\nTo undo the last commit and keep the changes:\n\n"
    "    git reset --soft HEAD~1\n",
    "bread.md": "# Rye bread\n\nMy rye bread takes 450 g of flour and rests for 14 hours.\n",
    "server.md": "# Backup server\n\nThe backup server listens on port 8765 since May.\n",
}
QUESTIONS = [
    {"id": "q-1", "question": "which port does the backup server use?", "answers": ["8765"],
     "notes": ["server.md"], "kind": "fact"},
    {"id": "q-2", "question": "how do I take back the last commit?", "answers": ["reset --soft"],
     "notes": ["undo.md"], "kind": "how"},
    {"id": "q-3", "question": "proportions for a negroni?", "kind": "none"},
]  # fmt: skip
DRAFTS = [
    {"id": "d-1", "request": "draft a tweet about my bread with rye", "form": "tweet",
     "topic": ["450 g"], "notes": ["bread.md"], "max_chars": 280},
]  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, cli: Callable[..., Any]) -> Path:
    vault = tmp_path / "vault"
    vault.mkdir()
    for name, text in NOTES.items():
        (vault / name).write_text(text)
    assert cli("ingest", vault).code == 0
    folder = tmp_path / "questions"
    folder.mkdir()
    for name, rows in (("questions.jsonl", QUESTIONS), ("drafts.jsonl", DRAFTS)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_right_answers_refusals_and_drafts_are_counted(
    place: Path, cli: Callable[..., Any], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    outcome = cli("bench", "answers", place, "--html", page, "--json")
    assert outcome.code == 0, outcome.err
    questions, drafts = outcome.json["questions"], outcome.json["drafts"]
    assert questions["right"]["value"] == 1.0
    assert questions["right_cited"]["value"] == 1.0
    assert questions["refused"]["value"] == 1.0
    assert questions["leaks"]["value"] == 0.0
    assert drafts["grounded"]["value"] == drafts["form"]["value"] == 1.0
    assert "negroni" in page.read_text()
    assert page.stat().st_mode & 0o077 == 0


def test_halves_are_disjoint(place: Path, cli: Callable[..., Any]) -> None:
    odd = cli("bench", "answers", place, "--only", "odd", "--json").json
    even = cli("bench", "answers", place, "--only", "even", "--json").json
    ids = [{one["id"] for one in half["answers"]} for half in (odd, even)]
    assert ids == [{"q-1", "q-3"}, {"q-2"}]


def test_a_wrong_line_is_named(place: Path, cli: Callable[..., Any]) -> None:
    (place / "questions.jsonl").write_text('{"id": "q", "question": "x", "answers": ["("]}\n')
    outcome = cli("bench", "answers", place)
    assert outcome.code == 1
    assert "questions.jsonl:1" in outcome.err
    assert "Traceback" not in outcome.err
