"""Blocks of a text: from line spans that a parser found, or while a text is put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from localpers.corpus.readers.encoding import clean
from localpers.datatypes import Block, BlockKind
from localpers.errors import UnreadableFile

MOST_CHARACTERS = 32 << 20
"""Of a text put together from a container: a small one can name the same page again and again."""

_SPLIT_AT_BLANK_LINES = frozenset({BlockKind.PARAGRAPH, BlockKind.QUOTE})
_INDENTED = frozenset({BlockKind.CODE, BlockKind.TABLE})


class Span(NamedTuple):
    """Lines `first` up to, not including, `end` (0-based) of one kind."""

    first: int
    end: int
    kind: BlockKind
    level: int = 0


def blocks_of_paragraphs(text: str, offset: int = 0) -> tuple[Block, ...]:
    """The paragraphs of `text`, which begins at `offset` of its Document: split at blank lines."""
    return blocks_of_lines(text, (), offset)


def blocks_of_lines(text: str, spans: Iterable[Span], offset: int = 0) -> tuple[Block, ...]:
    """Blocks that hold every non-blank line of `text`.

    `spans` come outer before inner; the inner one decides, except within a QUOTE, where all is
    quoted. Lines that no span names are paragraphs. Code, tables, headings and list items keep
    the blank lines inside them; paragraphs and quotes end there.
    """
    lines = text.split("\n")
    labels = _labels(len(lines), spans)
    blocks: list[Block] = []
    position = offset
    open_span: Span | None = None
    after_blank = False
    for line, span in zip(lines, labels, strict=True):
        stripped = line.strip()
        if not stripped:
            after_blank = True
        else:
            end = position + len(line.rstrip())
            splits = after_blank and span.kind in _SPLIT_AT_BLANK_LINES
            if span is open_span and not splits:
                blocks[-1] = Block(span.kind, blocks[-1].start, end, span.level)
            else:
                indent = 0 if span.kind in _INDENTED else line.index(stripped)
                blocks.append(Block(span.kind, position + indent, end, span.level))
            open_span, after_blank = span, False
        position += len(line) + 1
    return tuple(blocks)


def _labels(count: int, spans: Iterable[Span]) -> list[Span]:
    labels = [Span(0, count, BlockKind.PARAGRAPH)] * count
    for span in spans:
        first, end = max(span.first, 0), min(span.end, count)
        if first >= end:
            continue
        if labels[first].kind is BlockKind.QUOTE:
            span = Span(first, end, BlockKind.QUOTE)
        labels[first:end] = [span] * (end - first)
    return labels


def indented_end(lines: Sequence[str], first: int, deeper: bool) -> int:
    """The line at which what begins at line `first` ends: where the indentation falls back.

    With `deeper` everything after the first line must be indented more than it (a list item, a
    directive), else at least as much (a literal block).
    """
    least = _indentation(lines[first]) + (1 if deeper else 0)
    for number in range(first + 1, len(lines)):
        if lines[number].strip() and _indentation(lines[number]) < least:
            return number
    return len(lines)


def paragraph_end(lines: Sequence[str], first: int) -> int:
    """The number of the first blank line after line `first`."""
    return next((n for n in range(first, len(lines)) if not lines[n].strip()), len(lines))


def _indentation(line: str) -> int:
    indent = line[: len(line) - len(line.lstrip())]
    return len(indent.expandtabs())


class TextBuilder:
    """A text put together piece by piece, with the Blocks of the pieces."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self.blocks: list[Block] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def next_offset(self) -> int:
        """Where a piece added now would begin, had it blank lines before it."""
        return self._length + (2 if self._length else 0)

    def add(self, kind: BlockKind, piece: str, level: int = 0) -> None:
        """Append one Block; nothing where `piece` is blank. List items follow line on line."""
        piece = clean(piece)
        piece = piece.strip("\n").rstrip() if kind is BlockKind.CODE else piece.strip()
        if not piece.strip():
            return
        follows = bool(self.blocks) and self.blocks[-1].kind is kind is BlockKind.LIST_ITEM
        self._append(piece, "\n" if follows else "\n\n")
        self.blocks.append(Block(kind, self._length - len(piece), self._length, level))

    def extend(self, text: str, blocks: Iterable[Block]) -> None:
        """Append clean `text` with the Blocks that lie in it."""
        if not text.strip():
            return
        self._append(text, "\n\n")
        start = self._length - len(text)
        self.blocks += [Block(b.kind, start + b.start, start + b.end, b.level) for b in blocks]

    def _append(self, piece: str, separator: str) -> None:
        if self._length + len(piece) > MOST_CHARACTERS:
            raise UnreadableFile(f"holds more than {MOST_CHARACTERS >> 20} million characters")
        if self._pieces:
            self._pieces.append(separator)
            self._length += len(separator)
        self._pieces.append(piece)
        self._length += len(piece)
