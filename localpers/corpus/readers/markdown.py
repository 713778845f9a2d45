"""Markdown (CommonMark and tables) with YAML or TOML front matter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localpers.corpus.readers.blocks import Span, blocks_of_lines, blocks_of_paragraphs
from localpers.corpus.readers.encoding import read_text
from localpers.corpus.readers.metadata import stated_document
from localpers.datatypes import Block, BlockKind, Document
from localpers.errors import UnreadableFile

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

STRUCTURE_LIMIT = 1_000_000
"""Characters; a longer file is split into paragraphs only. markdown-it takes about 200 bytes and
4 µs for each character."""

_KINDS = {
    "blockquote_open": BlockKind.QUOTE,
    "code_block": BlockKind.CODE,
    "fence": BlockKind.CODE,
    "heading_open": BlockKind.HEADING,
    "hr": BlockKind.PARAGRAPH,
    "html_block": BlockKind.PARAGRAPH,
    "list_item_open": BlockKind.LIST_ITEM,
    "table_open": BlockKind.TABLE,
}
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_MATTER_LIMIT = 64 * 1024
_MATTER_DEPTH = 16
"""Nesting of front matter; deep recursion crashes libyaml."""
_HEADING_LIMIT = 1000
"""Characters of a heading whose inline markup is parsed, which takes quadratic time."""


def read_markdown(path: Path) -> Iterator[Document]:
    whole = read_text(path, "markdown")
    metadata, start = front_matter(whole)
    text = whole[start:]
    if not text.strip():
        raise UnreadableFile("nothing but front matter")
    text = _without_comments(text)
    if not text.strip():
        raise UnreadableFile("nothing but comments")
    blocks, heading = markdown_blocks(text)
    first_line = whole.count("\n", 0, start) + 1
    yield stated_document(path, text, blocks, metadata, heading, first_line)


def _without_comments(text: str) -> str:
    """Blank out HTML comments, keeping all offsets. Those in code and paragraphs stay."""
    if "<!--" not in text or len(text) > STRUCTURE_LIMIT:
        return text
    try:
        tokens = _block_parser().parse(text)
    except RecursionError:
        return text
    lines = text.split("\n")
    for token in tokens:
        if token.type == "html_block" and token.map and token.content.lstrip().startswith("<!--"):
            part = "\n".join(lines[token.map[0] : token.map[1]])
            lines[token.map[0] : token.map[1]] = _COMMENT.sub(_blank, part).split("\n")
    return "\n".join(lines)


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def front_matter(text: str) -> tuple[Mapping[str, Any], int]:
    """The front matter of `text` and the offset of the body; ({}, 0) if it cannot be parsed."""
    if not text.startswith(("---", "+++")):
        return {}, 0
    import tomllib

    from frontmatter import YAMLHandler
    from frontmatter.default_handlers import BaseHandler

    if text.startswith("---"):
        handler = YAMLHandler()
    else:
        handler = BaseHandler(re.compile(r"^\+{3,}\s*$", re.MULTILINE), "+++", "+++")
    try:
        matter, body = handler.split(text)
        if len(matter) > _MATTER_LIMIT:
            return {}, 0
        if text.startswith("---"):
            metadata = handler.load(matter) if _is_harmless(matter) else None
        else:
            metadata = tomllib.loads(matter)
    except Exception:  # Malformed input raises many errors besides the parsers' own.
        return {}, 0
    if not isinstance(metadata, dict):
        return {}, 0
    return metadata, len(text) - len(body.lstrip("\n"))


def _is_harmless(matter: str) -> bool:
    """Whether the YAML has no aliases, which can expand to gigabytes, and no deep nesting."""
    if "*" not in matter and sum(map(matter.count, "[{-:?")) <= _MATTER_DEPTH:
        return True  # Plain front matter needs no second parse.
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    for event in yaml.parse(matter, Loader=loader):
        if isinstance(event, yaml.AliasEvent):
            return False
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MATTER_DEPTH:
            return False
    return True


def markdown_blocks(text: str) -> tuple[tuple[Block, ...], str | None]:
    """The Blocks of `text` and its first heading without markup."""
    if len(text) > STRUCTURE_LIMIT:
        return blocks_of_paragraphs(text), None
    try:
        tokens = _block_parser().parse(text)
    except RecursionError:
        return blocks_of_paragraphs(text), None
    spans = [
        Span(token.map[0], token.map[1], _KINDS[token.type], _level(token))
        for token in tokens
        if token.map is not None and token.type in _KINDS
    ]
    return blocks_of_lines(text, spans), _first_heading(tokens)


def _level(token: Token) -> int:
    return int(token.tag[1:]) if token.type == "heading_open" else 0


def _first_heading(tokens: Sequence[Token]) -> str | None:
    for token, inline in pairwise(tokens):
        if token.type == "heading_open" and inline.content:
            return _without_markup(inline.content[:_HEADING_LIMIT])
    return None


def _without_markup(content: str) -> str:
    children = _inline_parser().parseInline(content)[0].children or []
    return "".join(
        " " if token.type in ("softbreak", "hardbreak") else token.content
        for token in children
        if token.type != "html_inline"
    )


@cache
def _block_parser() -> MarkdownIt:
    """Block rules only: inline markup takes most of the time and changes no block."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable(["inline", "text_join"])


@cache
def _inline_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
