"""HTML, parsed by lxml: the visible text with headings, lists, tables and quotes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from localpers.corpus.readers.blocks import TextBuilder
from localpers.corpus.readers.encoding import clean, decode
from localpers.corpus.readers.files import read_bytes
from localpers.corpus.readers.metadata import built_document, iso_date
from localpers.datatypes import BlockKind, Document
from localpers.errors import UnreadableFile

_DROPPED = frozenset(
    {"head", "iframe", "nav", "noscript", "object", "script", "select", "style", "svg", "template"}
)
_BLOCK_TAGS = frozenset(
    {"address", "article", "aside", "body", "caption", "dd", "details", "dialog", "div", "dl"}
    | {"dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hr", "html", "main"}
    | {"ol", "p", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"}
)
_HIDING = re.compile(r"\b(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_SHRINKING = re.compile(r"\b(?:font-size|opacity)\s*:\s*0(?![.\d])", re.IGNORECASE)
_COLLAPSIBLE = re.compile(r"\s+")
_DECLARED = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)
_DECLARED_WITHIN = 4096
# Browsers read Latin-1 and ASCII as Windows-1252 (WHATWG Encoding Standard, 4.2).
_LATIN_1 = frozenset({b"ascii", b"iso-8859-1", b"latin1", b"us-ascii"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_KINDS = {
    "blockquote": BlockKind.QUOTE,
    "li": BlockKind.LIST_ITEM,
    "pre": BlockKind.CODE,
}
_IN_LAYOUT = ("table", "p", "div", "h1", "h2", "h3", "ul", "ol", "blockquote", "pre")
_DATE_METADATA = frozenset(
    {"article:published_time", "date", "datepublished", "dc.date", "dcterms.created"}
)


def read_html(path: Path) -> Iterator[Document]:
    root = parse_html(_decoded(read_bytes(path, "html")))
    builder = TextBuilder()
    if root is None:
        raise UnreadableFile("no text in it")
    append_html(builder, root)
    yield built_document(path, builder, title=root.findtext(".//title"), date=_date_of(root))


def parse_html(markup: str) -> Any | None:
    """The root element of `markup`, however malformed; None if there is no element."""
    from lxml import etree

    parser = etree.HTMLParser(
        encoding="utf-8", huge_tree=True, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(clean(markup).encode(), parser)
    except etree.ParseError:
        return None


def append_html(builder: TextBuilder, root: Any | None) -> None:
    """Append the visible text below `root`; markup nested too deep becomes one paragraph."""
    if root is None:
        return
    try:
        _Walk(builder).enter(root, BlockKind.PARAGRAPH, 0)
    except RecursionError:
        builder.add(BlockKind.PARAGRAPH, root.xpath("string()"))


def _decoded(data: bytes) -> str:
    """Decode as UTF-8, else by the declared encoding, else by a detected one."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        declared = _DECLARED.search(data, 0, _DECLARED_WITHIN)
    if declared is not None:
        name = declared[1].lower()
        try:
            return data.decode("cp1252" if name in _LATIN_1 else name.decode("ascii"))
        except (LookupError, ValueError):  # An unknown or wrong declaration.
            pass
    return decode(data)


def _date_of(root: Any) -> str | None:
    stated = [
        tag.get("content", "")
        for tag in root.iter("meta")
        if (tag.get("property") or tag.get("itemprop") or tag.get("name") or "").lower()
        in _DATE_METADATA
    ]
    stated += [tag.get("datetime", "") for tag in root.iter("time")][:1]
    return next((found for date in stated if (found := iso_date(date))), None)


class _Walk:
    """Collects inline text and adds it as a Block when a block-level tag begins or ends."""

    def __init__(self, builder: TextBuilder) -> None:
        self._builder = builder
        self._inline: list[str] = []

    def enter(self, tag: Any, kind: BlockKind, level: int) -> None:
        name = tag.tag
        inner, inner_level = kind, level
        if name == "br":
            self._inline.append("\n")
            return
        if name in _HEADINGS:
            inner, inner_level = BlockKind.HEADING, _HEADINGS[name]
        elif name in _KINDS:
            inner = _KINDS[name]
        elif name == "table" and _is_data(tag):
            inner = BlockKind.TABLE
        elif name not in _BLOCK_TAGS:
            self._descend(tag, kind, level)
            return
        if kind is BlockKind.QUOTE:
            inner, inner_level = BlockKind.QUOTE, 0
        self._flush(kind, level)
        if name == "pre":
            self._builder.add(inner, tag.xpath("string()"))
        elif inner is BlockKind.TABLE:
            self._builder.add(inner, _rows(tag))
        else:
            self._descend(tag, inner, inner_level)
            self._flush(inner, inner_level)

    def _descend(self, parent: Any, kind: BlockKind, level: int) -> None:
        self._collect(parent.text)
        for child in parent:
            if child.tag not in _DROPPED and not _is_hidden(child):
                self.enter(child, kind, level)
            self._collect(child.tail)

    def _collect(self, text: str | None) -> None:
        if text:
            self._inline.append(_COLLAPSIBLE.sub(" ", text))

    def _flush(self, kind: BlockKind, level: int) -> None:
        lines = "".join(self._inline).split("\n")
        self._inline.clear()
        text = "\n".join(" ".join(line.split()) for line in lines)
        self._builder.add(kind, text, level)


def _is_hidden(tag: Any) -> bool:
    """Whether a browser shows nothing of `tag`.

    Zero size and opacity count only for tags without children: layouts shrink boxes around visible
    content.
    """
    style = tag.get("style", "")
    return (
        tag.get("hidden") is not None
        or _HIDING.search(style) is not None
        or (len(tag) == 0 and _SHRINKING.search(style) is not None)
    )


def _is_data(table: Any) -> bool:
    """Whether `table` holds data; mail and old pages use tables for layout."""
    if any(tag is not table for tag in table.iter(*_IN_LAYOUT)):
        return False
    return any(len(_cells(row)) > 1 for row in table.iter("tr"))


def _rows(table: Any) -> str:
    rows = (_cells(row) for row in table.iter("tr"))
    return "\n".join(
        " | ".join(" ".join(cell.xpath("string()").split()) for cell in row) for row in rows
    )


def _cells(row: Any) -> list[Any]:
    return list(row.iter("td", "th"))
