"""What a Document is called, when it was written and what it is: from metadata, never invented."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from localpers.corpus.readers.encoding import clean
from localpers.datatypes import Block, BlockKind, Document, Kind

TITLE_LENGTH = 80
"""Characters of a first line that stands in for a title."""
_STATED_TITLE_LENGTH = 300
_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20|21)\d\d(?!\d)")
_NAME_DATE = re.compile(r"((?:19|20)\d\d)([-_.]?)(\d\d)\2(\d\d)(?!\d)")
_ARTICLES = frozenset({"post", "article", "essay", "blog"})


def make_document(
    path: Path,
    text: str,
    blocks: Iterable[Block],
    *,
    kind: Kind,
    title: str | None = None,
    date: str | None = None,
    tags: tuple[str, ...] = (),
    part: str = "",
    first_line: int | None = None,
    pages: tuple[int, ...] = (),
    author: str = "",
    recipients: tuple[str, ...] = (),
) -> Document:
    """A Document whose missing title and date are filled from its text and its file's name.

    The title is `title`, else the first heading, else the first line, else the name; the date is
    `date`, else the one that the name of a one-Document file begins with.
    """
    blocks = tuple(blocks)
    return Document(
        text=text,
        title=_one_line(title or "", _STATED_TITLE_LENGTH) or _title_of(text, blocks, path),
        kind=kind,
        blocks=blocks,
        date=date or (None if part else date_in_name(path)),
        tags=tuple(_one_line(tag, TITLE_LENGTH) for tag in tags),
        part=clean(part),
        first_line=first_line,
        pages=pages,
        author=_one_line(author, TITLE_LENGTH),
        recipients=recipients,
    )


def _title_of(text: str, blocks: tuple[Block, ...], path: Path) -> str:
    heading = next((b for b in blocks if b.kind is BlockKind.HEADING), None)
    if heading is not None:
        return _one_line(text[heading.start : heading.end], _STATED_TITLE_LENGTH)
    first = next((line for line in text.split("\n") if line.strip()), "")
    return _one_line(first, TITLE_LENGTH) or _one_line(path.stem, TITLE_LENGTH)


def _one_line(text: str, length: int) -> str:
    return clean(" ".join(text.split()))[:length].rstrip()


def iso_date(value: object) -> str | None:
    """`value` (a date, a datetime or a string) as ISO 8601; None where it tells no full date."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str) or len(value) > 100:
        return None
    text = value.strip()
    try:
        return date.fromisoformat(text).isoformat() if len(text) == 10 else _iso_datetime(text)
    except ValueError:
        return _lenient_date(text)


def _iso_datetime(text: str) -> str:
    if len(text) < 15:  # Short forms such as "2024-W20" or "20240517" are left to the lenient way.
        raise ValueError
    return datetime.fromisoformat(text).isoformat(timespec="seconds")


def _lenient_date(text: str) -> str | None:
    """A date in free form. What dateutil would fill in from a default counts as not stated."""
    import warnings

    from dateutil import parser

    if not _YEAR.search(text) and not re.fullmatch(r"(?:19|20)\d{6}", text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # An unknown name of a time zone.
            first: datetime = parser.parse(text, default=datetime(2000, 1, 1, 0, 0))
            second: datetime = parser.parse(text, default=datetime(2001, 2, 2, 1, 1))
    except (ValueError, OverflowError, TypeError, AttributeError):
        return None
    if first.date() != second.date():
        return None
    has_time = first.time() == second.time()
    return first.isoformat(timespec="seconds") if has_time else first.date().isoformat()


def iso_timestamp(seconds: float) -> str | None:
    """A Unix time in seconds, milli- or microseconds (told apart by size) as ISO 8601, UTC."""
    # Before 1973 it is a counter, not a time; JSON can write infinities (1e999) and NaN.
    if not 1e8 <= seconds <= 1e17:
        return None
    while seconds > 1e11:
        seconds /= 1000
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def date_in_name(path: Path) -> str | None:
    """The date that a file's name begins with (`2024-05-17-title.md`, `20240517.md`)."""
    match = _NAME_DATE.match(path.name)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[3]), int(match[4])).isoformat()
    except ValueError:
        return None


def stated_title(metadata: Mapping[str, Any]) -> str | None:
    title = metadata.get("title")
    try:
        return str(title) if isinstance(title, str | int | float | date) else None
    except ValueError:  # A number of thousands of digits.
        return None


def stated_date(metadata: Mapping[str, Any]) -> str | None:
    dates = (iso_date(metadata.get(name)) for name in ("date", "created", "published"))
    return next((found for found in dates if found), None)


def stated_kind(metadata: Mapping[str, Any]) -> Kind:
    """ARTICLE where `layout` or `type` says so: what a blog calls a post is one. Else NOTE."""
    values = (metadata.get(name) for name in ("layout", "type"))
    stated = {value.strip().lower() for value in values if isinstance(value, str)}
    return Kind.ARTICLE if stated & _ARTICLES else Kind.NOTE


def stated_tags(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """`tags` as a list or as a string with commas, each once, in order."""
    tags = metadata.get("tags")
    if isinstance(tags, str):
        tags = tags.split(",")
    if not isinstance(tags, list | tuple):
        return ()
    words = (
        str(tag).strip().lstrip("#").strip()
        for tag in tags
        if isinstance(tag, str) or (isinstance(tag, int) and abs(tag) < 1 << 64)
    )
    return tuple(dict.fromkeys(word for word in words if word))
