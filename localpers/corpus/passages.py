"""Documents → Passages: structural blocks packed up to a size, never cut where it can be helped."""

from __future__ import annotations

import re
from collections.abc import Iterator

from localpers.datatypes import Block, BlockKind, Document, Passage

VERSION = 1
MOST_TOKENS = 200
LONGEST_UNIT = 10_000
"""Characters of a line or sentence that is looked at as a whole: a file may be one line of
millions, and the expressions below need some hundred bytes of memory for each."""
ENOUGH_TOKENS = 60
"""A heading opens a new passage once the one before holds this many."""

# What a byte-level BPE of some 50,000 entries makes one token of, roughly: up to six letters, a
# digit, a punctuation mark, a run of blanks, a character of a script without blanks.
_TOKENISH = re.compile(r"[A-Za-z]{1,6}|[^\W\d_A-Za-z]{1,2}|\d|[^\w\s]|_|\n\s*|[ \t]{2,}")
_WORD = re.compile(r"\S{1,100}\s*|\s+")
_SENTENCE = re.compile(
    r"(?:[^.!?。！？\n]|[.!?](?=\S))*(?:[.!?]+(?:[\"'”’)\]]*)\s+|[。！？]+\s*|\n\s*|$)"
)


def estimate_tokens(text: str) -> int:
    """About how many tokens a language model makes of `text`, without loading one."""
    return len(_TOKENISH.findall(text))


def split_passages(document: Document) -> tuple[Passage, ...]:
    """The document's passages, in order, disjoint, each at most about MOST_TOKENS long.

    They follow the blocks: headings stay with what they head, and only a block that is itself too
    long is cut, code and tables between lines, prose between sentences, at last between words.
    """
    passages: list[Passage] = []
    headings: list[tuple[int, str]] = []
    start = end = tokens = 0
    heading = ""
    for block in document.blocks:
        if block.kind is BlockKind.HEADING:
            if tokens >= ENOUGH_TOKENS:
                passages.append(Passage(start, end, heading))
                tokens = 0
            headings = [(n, t) for n, t in headings if n < block.level]
            headings.append((block.level, _one_line(document.text[block.start : block.end])))
        for piece_start, piece_end, size in _pieces(document.text, block):
            if tokens and tokens + size > MOST_TOKENS:
                passages.append(Passage(start, end, heading))
                tokens = 0
            if not tokens:
                start = piece_start
                heading = " > ".join(text for _, text in headings)
            end = piece_end
            tokens += max(size, 1)
    if tokens:
        passages.append(Passage(start, end, heading))
    return tuple(passages)


def _one_line(heading: str) -> str:
    lines = [line.strip(" #=-~*\t") for line in heading.splitlines()]
    return " ".join(line for line in lines if line)[:120]


def _pieces(text: str, block: Block) -> Iterator[tuple[int, int, int]]:
    """(start, end, tokens) of a block, or of the pieces that it must be cut into."""
    short = block.end - block.start <= LONGEST_UNIT
    whole = estimate_tokens(text[block.start : block.end]) if short else MOST_TOKENS + 1
    if whole <= MOST_TOKENS:
        yield block.start, block.end, whole
        return
    by_line = block.kind in (BlockKind.CODE, BlockKind.TABLE)
    start = end = block.start
    tokens = 0
    for unit_start, unit_end in _units(text, block.start, block.end, by_line):
        size = estimate_tokens(text[unit_start:unit_end])
        if tokens and tokens + size > MOST_TOKENS:
            yield start, _trimmed(text, start, end), tokens
            start, tokens = unit_start, 0
        end = unit_end
        tokens += size
    if tokens:
        yield start, _trimmed(text, start, end), tokens


def _units(text: str, start: int, end: int, by_line: bool) -> Iterator[tuple[int, int]]:
    """Lines or sentences of a stretch, and words or bare stretches of those that are too long."""
    position = start
    while position < end:
        farthest = min(end, position + LONGEST_UNIT)
        if by_line:
            newline = text.find("\n", position, farthest)
            stop = farthest if newline < 0 else newline + 1
        else:
            found = _SENTENCE.match(text, position, farthest)
            stop = found.end() if found and found.end() > position else farthest
        if estimate_tokens(text[position:stop]) <= MOST_TOKENS:
            yield position, stop
        else:
            yield from _words(text, position, stop)
        position = stop


def _words(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    for found in _WORD.finditer(text, start, end):
        yield found.start(), found.end()


def _trimmed(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return max(end, start + 1)
