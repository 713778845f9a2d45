"""Plain text: paragraphs between blank lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from localpers.corpus.readers.blocks import blocks_of_paragraphs
from localpers.corpus.readers.encoding import read_text
from localpers.corpus.readers.metadata import make_document
from localpers.datatypes import Document


def read_plain_text(path: Path) -> Iterator[Document]:
    text = read_text(path, "text")
    yield make_document(path, text, blocks_of_paragraphs(text), first_line=1)
