"""Org: headings and keywords by orgparse, other blocks by their first characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from localpers.corpus.readers.blocks import Span, blocks_of_lines, indented_end
from localpers.corpus.readers.encoding import read_text
from localpers.corpus.readers.metadata import iso_date, make_document
from localpers.datatypes import BlockKind, Document

_BEGIN = re.compile(r"\s*#\+begin_(\w+)", re.IGNORECASE)
_LIST_ITEM = re.compile(r"\s*(?:[-+]|\d+[.)])(?:\s|$)|\s+\*(?:\s|$)")
_BLOCKS = {
    "center": BlockKind.PARAGRAPH,
    "quote": BlockKind.QUOTE,
    "verse": BlockKind.PARAGRAPH,
}
_DATE_BRACKETS = "<>[]"


def read_org(path: Path) -> Iterator[Document]:
    text = read_text(path, "org")
    lines = text.split("\n")
    root = _parsed(lines)
    nodes = [] if root is None else [node for node in root if not node.is_root()]
    spans = _body_spans(lines) + [_heading_span(node) for node in nodes]
    title = _keyword(root, "TITLE") or next((n.heading for n in nodes if n.heading), None)
    yield make_document(
        path,
        text,
        blocks_of_lines(text, spans),
        title=title,
        date=iso_date(_keyword(root, "DATE").strip(_DATE_BRACKETS)),
        tags=() if root is None else tuple(dict.fromkeys(root.get_file_property_list("FILETAGS"))),
        first_line=1,
    )


def _parsed(lines: Sequence[str]) -> Any | None:
    """The root node, or None if orgparse fails; the file's other blocks are still found."""
    from orgparse import loadi

    try:
        return loadi(lines)
    except Exception:  # It has no error class: a malformed timestamp may raise anything.
        return None


def _keyword(root: Any | None, name: str) -> str:
    values = [] if root is None else root.get_file_property_list(name)
    return str(values[0]) if values else ""


def _heading_span(node: Any) -> Span:
    line = node.linenumber - 1
    return Span(line, line + 1, BlockKind.HEADING, node.level)


def _body_spans(lines: Sequence[str]) -> list[Span]:
    spans: list[Span] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        if begin := _BEGIN.match(line):
            end = _end_of_block(lines, number, begin[1].lower())
            spans.append(Span(number, end, _BLOCKS.get(begin[1].lower(), BlockKind.CODE)))
            number = end
        elif _is_row(line):
            end = next((n for n in range(number, len(lines)) if not _is_row(lines[n])), len(lines))
            spans.append(Span(number, end, BlockKind.TABLE))
            number = end
        else:
            if _LIST_ITEM.match(line):
                end = indented_end(lines, number, deeper=True)
                spans.append(Span(number, end, BlockKind.LIST_ITEM))
            number += 1
    return spans


def _is_row(line: str) -> bool:
    return line.lstrip().startswith("|")


def _end_of_block(lines: Sequence[str], first: int, name: str) -> int:
    for number in range(first + 1, len(lines)):
        if lines[number].strip().lower() == f"#+end_{name}":
            return number + 1
        if lines[number].startswith(("* ", "#+begin_", "#+BEGIN_")):
            return number  # The block was not closed.
    return len(lines)
