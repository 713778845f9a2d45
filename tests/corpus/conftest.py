"""What the tests of the readers share."""

from __future__ import annotations

from pathlib import Path

from localpers.corpus.readers import reader_for
from localpers.datatypes import Document


def read_text(path: Path, content: str) -> Document:
    """Write the file and read it; it must be one document."""
    path.write_text(content, encoding="utf-8")
    reader = reader_for(path)
    assert reader is not None
    (document,) = reader(path)
    return document


def pieces(document: Document) -> list[tuple[str, str]]:
    """(kind, text) of each block."""
    return [(b.kind.value, document.text[b.start : b.end]) for b in document.blocks]
