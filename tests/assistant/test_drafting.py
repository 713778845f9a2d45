"""Drafts of every form from real notes: within their length, without markup, grounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localpers.assistant.drafting import LIMITS, draft
from localpers.assistant.grounding import invented
from localpers.assistant.plain_text import plain, sentences
from localpers.assistant.quoting import Candidate, ScoredUnit
from localpers.assistant.units import units_of
from localpers.corpus.readers.markdown import markdown_blocks
from localpers.datatypes import Kind, RetrievedPassage, StoredDocument

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
ONE_LINE = ("title", "commit")
PLAIN = ("title", "commit", "tweet", "email")


class NoVectors:
    """Notes without an encoder."""

    lexicon = None

    def similarities(self, query: str, texts: Sequence[str]) -> None:
        return None

    def closeness(self, query: str, ids: Sequence[int]) -> None:
        return None

    def documents(self, ids: Iterable[int]) -> dict[int, StoredDocument]:
        return {}

    def find(self, query: str, k: int, retriever: str) -> list[RetrievedPassage]:
        return []

    def close(self) -> None:
        pass


def candidate(text: str, title: str, number: int = 1) -> Candidate:
    blocks, heading = markdown_blocks(text)
    document = StoredDocument(
        id=number,
        path=f"/notes/{number}.md",
        part="",
        title=heading or title,
        kind=Kind.NOTE,
        date="2024-05-17",
        date_from="metadata",
        language="en",
        content_hash=str(number),
        text=text,
        blocks=blocks,
    )
    passage = RetrievedPassage(1, 1.0, number, document.path, document.title, "", 0, 9, text[:9])
    scored = tuple(ScoredUnit(unit, 0.5, 0.5) for unit in units_of(document))
    return Candidate(passage, document, scored, 0.5)


@pytest.mark.parametrize("form", LIMITS)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_draft_keeps_its_form_and_says_what_the_note_says(form: str, page: Path) -> None:
    found = [candidate(page.read_text(encoding="utf-8"), page.stem)]
    text = draft(form, f"a {form} about it", found, NoVectors()).text
    assert text.strip()
    assert len(text) <= LIMITS[form].most
    if form in ONE_LINE:
        assert "\n" not in text
    if form in PLAIN:
        assert "```" not in text
        assert not any(line.startswith("#") for line in text.splitlines())
    sources = [found[0].document.title, found[0].document.text, plain(found[0].document.text)]
    assert invented(text.removeprefix("Subject: "), sources) == []


def test_close_notes_share_a_summary_and_distant_ones_do_not() -> None:
    near = [candidate("# Rye\n\nRye bread rests for a long night.\n", "Rye", 1),
            candidate("# Spelt\n\nSpelt bread rests for one hour only.\n", "Spelt", 2)]  # fmt: skip
    made = draft("summary", "sum up my bread notes", near, NoVectors())
    assert "Rye" in made.text and "Spelt" in made.text
    far = [near[0], Candidate(near[1].passage, near[1].document, near[1].units, 0.1)]
    assert "Spelt" not in draft("summary", "sum up my bread notes", far, NoVectors()).text


@settings(max_examples=60)
@given(st.text(max_size=120))
def test_plain_text_is_one_line_and_stays_plain(text: str) -> None:
    once = plain(text)
    assert "\n" not in once
    assert " ".join(sentences(once)).split() == once.split()
