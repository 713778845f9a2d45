"""Decides which mails and messages the user wrote; the others are searched but never learned.

The user's own rules (learning.toml) decide; else a folder of sent mail; else whoever takes part in
nearly every conversation, as a mailbox's owner does. If nobody does, nothing counts as the user's:
learning someone else's voice is worse than learning less.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from localpers.corpus.secrets.rules import Rules, plain_address
from localpers.datatypes import Kind, StoredDocument

MIN_PARTICIPATION = 0.6
"""Minimum share of the conversations the owner takes part in."""
MAX_RUNNER_UP = 0.75
"""Above this fraction of the owner's share, the next person is too close to decide."""
_SENT_SHARE = 0.05
"""Minimum share of the mails in a sent folder for a sender to count as the user."""
_SENT = re.compile(
    r"(?:\[.{1,20}\][./])?(?:sent|sent[ _-](?:items?|mails?|messages?)|gesendet(?:e.*)?|postausgang"
    r"|envoy[ée]s?|(?:éléments|messages)[ _]envoyés|enviad[ao]s?|(?:itens|mensajes)[ _]enviad[ao]s"
    r"|inviat[ai]|posta[ _]inviata|verzonden(?:[ _].*)?|skickat?|sendt(?:[ _].*)?|lähetetyt|wysłane"
    r"|отправленн(?:ые|ое)|送信済み.*|已发送.*|寄件備份|보낸.*)",
    re.IGNORECASE,
)

_MESSAGE = re.compile(
    r"^[\u200e\u202a]?\[?\d{1,4}[./-]\d{1,2}[./-]\d{2,4},?[ \u202f]{1,2}\d{1,2}[:.]\d{2}"
    r"(?:[:.]\d{2})?"
    r"(?:[ \u202f]?[ap]\.?[ ]?m\.?)?\]?(?:[ ]-)?[ ]([^:\n]{1,60}): ",
    re.IGNORECASE | re.MULTILINE,
)
_MIN_MESSAGES = 4
_MESSAGE_SHARE = 0.3
"""Minimum share of lines that begin a message; messages may have several lines."""

How = Literal["stated", "sent", "participation", "unknown", "none"]


@dataclass(frozen=True, slots=True)
class Authors:
    """The user's own addresses or names, and the ids of the Documents by others.

    `how` says how `own` was found; it is `none` if no Document names its author. `senders` counts
    the other people.
    """

    own: tuple[str, ...]
    how: How
    others: frozenset[int]
    senders: int


def find_authors(documents: Iterable[StoredDocument], kind: Kind, rules: Rules) -> Authors:
    """The authors of Documents of one kind. Those without an author (drafts) are the user's."""
    signed = [one for one in documents if one.kind is kind and one.author]
    writers = {document.id: plain_address(document.author) for document in signed}
    own, how = _own(signed, writers, kind, rules)
    others = {id: writer for id, writer in writers.items() if writer not in own}
    return Authors(tuple(sorted(own)), how, frozenset(others), len(set(others.values())))


def _own(
    signed: Sequence[StoredDocument], writers: dict[int, str], kind: Kind, rules: Rules
) -> tuple[Collection[str], How]:
    if not signed:
        return (), "none"
    if rules.addresses if kind is Kind.EMAIL else rules.names:
        return {writer for writer in writers.values() if rules.owns(writer)}, "stated"
    sent = Counter(writers[document.id] for document in signed if is_sent(document.path))
    if sent:
        least = sent.total() * _SENT_SHARE
        return {writer for writer, number in sent.items() if number >= least}, "sent"
    owner = _owner(_conversations(signed, writers, kind), set(writers.values()))
    return ({owner}, "participation") if owner else ((), "unknown")


def is_transcript(text: str) -> bool:
    """Whether `text` is an exported chat of several people: lines that begin with time and name."""
    people = _MESSAGE.findall(text)
    lines = sum(1 for line in text.split("\n") if line.strip())
    enough = len(people) >= max(_MIN_MESSAGES, _MESSAGE_SHARE * lines)
    return enough and len(set(people)) > 1


def is_sent(path: str) -> bool:
    """Whether the path is, or lies in, a mail program's folder for sent mail."""
    parts = PurePath(path).parts
    return any(_SENT.fullmatch(part.removesuffix(".mbox").removesuffix(".sbd")) for part in parts)


def _conversations(
    signed: Sequence[StoredDocument], writers: dict[int, str], kind: Kind
) -> list[set[str]]:
    """The people in each conversation: a mail's sender and recipients, or a chat file's authors."""
    if kind is Kind.EMAIL:
        return [
            {writers[document.id], *map(plain_address, document.recipients)} for document in signed
        ]
    files: dict[str, set[str]] = defaultdict(set)
    for document in signed:
        files[document.path].add(writers[document.id])
    return list(files.values())


def _owner(conversations: Sequence[set[str]], writers: set[str]) -> str | None:
    number = Counter(person for people in conversations for person in people)
    ranked = number.most_common(2)
    first, takes_part = ranked[0]
    following = ranked[1][1] if len(ranked) > 1 else 0
    clear = following <= takes_part * MAX_RUNNER_UP
    enough = takes_part >= MIN_PARTICIPATION * len(conversations)
    return first if clear and enough and first in writers else None
