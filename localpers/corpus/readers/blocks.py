"""Build Blocks from a parser's line spans, or while assembling a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from localpers.corpus.readers.encoding import clean
from localpers.datatypes import Block, BlockKind
from localpers.errors import UnreadableFile

MAX_CHARACTERS = 32 << 20
"""Of a text assembled from a container, which can name the same page many times."""

_SPLIT_AT_BLANK_LINES = frozenset({BlockKind.PARAGRAPH, BlockKind.QUOTE})
_INDENTED = frozenset({BlockKind.CODE, BlockKind.TABLE})


class Span(NamedTuple):
    """Lines `first` to `end` (0-based, exclusive) of one kind."""

    first: int
    end: int
    kind: BlockKind
    level: int = 0


def blocks_of_paragraphs(text: str, offset: int = 0) -> tuple[Block, ...]:
    """Split at blank lines `text`, which begins at `offset` in its Document."""
    return blocks_of_lines(text, (), offset)


def blocks_of_lines(text: str, spans: Iterable[Span], offset: int = 0) -> tuple[Block, ...]:
    """Blocks that cover every non-blank line of `text`.

    `spans` come outer before inner; the innermost decides, except within a QUOTE. Lines outside
    all spans are paragraphs. Only paragraphs and quotes end at blank lines.
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
    """The line at which the indented block that begins at line `first` ends.

    Later lines must be indented more than the first if `deeper` (a list item, a directive), else at
    least as much (a literal block).
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
    """Assembles a text and its Blocks piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self.blocks: list[Block] = []

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    @property
    def next_offset(self) -> int:
        """Where a piece added now would begin after a blank line."""
        return self._length + (2 if self._length else 0)

    def add(self, kind: BlockKind, piece: str, level: int = 0) -> None:
        """Append one Block unless `piece` is blank. No blank line separates list items."""
        piece = clean(piece)
        piece = piece.strip("\n").rstrip() if kind is BlockKind.CODE else piece.strip()
        if not piece.strip():
            return
        follows = bool(self.blocks) and self.blocks[-1].kind is kind is BlockKind.LIST_ITEM
        self._append(piece, "\n" if follows else "\n\n")
        self.blocks.append(Block(kind, self._length - len(piece), self._length, level))

    def extend(self, text: str, blocks: Iterable[Block]) -> None:
        """Append cleaned `text` with its Blocks."""
        if not text.strip():
            return
        self._append(text, "\n\n")
        start = self._length - len(text)
        self.blocks += [Block(b.kind, start + b.start, start + b.end, b.level) for b in blocks]

    def _append(self, piece: str, separator: str) -> None:
        if self._length + len(piece) > MAX_CHARACTERS:
            raise UnreadableFile(f"holds more than {MAX_CHARACTERS >> 20} million characters")
        if self._pieces:
            self._pieces.append(separator)
            self._length += len(separator)
        self._pieces.append(piece)
        self._length += len(piece)
