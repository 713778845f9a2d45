"""reStructuredText, by docutils. Nothing is included, run or fetched."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from localpers.corpus.readers.blocks import (
    Span,
    blocks_of_lines,
    indented_end,
    paragraph_end,
)
from localpers.corpus.readers.encoding import read_text
from localpers.corpus.readers.metadata import (
    make_document,
    stated_date,
    stated_kind,
    stated_tags,
    stated_title,
)
from localpers.datatypes import BlockKind, Document

STRUCTURE_LIMIT = 500_000
"""Characters up to which the structure is parsed; a longer file is read as paragraphs."""

_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "halt_level": 6,
    "raw_enabled": False,
    "report_level": 5,
    "syntax_highlight": "none",
}
# docutils ends lines at these as well; for us and for every editor only \n does.
_OTHER_LINE_ENDS = str.maketrans(dict.fromkeys("\v\f\x1c\x1d\x1e\x85\u2028\u2029", " "))
_CODE = frozenset({"literal_block", "doctest_block", "math_block"})


def read_rst(path: Path) -> Iterator[Document]:
    text = read_text(path, "rst")
    spans: list[Span] = []
    metadata: dict[str, str] = {}
    heading = None
    tree = _parsed(text) if len(text) <= STRUCTURE_LIMIT else None
    if tree is not None:
        _collect(tree, text.split("\n"), spans)
        metadata = _fields(tree)
        heading = next((title.astext() for title in tree.findall(_named("title"))), None)
    yield make_document(
        path,
        text,
        blocks_of_lines(text, spans),
        kind=stated_kind(metadata),
        title=stated_title(metadata) or heading,
        date=stated_date(metadata),
        tags=stated_tags(metadata),
        first_line=1,
    )


def _parsed(text: str) -> Any | None:
    """The document tree; None where docutils fails on it, which leaves paragraphs."""
    from docutils.frontend import get_default_settings
    from docutils.parsers.rst import Parser
    from docutils.utils import new_document

    settings = get_default_settings(Parser)
    for name, value in _SETTINGS.items():
        setattr(settings, name, value)
    settings.warning_stream = io.StringIO()
    tree = new_document("", settings)
    try:
        Parser().parse(text.translate(_OTHER_LINE_ENDS), tree)
    except Exception:  # Its parser has no common error; RecursionError is among what it raises.
        return None
    return tree


def _named(name: str) -> Any:
    return lambda node: node.tagname == name


def _fields(tree: Any) -> dict[str, str]:
    """The first field list: `:Date:` and the like, under the title."""
    fields = next(tree.findall(_named("field_list")), None)
    if fields is None:
        return {}
    return {field[0].astext().strip().lower(): field[1].astext() for field in fields}


def _collect(tree: Any, lines: Sequence[str], spans: list[Span]) -> None:
    level = {id(tree): 0}
    for node in tree.findall():
        parent = node.parent
        if node.tagname == "section":
            level[id(node)] = level.get(id(parent), 0) + 1
        line = getattr(node, "line", None)
        if line is None or not 0 < line <= len(lines):
            continue
        span = _span(node.tagname, line - 1, lines, level.get(id(parent), 0))
        if span is not None:
            spans.append(span)


def _span(name: str, line: int, lines: Sequence[str], level: int) -> Span | None:
    if name == "title" and level:
        # docutils counts a title at its underline; a line above it may be drawn too.
        over = line - 2 if line > 1 and lines[line - 2].rstrip() == lines[line].rstrip() else None
        return Span(line - 1 if over is None else over, line + 1, BlockKind.HEADING, level)
    directive = lines[line].lstrip().startswith("..")
    if name == "list_item":
        return Span(line, indented_end(lines, line, deeper=True), BlockKind.LIST_ITEM)
    if name == "block_quote":
        return Span(line, indented_end(lines, line, deeper=False), BlockKind.QUOTE)
    if name in _CODE:
        end = (
            paragraph_end(lines, line)
            if name == "doctest_block"
            else indented_end(lines, line, deeper=directive)
        )
        return Span(line, end, BlockKind.CODE)
    if name == "table":
        end = indented_end(lines, line, deeper=True) if directive else paragraph_end(lines, line)
        return Span(line, end, BlockKind.TABLE)
    return None
