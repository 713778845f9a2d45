"""Grounding: what a text states that none of its sources holds.

Checked are the parts that a reader would act on: code, commands and flags, URLs, numbers, names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_FENCED = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`+([^`\n]+)`+")
_URL = re.compile(r"https?://[^\s<>()\[\]`\"']+[^\s<>()\[\]`\"'.,;:!?]|www\.[^\s<>()`\"']+")
_NUMBER = re.compile(r"(?<![\w.])[$€£]?\d[\d,._:/-]*\d%?|(?<![\w.])[$€£]?\d%?(?![\w])")
_IDENTIFIER = re.compile(
    r"(?<![\w/.-])(?:--?[A-Za-z][\w-]+|\w+(?:[._/\\:]\w+)+|\w*_\w+|[a-z]+[A-Z]\w*)"
)
"""Flags, dotted or slashed names, snake_case, camelCase."""
_NAME = re.compile(r"(?<=[\w,;)] )([A-Z][\w'’-]*[A-Za-z0-9])")
"""A capitalized word inside a sentence."""
_CITATION = re.compile(r"\[\d{1,2}(?:\s*[,–-]\s*\d{1,2})*\]")
_NOT_NAMES = frozenset({"I", "I'm", "I've", "I'd", "I'll", "I’m", "I’ve", "I’d", "I’ll", "OK"})


def invented(text: str, sources: Sequence[str]) -> list[str]:
    """The checked parts of `text` that stand in none of the `sources`, each once."""
    return list(dict.fromkeys(part for part in checked_parts(text) if not _holds(part, sources)))


def checked_parts(text: str) -> Iterator[str]:
    """Code lines, inline code, URLs, numbers, identifiers and names of a text."""
    text = _CITATION.sub("", text)
    for match in _FENCED.finditer(text):
        yield from (line.strip() for line in match[2].splitlines() if line.strip())
    prose = _FENCED.sub("\n", text)
    yield from (match[1].strip() for match in _INLINE.finditer(prose))
    prose = _INLINE.sub(" ", prose)
    yield from (match[0] for match in _URL.finditer(prose))
    prose = _URL.sub(" ", prose)
    yield from (match[0] for match in _IDENTIFIER.finditer(prose))
    prose = _IDENTIFIER.sub(" ", prose)
    yield from (match[0] for match in _NUMBER.finditer(prose))
    for line in prose.splitlines():
        for match in _NAME.finditer(line):
            if match[1] not in _NOT_NAMES:
                yield match[1]


def _holds(part: str, sources: Sequence[str]) -> bool:
    wanted = _flat(part)
    return not wanted or any(wanted in _flat(source) for source in sources)


def _flat(text: str) -> str:
    """Case, whitespace and typographic quotes do not matter."""
    return " ".join(text.casefold().replace("’", "'").split())
