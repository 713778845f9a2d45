"""E-mail (.eml, mbox): the body, with other people's words marked as quotes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localpers.corpus.readers.blocks import Span, TextBuilder, blocks_of_lines
from localpers.corpus.readers.encoding import clean, decode
from localpers.corpus.readers.files import MAX_BYTES, opened, read_bytes
from localpers.corpus.readers.html import append_html, parse_html
from localpers.corpus.readers.metadata import iso_date, make_document
from localpers.datatypes import Block, BlockKind, Document, Kind
from localpers.errors import UnreadableFile

if TYPE_CHECKING:
    from email.message import EmailMessage

_PARSED_LENGTH = 20_000
"""Characters of a body searched for replies and signatures, which takes more than linear time."""
_PARSED_LINE = 400
_SIGNATURE_ATTEMPTS = 4
_RECEIVING = ("To", "Cc", "Bcc", "Delivered-To", "X-Original-To")
_MAX_RECIPIENTS = 50
_MAX_BOUNDARIES = 100
"""Nested parts cost the standard parser quadratic time and recursion."""


def looks_like_mbox(path: Path) -> bool:
    try:
        with opened(path, "mbox") as file:
            return file.read(5) == b"From "
    except (UnreadableFile, OSError):
        return False


def read_eml(path: Path) -> Iterator[Document]:
    data = read_bytes(path, "mail")
    if data.count(b"boundary=") > _MAX_BOUNDARIES:
        raise UnreadableFile("too many parts within parts")
    document = _document(path, data, part=None)
    if document is None:
        raise UnreadableFile("no text in it")
    yield document


def read_mbox(path: Path) -> Iterator[Document]:
    """One Document for each message with text; malformed messages are left out.

    Its `part` is the message id, or includes a hash of the message if that is missing or repeated.
    """
    with opened(path, "mbox") as file:
        if file.read(5) != b"From ":
            raise UnreadableFile("not a mailbox")
    seen: set[str] = set()
    found = False
    for data in _messages(path):
        digest = hashlib.sha256(data).hexdigest()[:16]
        if digest in seen or data.count(b"boundary=") > _MAX_BOUNDARIES:
            continue
        part = _header(_parsed(data), "Message-ID") or digest
        document = _document(path, data, f"{part}#{digest}" if part in seen else part)
        seen |= {digest, part}
        if document is not None:
            found = True
            yield document
    if not found:
        raise UnreadableFile("no message with text in it")


def _messages(path: Path) -> Iterator[bytes]:
    """The messages of a mailbox, cut at the size limit of a mail: attachments come last."""
    from mailbox import mbox

    box = mbox(path, create=False)
    try:
        for key in box.iterkeys():
            with box.get_file(key) as file:
                yield file.read(MAX_BYTES["mail"])
    finally:
        box.close()


def _parsed(data: bytes) -> EmailMessage:
    from email import message_from_bytes
    from email.message import EmailMessage
    from email.policy import default

    message = message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def _header(message: EmailMessage, name: str) -> str:
    try:
        return clean(str(message.get(name, "")).strip())
    except Exception:  # The standard parser raises many errors on malformed headers.
        return ""


def _document(path: Path, data: bytes, part: str | None) -> Document | None:
    """The message's Document, or None without readable text."""
    message = _parsed(data)
    try:
        text, blocks = _body(message)
    except Exception:  # As for headers: the structure is parsed on access.
        return None
    if not blocks:
        return None
    return make_document(
        path,
        text,
        blocks,
        kind=Kind.EMAIL,
        title=_header(message, "Subject"),
        date=_date(message),
        part=part or "",
        author=next(iter(_people(message, ("From",))), ""),
        recipients=_people(message, _RECEIVING)[:_MAX_RECIPIENTS],
    )


def _people(message: EmailMessage, headers: Sequence[str]) -> tuple[str, ...]:
    """The addresses in these headers, or names without one, without duplicates."""
    from email.utils import getaddresses

    stated = [header for name in headers if (header := _header(message, name))]
    people = (address or name for name, address in getaddresses(stated))
    return tuple(dict.fromkeys(person.strip().casefold() for person in people if person.strip()))


