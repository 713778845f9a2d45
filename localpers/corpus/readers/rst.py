"""reStructuredText, parsed by docutils without including, running or fetching anything."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from localpers.corpus.readers.blocks import Span, blocks_of_lines, indented_end, paragraph_end
from localpers.corpus.readers.encoding import read_text
from localpers.corpus.readers.metadata import stated_document
from localpers.datatypes import BlockKind, Document

STRUCTURE_LIMIT = 500_000
"""Characters; a longer file is split into paragraphs only."""

_SETTINGS = {
    "_disable_config": True,
    "file_insertion_enabled": False,
    "halt_level": 6,
    "raw_enabled": False,
    "report_level": 5,
    "syntax_highlight": "none",
}
# docutils also ends lines at these; editors do not.
_OTHER_LINE_ENDS = str.maketrans(dict.fromkeys("\v\f\x1c\x1d\x1e\x85\u2028\u2029", " "))
_CODE_DIRECTIVE = re.compile(r"\s*\.\. (?:code|code-block|sourcecode|parsed-literal)::")
_CODE = frozenset({"literal_block", "doctest_block", "math_block"})


def read_rst(path: Path) -> Iterator[Document]:
    text = read_text(path, "rst")
    spans: list[Span] = []
    metadata: dict[str, str] = {}
    heading = None
    tree = _parsed(text) if len(text) <= STRUCTURE_LIMIT else None
    if tree is not None:
        lines = text.split("\n")
        spans = [*_node_spans(tree, lines, level=0), *_code_directives(lines)]
        metadata = _fields(tree)
        heading = next((title.astext() for title in tree.findall(_named("title"))), None)
    yield stated_document(path, text, blocks_of_lines(text, spans), metadata, heading)


def _parsed(text: str) -> Any | None:
    """The document tree, or None if docutils fails."""
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
    except Exception:  # It has no common error class, and may raise RecursionError.
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


def _node_spans(node: Any, lines: Sequence[str], level: int) -> Iterator[Span]:
    for child in node.children:
        line = getattr(child, "line", None)
        if line is not None and 0 < line <= len(lines) and lines[line - 1].strip():
            span = _span(child.tagname, line - 1, lines, level)
            if span is not None:
                yield span
        if child.tagname != "table":  # docutils numbers the lines of a cell from its own start.
            yield from _node_spans(child, lines, level + (child.tagname == "section"))


def _code_directives(lines: Sequence[str]) -> Iterator[Span]:
    """Code directives: docutils misplaces its own and does not know Sphinx's options."""
    for line, text in enumerate(lines):
        if _CODE_DIRECTIVE.match(text):
            yield Span(line, indented_end(lines, line, deeper=True), BlockKind.CODE)


def _span(name: str, line: int, lines: Sequence[str], level: int) -> Span | None:
    if name == "title" and level:
        # docutils places a title at its underline; there may be an overline too.
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
