"""Title, date, tags and kind of a Document, from what its file states."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from localpers.corpus.readers.blocks import TextBuilder
from localpers.corpus.readers.encoding import clean
from localpers.datatypes import Block, BlockKind, Document, Kind
from localpers.errors import UnreadableFile

TITLE_LENGTH = 80
"""Characters of a first line used as the title."""
_STATED_TITLE_LENGTH = 300
_YEAR = re.compile(r"(?<!\d)(?:1[5-9]|20|21)\d\d(?!\d)")
_NAME_DATE = re.compile(r"((?:19|20)\d\d)([-_.]?)(\d\d)\2(\d\d)(?!\d)")
_ARTICLES = frozenset({"post", "article", "essay", "blog"})


def make_document(
    path: Path,
    text: str,
    blocks: Iterable[Block],
    *,
    kind: Kind = Kind.NOTE,
    title: str | None = None,
    date: str | None = None,
    tags: tuple[str, ...] = (),
    part: str = "",
    first_line: int | None = None,
    pages: tuple[int, ...] = (),
    author: str = "",
    recipients: tuple[str, ...] = (),
) -> Document:
    """Build a Document, taking a missing title and date from its text and file name.

    The title falls back to the first heading, the first line, then the file name; the date to one
    at the start of the file name, unless the file holds several Documents (`part`).
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


def built_document(
    path: Path,
    builder: TextBuilder,
    *,
    kind: Kind = Kind.ARTICLE,
    title: str | None = None,
    date: str | None = None,
    pages: tuple[int, ...] = (),
) -> Document:
    """The Document of a file converted to text. Raises UnreadableFile if there is no text."""
    if not builder.blocks:
        raise UnreadableFile("no text in it")
    return make_document(
        path, builder.text, builder.blocks, kind=kind, title=title, date=date, pages=pages
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
    """`value` (date, datetime or string) as ISO 8601; None unless it states a full date."""
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
    if len(text) < 15:  # Short forms such as "2024-W20" and "20240517" are left to dateutil.
        raise ValueError
    return datetime.fromisoformat(text).isoformat(timespec="seconds")


def _lenient_date(text: str) -> str | None:
    """A date in free form. Parsing with two defaults shows what dateutil filled in by itself."""
    import warnings

    from dateutil import parser

    if not _YEAR.search(text) and not re.fullmatch(r"(?:19|20)\d{6}", text):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Unknown time zone names.
            first: datetime = parser.parse(text, default=datetime(2000, 1, 1, 0, 0))
            second: datetime = parser.parse(text, default=datetime(2001, 2, 2, 1, 1))
    except (ValueError, OverflowError, TypeError, AttributeError):
        return None
    if first.date() != second.date():
        return None
    has_time = first.time() == second.time()
    return first.isoformat(timespec="seconds") if has_time else first.date().isoformat()


def iso_timestamp(seconds: float) -> str | None:
    """A Unix time in seconds, milliseconds or microseconds, by its size, as ISO 8601 in UTC."""
    # Below 1973 it is more likely a counter; JSON allows infinities (1e999) and NaN.
    if not 1e8 <= seconds <= 1e17:
        return None
    while seconds > 1e11:
        seconds /= 1000
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None


def date_in_name(path: Path) -> str | None:
    """The date at the start of a file name (`2024-05-17-title.md`, `20240517.md`)."""
    match = _NAME_DATE.match(path.name)
    if match is None:
        return None
    try:
        return date(int(match[1]), int(match[3]), int(match[4])).isoformat()
    except ValueError:
        return None


def stated_document(
    path: Path,
    text: str,
    blocks: Iterable[Block],
    metadata: Mapping[str, Any],
    heading: str | None,
    first_line: int = 1,
) -> Document:
    """A Document described by its own `metadata`; `heading` is the title if that states none."""
    dates = (iso_date(metadata.get(name)) for name in ("date", "created", "published"))
    return make_document(
        path,
        text,
        blocks,
        kind=_stated_kind(metadata),
        title=stated_title(metadata) or heading,
        date=next((found for found in dates if found), None),
        tags=_stated_tags(metadata),
        first_line=first_line,
    )


def stated_title(metadata: Mapping[str, Any]) -> str | None:
    title = metadata.get("title")
    try:
        return str(title) if isinstance(title, str | int | float | date) else None
    except ValueError:  # A number with thousands of digits.
        return None


def _stated_kind(metadata: Mapping[str, Any]) -> Kind:
    """ARTICLE if `layout` or `type` says so (a blog's "post" is one), else NOTE."""
    values = (metadata.get(name) for name in ("layout", "type"))
    stated = {value.strip().lower() for value in values if isinstance(value, str)}
    return Kind.ARTICLE if stated & _ARTICLES else Kind.NOTE


def _stated_tags(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """`tags`, a list or a comma-separated string, without duplicates."""
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
