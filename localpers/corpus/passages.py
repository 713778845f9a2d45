"""Split Documents into Passages: blocks packed up to a size and cut only if too long."""

from __future__ import annotations

import re
from collections.abc import Iterator

from localpers.datatypes import Block, BlockKind, Document, Passage

VERSION = 1
MAX_TOKENS = 200
MAX_UNIT = 10_000
"""Characters of a line or sentence matched at once: the expressions below need some hundred bytes
for each, and a file may be one line of millions."""
HEADING_TOKENS = 60
"""A heading starts a new passage once the current one has this many tokens."""

# Roughly one token of a byte-level BPE with 50,000 entries: up to six letters, a digit, a
# punctuation mark, a run of blanks, or a character of a script without blanks.
_TOKEN = re.compile(r"[A-Za-z]{1,6}|[^\W\d_A-Za-z]{1,2}|\d|[^\w\s]|_|\n\s*|[ \t]{2,}")
_WORD = re.compile(r"\S{1,100}\s*|\s+")
_SENTENCE = re.compile(
    r"(?:[^.!?。！？\n]|[.!?](?=\S))*(?:[.!?]+(?:[\"'”’)\]]*)\s+|[。！？]+\s*|\n\s*|$)"
)


def estimate_tokens(text: str) -> int:
    """Estimate the tokens of `text` without loading a tokenizer."""
    return len(_TOKEN.findall(text))


def split_passages(document: Document) -> tuple[Passage, ...]:
    """The document's passages, in order, disjoint, each of at most about MAX_TOKENS.

    Headings stay with the text below them. Only a block that is too long is cut: code and tables
    between lines, prose between sentences, and either between words as a last resort.
    """
    passages: list[Passage] = []
    headings: list[tuple[int, str]] = []
    start = end = tokens = 0
    heading = ""
    for block in document.blocks:
        if block.kind is BlockKind.HEADING:
            if tokens >= HEADING_TOKENS:
                passages.append(Passage(start, end, heading))
                tokens = 0
            headings = [(n, t) for n, t in headings if n < block.level]
            headings.append((block.level, _one_line(document.text[block.start : block.end])))
        for piece_start, piece_end, size in _pieces(document.text, block):
            if tokens and tokens + size > MAX_TOKENS:
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
    """(start, end, tokens) of a block, or of its pieces if it is too long."""
    short = block.end - block.start <= MAX_UNIT
    whole = estimate_tokens(text[block.start : block.end]) if short else MAX_TOKENS + 1
    if whole <= MAX_TOKENS:
        yield block.start, block.end, whole
        return
    by_line = block.kind in (BlockKind.CODE, BlockKind.TABLE)
    start = end = block.start
    tokens = 0
    for unit_start, unit_end in _units(text, block.start, block.end, by_line):
        size = estimate_tokens(text[unit_start:unit_end])
        if tokens and tokens + size > MAX_TOKENS:
            yield start, _trimmed(text, start, end), tokens
            start, tokens = unit_start, 0
        end = unit_end
        tokens += size
    if tokens:
        yield start, _trimmed(text, start, end), tokens


def _units(text: str, start: int, end: int, by_line: bool) -> Iterator[tuple[int, int]]:
    """Lines or sentences, or words of those that are too long."""
    position = start
    while position < end:
        farthest = min(end, position + MAX_UNIT)
        if by_line:
            newline = text.find("\n", position, farthest)
            stop = farthest if newline < 0 else newline + 1
        else:
            found = _SENTENCE.match(text, position, farthest)
            stop = found.end() if found and found.end() > position else farthest
        if estimate_tokens(text[position:stop]) <= MAX_TOKENS:
            yield position, stop
        else:
            for word in _WORD.finditer(text, position, stop):
                yield word.span()
        position = stop


def _trimmed(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return max(end, start + 1)
