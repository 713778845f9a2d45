"""Posts and messages from social media and chat archives: JSON, JSON Lines and X's `.js`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from localpers.corpus.readers.blocks import TextBuilder, blocks_of_paragraphs
from localpers.corpus.readers.encoding import clean, read_text
from localpers.corpus.readers.files import opened
from localpers.corpus.readers.html import append_html, parse_html
from localpers.corpus.readers.metadata import iso_date, iso_timestamp, make_document
from localpers.datatypes import Document, Kind
from localpers.errors import NotADocument, UnreadableFile

_TEXTS = ("full_text", "text", "content", "body", "message")
_DATES = ("created_at", "createdAt", "date", "timestamp", "published", "published_at", "ts")
_IDS = ("id_str", "id", "uri", "uuid", "guid", "tid")
_AUTHORS = ("author", "sender", "from", "user", "username", "sender_name")
_NAMES = ("username", "name", "displayName", "handle", "id")
_OWN = ("is_from_me", "from_me", "fromMe", "isFromMe", "is_outgoing", "outgoing")
_LISTS = ("orderedItems", "tweets", "posts", "statuses", "messages", "items", "data")
_WRAPPERS = ("tweet", "post", "record", "object", "value")
_X_ASSIGNMENT = re.compile(r"\s*window\.YTD\.\w+\.part\d+\s*=\s*")


def read_posts(path: Path) -> Iterator[Document]:
    """One Document for each post. Raises NotADocument if the file is not an archive.

    An archive is a list of objects (or JSON Lines), most of which have a text and a date or an id.
    Shares, and messages marked as not the owner's, are left out.
    """
    if path.suffix.lower() == ".js" and not _is_x_archive(path):
        raise NotADocument("no posts in it")
    try:
        text = read_text(path, "posts")
    except UnreadableFile as error:
        if str(error) in ("empty", "binary content"):
            raise NotADocument("no posts in it") from error
        raise
    found = _items(text, path.suffix.lower())
    items = [_unwrapped(item) for item in found if not _is_share(item)]
    if sum(_is_post(item) for item in items) * 2 <= len(items):
        raise NotADocument("no posts in it")
    seen: set[str] = set()
    for item in items:
        document = _document(path, item) if _is_post(item) and _is_own(item) else None
        if document is not None and document.part not in seen:
            seen.add(document.part)
            yield document


def _is_x_archive(path: Path) -> bool:
    with opened(path, "posts") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \r\n").startswith(b"window.YTD.")


def _items(text: str, suffix: str) -> list[Any]:
    """The list of posts, at the top or under a name that known archives use."""
    if suffix == ".js":
        text = _X_ASSIGNMENT.sub("", text, count=1).rstrip().removesuffix(";")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return list(_json_lines(text))
    if isinstance(value, dict):
        lists = (value[name] for name in _LISTS if isinstance(value.get(name), list))
        value = next(lists, [])
    return value if isinstance(value, list) else []


def _json_lines(text: str) -> Iterator[Any]:
    """The value of each line; None if it is not JSON, such as a truncated last line."""
    for line in text.split("\n"):
        if line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield None


def _is_share(item: Any) -> bool:
    return isinstance(item, dict) and item.get("type") == "Announce"  # ActivityPub's boost.


def _unwrapped(item: Any) -> Mapping[str, Any]:
    """The object with the text, which ActivityPub and some APIs wrap in others."""
    for _ in range(2):
        if not isinstance(item, dict) or _text_of(item):
            break
        inner = (item[name] for name in _WRAPPERS if isinstance(item.get(name), dict))
        item = next(inner, item)
    return item if isinstance(item, dict) else {}


def _text_of(item: Mapping[str, Any]) -> str:
    for name in _TEXTS:
        value = item.get(name)
        if isinstance(value, list):  # Telegram: strings, and objects for links.
            value = "".join(_fragments(value))
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _fragments(value: Iterable[Any]) -> Iterator[str]:
    for fragment in value:
        text = fragment.get("text") if isinstance(fragment, dict) else fragment
        if isinstance(text, str):
            yield text


def _is_post(item: Mapping[str, Any]) -> bool:
    return bool(_text_of(item)) and bool(_id_of(item) or _date_of(item))


def _is_own(item: Mapping[str, Any]) -> bool:
    return not _text_of(item).startswith("RT @") and all(item.get(name, True) for name in _OWN)


def _id_of(item: Mapping[str, Any]) -> str:
    values = (item.get(name) for name in _IDS)
    return next((str(value) for value in values if isinstance(value, str | int) and value), "")


def _date_of(item: Mapping[str, Any]) -> str | None:
    for name in _DATES:
        value = item.get(name)
        if isinstance(value, str) and re.fullmatch(r"\d{9,16}(\.\d+)?", value):
            value = float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            found = iso_timestamp(value)
        else:
            found = iso_date(value)
        if found:
            return found
    return None


def _document(path: Path, item: Mapping[str, Any]) -> Document | None:
    text = clean(_text_of(item)).strip()
    blocks = blocks_of_paragraphs(text)
    if item.get("type") in ("Note", "Article", "Question") or "attributedTo" in item:
        builder = TextBuilder()
        append_html(builder, parse_html(text))  # ActivityPub's content is HTML.
        text, blocks = builder.text, tuple(builder.blocks)
    if not blocks:
        return None
    title, date = item.get("title"), _date_of(item)
    return make_document(
        path,
        text,
        blocks,
        kind=_kind(item),
        title=title if isinstance(title, str) else None,
        date=date,
        author=_author_of(item),
        part=_id_of(item) or hashlib.sha256(f"{date}\n{text}".encode()).hexdigest()[:16],
    )


def _author_of(item: Mapping[str, Any]) -> str:
    """Who wrote a message; empty for the archive's owner and for posts."""
    if _kind(item) is not Kind.MESSAGE or any(item.get(name) for name in _OWN):
        return ""
    for name in _AUTHORS:
        value = item.get(name)
        if isinstance(value, dict):
            value = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), "")
        if isinstance(value, str | int) and value:
            return str(value)
    return ""


def _kind(item: Mapping[str, Any]) -> Kind:
    public = "full_text" in item or "$type" in item or "attributedTo" in item
    return Kind.MESSAGE if not public and any(name in item for name in _AUTHORS) else Kind.POST
