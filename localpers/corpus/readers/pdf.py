"""PDF: the text layer, page by page, by PDFium."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from localpers.corpus.readers.blocks import TextBuilder, blocks_of_paragraphs
from localpers.corpus.readers.encoding import clean
from localpers.corpus.readers.files import opened
from localpers.corpus.readers.metadata import iso_date, make_document
from localpers.datatypes import Document, Kind
from localpers.errors import UnreadableFile

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_DATE = re.compile(
    r"D:(?P<day>\d{8})(?P<time>\d{6})?(?:(?P<utc>Z)|(?P<zone>[+-]\d\d)'?(?P<minutes>\d\d)?)?"
)
_HYPHENATION = re.compile("[\ufffe\x02]\n?")
"""PDFium's mark for a hyphen at the end of a line."""


def read_pdf(path: Path) -> Iterator[Document]:
    """One Document, whose blocks never cross pages."""
    from pypdfium2 import PdfDocument, PdfiumError

    with opened(path, "pdf") as file:
        try:
            document = PdfDocument(file)
        except PdfiumError as error:
            protected = "password" in str(error).lower()
            raise UnreadableFile("encrypted PDF" if protected else "broken PDF") from error
        try:
            yield _document(path, document)
        except PdfiumError as error:
            raise UnreadableFile("broken PDF") from error
        finally:
            document.close()


def _document(path: Path, document: PdfDocument) -> Document:
    builder = TextBuilder()
    pages: list[int] = []
    for number in range(len(document)):
        pages.append(builder.next_offset)
        text = _page_text(document, number)
        builder.extend(text, blocks_of_paragraphs(text))
    text = builder.text
    if not text:
        raise UnreadableFile("PDF without a text layer")
    metadata = document.get_metadata_dict()
    return make_document(
        path,
        text,
        builder.blocks,
        kind=Kind.ARTICLE,
        title=metadata.get("Title"),
        date=_date(metadata.get("CreationDate", "")),
        pages=tuple(min(page, len(text)) for page in pages),
    )


def _page_text(document: PdfDocument, number: int) -> str:
    page = document[number]
    layer = page.get_textpage()
    text = _HYPHENATION.sub("", clean(layer.get_text_bounded()))
    layer.close()
    page.close()
    return text.strip()


def _date(stated: str) -> str | None:
    """A PDF date (ISO 32000-1, 7.9.4) as ISO 8601."""
    match = _DATE.match(stated.strip())
    if match is None:
        return iso_date(stated)
    day = match["day"]
    date = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    if match["time"] is None:
        return iso_date(date)
    hour, minute, second = (match["time"][at : at + 2] for at in (0, 2, 4))
    zone = f"{match['zone']}:{match['minutes'] or '00'}" if match["zone"] else ""
    return iso_date(f"{date}T{hour}:{minute}:{second}{'+00:00' if match['utc'] else zone}")
