"""HTML, by Beautiful Soup on lxml: its visible text with headings, lists, tables and quotes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from localpers.corpus.readers.blocks import TextBuilder
from localpers.corpus.readers.encoding import BOMS, clean, decode
from localpers.corpus.readers.files import read_bytes
from localpers.corpus.readers.metadata import iso_date, make_document
from localpers.datatypes import BlockKind, Document, Kind
from localpers.errors import UnreadableFile

if TYPE_CHECKING:
    from bs4 import BeautifulSoup
    from bs4.element import PageElement, Tag

_DROPPED = frozenset(
    {"head", "iframe", "nav", "noscript", "object", "script", "select", "style", "svg", "template"}
)
_BLOCK_TAGS = frozenset(
    {"address", "article", "aside", "body", "caption", "dd", "details", "dialog", "div", "dl"}
    | {"dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "main"}
    | {"ol", "p", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"}
)
_COLLAPSIBLE = re.compile(r"\s+")
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_DATE_METADATA = (
    {"property": "article:published_time"},
    {"itemprop": "datePublished"},
    {"name": "date"},
    {"name": "dcterms.created"},
    {"name": "DC.date"},
)


def read_html(path: Path) -> Iterator[Document]:
    soup = parse_html(read_bytes(path, "html"))
    builder = TextBuilder()
    append_html(builder, soup)
    if not builder.blocks:
        raise UnreadableFile("no text in it")
    yield make_document(
        path,
        builder.text,
        builder.blocks,
        kind=Kind.ARTICLE,
        title=soup.title.get_text() if soup.title else None,
        date=_date_of(soup),
    )


def parse_html(markup: bytes | str) -> BeautifulSoup:
    """The tree of `markup`; bytes are in the encoding that they declare, else in a detected one.

    Raises UnreadableFile for binary content.
    """
    from bs4 import BeautifulSoup

    text = clean(markup) if isinstance(markup, str) else _decoded(markup)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XHTML read as HTML, text that looks like a path.
        return BeautifulSoup(text, "lxml")


def _decoded(markup: bytes) -> str:
    from bs4.dammit import EncodingDetector

    declared = EncodingDetector.find_declared_encoding(markup, is_html=True)
    if declared is not None and not markup.startswith(BOMS):
        try:
            return clean(markup.decode(declared))
        except (LookupError, ValueError):  # An unknown name, or a declaration that is wrong.
            pass
    return decode(markup)


def append_html(builder: TextBuilder, soup: BeautifulSoup) -> None:
    """Append the visible text below `soup`. What is nested absurdly deep comes as one paragraph."""
    try:
        _Walk(builder).walk(soup, BlockKind.PARAGRAPH, 0)
    except RecursionError:
        builder.add(BlockKind.PARAGRAPH, soup.get_text(" "))


def _date_of(soup: BeautifulSoup) -> str | None:
    stated = [soup.find("meta", attrs=dict(names)) for names in _DATE_METADATA]
    dates = [str(tag.get("content", "")) for tag in stated if tag is not None]
    time = soup.find("time", attrs={"datetime": True})
    if time is not None:
        dates.append(str(time["datetime"]))
    return next((found for date in dates if (found := iso_date(date))), None)


class _Walk:
    """Collects inline text and hands it on as a Block whenever a block-level tag begins or ends."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._inline: list[str] = []

    def walk(self, parent: Tag, kind: BlockKind, level: int) -> None:
        for child in parent.children:
            name = getattr(child, "name", None)
            if name is None:
                self._collect(child)
            elif name == "br":
                self._inline.append("\n")
            elif name not in _DROPPED:
                self._enter(child, name, kind, level)  # type: ignore[arg-type]
        if parent.name == "[document]":
            self._flush(kind, level)

    def _enter(self, tag: Tag, name: str, kind: BlockKind, level: int) -> None:
        inner, inner_level = kind, level
        if name in _HEADINGS:
            inner, inner_level = BlockKind.HEADING, _HEADINGS[name]
        elif name == "li":
            inner = BlockKind.LIST_ITEM
        elif name == "blockquote":
            inner = BlockKind.QUOTE
        elif name == "pre":
            inner = BlockKind.CODE
        elif name == "table" and _is_data(tag):
            inner = BlockKind.TABLE
        elif name not in _BLOCK_TAGS:
            self.walk(tag, kind, level)
            return
        if kind is BlockKind.QUOTE:
            inner, inner_level = BlockKind.QUOTE, 0
        self._flush(kind, level)
        if name == "pre":
            self._builder.add(inner, tag.get_text())
        elif inner is BlockKind.TABLE:
            self._builder.add(inner, _rows(tag))
        else:
            self.walk(tag, inner, inner_level)
            self._flush(inner, inner_level)

    def _collect(self, node: PageElement) -> None:
        from bs4.element import CData, NavigableString

        # Comments, doctypes and the like are subclasses of the string that is shown.
        if type(node) in (NavigableString, CData):
            self._inline.append(_COLLAPSIBLE.sub(" ", str(node)))

    def _flush(self, kind: BlockKind, level: int) -> None:
        lines = "".join(self._inline).split("\n")
        self._inline.clear()
        text = "\n".join(" ".join(line.split()) for line in lines)
        self._builder.add(kind, text, level)


def _is_data(table: Tag) -> bool:
    """Whether `table` holds data. Mail and old pages lay text out in tables: those are no data."""
    if table.find(["table", "p", "div", "h1", "h2", "h3", "ul", "ol", "blockquote", "pre"]):
        return False
    return any(len(row.find_all(["td", "th"])) > 1 for row in table.find_all("tr"))


def _rows(table: Tag) -> str:
    rows = (row.find_all(["td", "th"]) for row in table.find_all("tr"))
    return "\n".join(
        " | ".join(" ".join(cell.get_text(" ").split()) for cell in row) for row in rows
    )
