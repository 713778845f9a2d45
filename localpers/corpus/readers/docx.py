"""DOCX, read by python-docx: headings, lists, quotes and tables in document order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localpers.corpus.readers.archive import zip_container
from localpers.corpus.readers.blocks import TextBuilder
from localpers.corpus.readers.metadata import built_document, iso_date
from localpers.datatypes import BlockKind, Document
from localpers.errors import UnreadableFile

_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)


def read_docx(path: Path) -> Iterator[Document]:
    with zip_container(path, "docx") as archive:
        assert archive.fp is not None
        try:
            yield from _documents(path, archive.fp)
        except (UnreadableFile, MemoryError):
            raise
        except Exception as error:  # zipfile, lxml and python-docx raise their own errors.
            raise UnreadableFile("broken DOCX") from error


def _documents(path: Path, file: Any) -> Iterator[Document]:
    import docx
    from docx.table import Table

    document = docx.Document(file)
    builder = TextBuilder()
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            builder.add(BlockKind.TABLE, "\n".join(_rows(item)))
        else:
            kind, level = _kind(item)
            builder.add(kind, item.text, level)
    properties = document.core_properties
    yield built_document(path, builder, title=properties.title, date=iso_date(properties.created))


def _kind(paragraph: Any) -> tuple[BlockKind, int]:
    style = (paragraph.style.name or "") if paragraph.style is not None else ""
    if heading := _HEADING.fullmatch(style):
        return BlockKind.HEADING, int(heading[1])
    if style == "Title":
        return BlockKind.HEADING, 1
    if "Quote" in style:
        return BlockKind.QUOTE, 0
    properties = paragraph._p.pPr
    numbered = properties is not None and properties.numPr is not None
    if numbered or style.startswith("List"):
        return BlockKind.LIST_ITEM, 0
    return BlockKind.PARAGRAPH, 0


def _rows(table: Any) -> Iterator[str]:
    for row in table.rows:
        # A merged cell is repeated for each column it spans.
        cells = {id(cell._tc): cell.text for cell in row.cells}
        yield " | ".join(" ".join(text.split()) for text in cells.values())
