"""Jupyter notebooks: Markdown and code cells, without outputs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localpers.corpus.readers.blocks import TextBuilder
from localpers.corpus.readers.encoding import clean, read_text
from localpers.corpus.readers.markdown import markdown_blocks
from localpers.corpus.readers.metadata import built_document, stated_title
from localpers.datatypes import BlockKind, Document, Kind
from localpers.errors import UnreadableFile


def read_notebook(path: Path) -> Iterator[Document]:
    source = read_text(path, "notebook")
    try:
        notebook = _notebook(source)
    except Exception as error:  # Not JSON, an unknown version, or malformed cells.
        raise UnreadableFile("broken notebook") from error
    builder = TextBuilder()
    heading = None
    for cell in notebook.cells:
        text = clean(str(cell.get("source", "")))
        if cell.get("cell_type") == "markdown":
            text = text.strip("\n")
            blocks, first_heading = markdown_blocks(text)
            heading = heading or first_heading
            builder.extend(text, blocks)
        else:
            code = cell.get("cell_type") == "code"
            builder.add(BlockKind.CODE if code else BlockKind.PARAGRAPH, text)
    title = stated_title(notebook.metadata) or heading
    yield built_document(path, builder, kind=Kind.NOTE, title=title)


def _notebook(source: str) -> Any:
    """The notebook in version 4, read without validation, which would log its content."""
    from nbformat import convert
    from nbformat.reader import reads

    notebook = convert(reads(source), 4)
    if not all(isinstance(cell, dict) for cell in notebook.cells):
        raise ValueError
    return notebook
