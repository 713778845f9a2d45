"""Units: the pieces of a note that can answer on their own.

A unit is a paragraph with the code, list, table or quote that belongs to it, cut where it grows
beyond MOST_WORDS. Offsets are characters into the document's text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from localpers.datatypes import Block, BlockKind, StoredDocument

MOST_WORDS = 90
"""Of a unit, about: more than half of what a reader takes in at a glance."""
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)*_]*\s+|(?<=[。！？])")
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)|<img\b[^>]*>", re.IGNORECASE)
_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff"
_PIECE = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+|\s+")
_ATTACHED = (BlockKind.CODE, BlockKind.TABLE, BlockKind.LIST_ITEM, BlockKind.QUOTE)


@dataclass(frozen=True, slots=True)
class Unit:
    """`text` is `document.text[start:end]` without images; `heading` the section's title."""

    document: int
    start: int
    end: int
    text: str
    heading: str
    has_code: bool
    position: int
    """Its place among the note's units, from 0."""

    @property
    def words(self) -> int:
        return count_words(self.text)


def units_of(document: StoredDocument) -> list[Unit]:
    """The units of a document in reading order; none for one without text."""
    found: list[Unit] = []
    for heading, blocks in _groups(document.text, document.blocks):
        for start, end in _cut(document.text, blocks):
            text = _IMAGE.sub("", _fenced(document.text, start, end, blocks)).strip("\n")
            if any(map(str.isalnum, text)) and _has_words(text):
                code = any(
                    block.kind is BlockKind.CODE and block.start < end and start < block.end
                    for block in blocks
                )
                found.append(Unit(document.id, start, end, text, heading, code, len(found)))
    return found


def _fenced(text: str, start: int, end: int, blocks: Sequence[Block]) -> str:
    """`text[start:end]`, with the fences of a code block that it holds a part of."""
    cut = text[start:end]
    for block in blocks:
        if block.kind is not BlockKind.CODE or block.end <= start or end <= block.start:
            continue
        opening = text[block.start : block.end].lstrip().split("\n", 1)[0]
        mark = opening[:3]
        if mark not in ("```", "~~~"):
            continue
        if block.start < start:
            cut = f"{opening}\n{cut}"
        if end < block.end:
            cut = f"{cut.rstrip()}\n{mark}"
    return cut


def _groups(text: str, blocks: Sequence[Block]) -> Iterator[tuple[str, list[Block]]]:
    """(heading, blocks that belong together): what introduces code or a list stays with it."""
    heading, group = "", list[Block]()
    for block in blocks:
        if block.kind is BlockKind.HEADING:
            if group:
                yield heading, group
            heading, group = text[block.start : block.end].strip("# \n=-"), []
            continue
        introduced = bool(group) and _introduces(text, group[-1], block)
        if group and not introduced:
            yield heading, group
            group = []
        group.append(block)
    if group:
        yield heading, group


def _introduces(text: str, before: Block, block: Block) -> bool:
    if block.kind in _ATTACHED and block.kind is not BlockKind.QUOTE:
        if before.kind is block.kind:
            return block.kind is BlockKind.LIST_ITEM
        return before.kind in (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM)
    return before.kind is BlockKind.PARAGRAPH and text[before.start : before.end].rstrip().endswith(
        ":"
    )


def _cut(text: str, blocks: Sequence[Block]) -> Iterator[tuple[int, int]]:
    """The group whole where it is short, else runs of blocks; long blocks by sentence or line."""
    pieces: list[tuple[int, int]] = []
    for block in blocks:
        if _words(text, block.start, block.end) > MOST_WORDS:
            pieces.extend(_parts(text, block))
        else:
            pieces.append((block.start, block.end))
    start, end, words = pieces[0][0], pieces[0][0], 0
    for begin, stop in pieces:
        more = _words(text, begin, stop)
        if words and words + more > MOST_WORDS:
            yield start, end
            start, words = begin, 0
        end, words = stop, words + more
    yield start, end


def _parts(text: str, block: Block) -> Iterator[tuple[int, int]]:
    """A long block in pieces of at most about MOST_WORDS: sentences of prose, lines of code."""
    body = text[block.start : block.end]
    by_line = block.kind in (BlockKind.CODE, BlockKind.TABLE)
    cuts = [m.end() for m in re.finditer(r"\n", body)] if by_line else [
        m.end() for m in _SENTENCE_END.finditer(body)
    ]  # fmt: skip
    start = 0
    for previous, cut in zip([0, *cuts], [*cuts, len(body)], strict=True):
        if previous > start and count_words(body[start:cut]) > MOST_WORDS:
            yield block.start + start, block.start + previous
            start = previous
    if start < len(body):
        yield block.start + start, block.end


def _has_words(text: str) -> bool:
    """Whether more is left of a piece than fences."""
    return bool(re.sub(r"^[ \t]*(?:```|~~~).*$", "", text, flags=re.MULTILINE).strip())


def _words(text: str, start: int, end: int) -> int:
    return count_words(text[start:end])


def count_words(text: str) -> int:
    """Words; of Chinese, Japanese and Korean, two characters count as one."""
    pieces = _PIECE.findall(text)
    single = sum(len(piece) == 1 and not piece.isascii() for piece in pieces)
    return sum(not piece.isspace() for piece in pieces) - single + -(-single // 2)


def first_words(text: str, most: int) -> str:
    """The beginning of a text, of at most so many words."""
    end, words = 0, 0.0
    for match in _PIECE.finditer(text):
        if not match[0].isspace():
            words += 0.5 if len(match[0]) == 1 and not match[0].isascii() else 1.0
            if words > most:
                break
            end = match.end()
    return text[:end]