def _date(message: EmailMessage) -> str | None:
    from email.utils import parsedate_to_datetime

    stated = _header(message, "Date")
    try:
        return iso_date(parsedate_to_datetime(stated))
    except (ValueError, TypeError, IndexError, OverflowError):
        return iso_date(stated)


def _body(message: EmailMessage) -> tuple[str, tuple[Block, ...]]:
    body = message.get_body(("plain", "html"))
    if body is None:
        return "", ()
    payload = body.get_payload(decode=True)
    markup_or_text = _decoded(payload, body.get_content_charset())
    if body.get_content_subtype() == "html":
        return _html_body(markup_or_text)
    text = clean(markup_or_text).strip("\n")
    spans: list[Span] = []
    for line in sorted(_quoted_lines(text)):
        if spans and spans[-1].end == line:
            spans[-1] = spans[-1]._replace(end=line + 1)
        else:
            spans.append(Span(line, line + 1, BlockKind.QUOTE))
    return text, blocks_of_lines(text, spans)


def _html_body(markup: str) -> tuple[str, tuple[Block, ...]]:
    builder = TextBuilder()
    append_html(builder, parse_html(markup))
    text = builder.text
    quoted = _quoted_lines(text)
    return text, tuple(
        Block(BlockKind.QUOTE, block.start, block.end)
        if text.count("\n", 0, block.start) in quoted
        else block
        for block in builder.blocks
    )


def _decoded(payload: object, charset: str | None) -> str:
    data = payload if isinstance(payload, bytes) else b""
    try:
        return data.decode(charset or "utf-8")
    except (LookupError, ValueError):
        return decode(data)


def _quoted_lines(text: str) -> set[int]:
    """The lines (0-based) of a mail's body that are not its writer's own words.

    These are lines with `>`, replies and forwarded mails below with their introductions, and
    signatures, found by mail-parser-reply. Answers between `>` lines are the writer's.
    """
    lines = [line.strip()[:_PARSED_LINE] for line in text.split("\n")]
    quoted = {number for number, line in enumerate(lines) if line.startswith(">")}
    number = 0
    for reply in _replies(lines):
        for line, own in _own_lines(reply):
            # The parser drops some lines (rules), but keeps their order.
            with suppress(ValueError):
                number = lines.index(line, number) + 1
                if not own:
                    quoted.add(number - 1)
    return quoted


def _replies(lines: Sequence[str]) -> Sequence[Any]:
    """The mail and those quoted below it. Runs of blank lines, which cost quadratic time, go."""
    from mailparser_reply.constants import MAIL_LANGUAGES
    from mailparser_reply.parser import EmailMessage

    spaced = (line for line, before in zip(lines, ["", *lines], strict=False) if line or before)
    message = EmailMessage(
        "\n".join(spaced)[:_PARSED_LENGTH], list(MAIL_LANGUAGES), keep_hyphen_lists=True
    )
    replies: Sequence[Any] = message.read().replies
    return replies


def _own_lines(reply: Any) -> Iterator[tuple[str, bool]]:
    """The non-blank lines of one reply, and whether the mail's writer wrote them."""
    lines = _non_blank(reply.content)
    begin = len(_non_blank(reply.headers))
    end = len(lines) - len(_signature(reply))
    answered = not begin or any(line.startswith(">") for line in lines[begin:end])
    for number, line in enumerate(lines):
        yield line, answered and begin <= number < end


def _signature(reply: Any) -> list[str]:
    """The lines of the signature. The parser takes everything after "Thanks, ..." for one."""
    for _ in range(_SIGNATURE_ATTEMPTS):
        signature = _non_blank(reply.signatures)
        if not signature or not reply.content.endswith(reply.signatures):
            break
        if _closes_a_mail(signature):
            return signature
        reply = _replies(reply.signatures.split("\n")[1:])[-1]
    return []


def _closes_a_mail(signature: Sequence[str]) -> bool:
    if signature[0].startswith("--"):
        return True
    sentences = any(line.endswith((".", "!", "?", ":", ";")) for line in signature[1:])
    return len(signature) <= 6 and len(signature[0].split()) <= 4 and not sentences


def _non_blank(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]
