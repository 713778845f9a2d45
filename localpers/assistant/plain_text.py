"""Markdown to plain sentences, for forms that show no markup."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from localpers.datatypes import Block, BlockKind, StoredDocument

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z0-9À-ÞА-Я])|(?<=[。！？])")


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")


def plain(text: str) -> str:
    """The words of some Markdown on one line: link texts, code without backticks, no images."""
    parts: list[str] = []
    for token in _parser().parse(text):
        if token.type in ("fence", "code_block"):
            parts.append(token.content)
        for child in token.children or ():
            if child.type in ("text", "code_inline"):
                parts.append(child.content)
            elif child.type in ("softbreak", "hardbreak"):
                parts.append(" ")
        parts.append(" ")
    return " ".join("".join(parts).split())


def plain_blocks(text: str) -> Iterator[str]:
    """The blocks of a piece of Markdown in plain text; code is indented instead of fenced."""
    for token in _parser().parse(text):
        if token.type in ("fence", "code_block"):
            yield "\n".join("    " + line for line in token.content.rstrip().splitlines())
        elif token.type == "inline":
            yield plain(token.content)


def sentences(text: str) -> list[str]:
    """The sentences of plain text."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def prose(document: StoredDocument) -> Iterator[str]:
    """The document's own sentences in plain text: no headings, code, tables or quotes."""
    for block in own_blocks(document.blocks):
        yield from sentences(plain(document.text[block.start : block.end]))


def own_blocks(blocks: Sequence[Block]) -> Iterator[Block]:
    """Paragraphs and list items."""
    return (b for b in blocks if b.kind in (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM))
