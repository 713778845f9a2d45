"""Authorship verification on real writing: own texts pass, other people's do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.evaluation.authorship import AuthorshipVerifier
from localpers.evaluation.context import shipped_passages

DOCS = Path(__file__).parents[2] / "docs"


def paragraphs(folder: Path) -> list[str]:
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))]
    return [part for text in texts for part in text.split("\n\n") if len(part) > 150]


def test_own_writing_is_accepted_and_others_is_not() -> None:
    own, others = paragraphs(DOCS), [passage.text for passage in shipped_passages()]
    seen, unseen = others[: 2 * len(others) // 3], others[2 * len(others) // 3 :]
    verifier = AuthorshipVerifier(own[::2], seen)
    accepted = sum(map(verifier.accepts, own[1::2])) / len(own[1::2])
    wrongly = sum(map(verifier.accepts, unseen)) / len(unseen)
    assert accepted > 0.75
    assert wrongly < 0.35


def test_nothing_is_nobodys() -> None:
    verifier = AuthorshipVerifier(paragraphs(DOCS), ["Rain fell on the hills." * 3] * 8)
    assert not verifier.accepts("")


def test_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        AuthorshipVerifier(["a text"], ["another"] * 20)
