"""Readers turn a file of a known format into Documents. One module per format.

A reader imports its format's library when called, so that looking one up costs nothing. It knows
nothing of the index and opens only the file it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from localpers.corpus.readers.docx import read_docx
from localpers.corpus.readers.epub import read_epub
from localpers.corpus.readers.files import MAX_BYTES
from localpers.corpus.readers.html import read_html
from localpers.corpus.readers.mail import looks_like_mbox, read_eml, read_mbox
from localpers.corpus.readers.markdown import read_markdown
from localpers.corpus.readers.notebook import read_notebook
from localpers.corpus.readers.org import read_org
from localpers.corpus.readers.pdf import read_pdf
from localpers.corpus.readers.posts import read_posts
from localpers.corpus.readers.rst import read_rst
from localpers.corpus.readers.text import read_plain_text
from localpers.datatypes import Document

__all__ = ["MAX_BYTES", "Reader", "is_simple", "reader_for"]


class Reader(Protocol):
    """Yields the Documents of one file.

    Raises UnreadableFile if the file is damaged or too large, and NotADocument if it holds data
    rather than writing. Both may come after some Documents were yielded.
    """

    def __call__(self, path: Path) -> Iterator[Document]: ...


_READERS: dict[str, Reader] = {
    **dict.fromkeys((".md", ".markdown", ".mdx", ".qmd", ".rmd"), read_markdown),
    **dict.fromkeys((".txt", ".text"), read_plain_text),
    **dict.fromkeys((".html", ".htm", ".xhtml"), read_html),
    **dict.fromkeys((".json", ".jsonl", ".js"), read_posts),
    ".rst": read_rst,
    ".org": read_org,
    ".pdf": read_pdf,
    ".docx": read_docx,
    ".epub": read_epub,
    ".eml": read_eml,
    ".mbox": read_mbox,
    ".ipynb": read_notebook,
}
_SIMPLE: frozenset[Reader] = frozenset({read_markdown, read_plain_text})
"""Pure Python readers whose time a short file bounds."""
_TEXT_NAMES = frozenset(
    {"authors", "changelog", "changes", "diary", "history", "ideas", "journal"}
    | {"news", "notes", "readme", "thoughts", "todo"}
)
_MAILBOX_NAMES = frozenset({"mbox", "inbox", "sent", "drafts", "archive", "archives"})


def reader_for(path: Path) -> Reader | None:
    """The reader for `path` by its name, or None for an unknown type.

    It looks into the file only if the name is a mailbox's and has no suffix.
    """
    suffix = path.suffix.lower()
    if suffix:
        return _READERS.get(suffix)
    name = path.name.lower()
    if name in _TEXT_NAMES:
        return read_plain_text
    if name in _MAILBOX_NAMES and looks_like_mbox(path):
        return read_mbox
    return None


def is_simple(reader: Reader) -> bool:
    """Whether no short file can crash `reader` or keep it busy: it uses no native library."""
    return reader in _SIMPLE
