"""Whose words: which mails and messages are the user's own, and which are only searched.

What the user states (learning.toml) decides; else a folder of sent mail; else who takes part in
nearly every conversation, as the owner of a mailbox does. Where that is nobody, nothing is taken
for the user's: to learn another's voice is worse than to learn less.
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

TAKES_PART = 0.6
"""Share of the conversations in which their owner takes part, at least."""
NEXT_TAKES_PART = 0.75
"""Of the owner's share, what anyone else may reach; beyond it two are too alike to choose."""
_SENT_SHARE = 0.05
"""Of the mails in a folder of sent mail: a sender of fewer got there by chance."""
_SENT = re.compile(
    r"(?:\[.{1,20}\][./])?(?:sent|sent[ _-](?:items?|mails?|messages?)|gesendet(?:e.*)?|postausgang"
    r"|envoy[ée]s?|(?:éléments|messages)[ _]envoyés|enviad[ao]s?|(?:itens|mensajes)[ _]enviad[ao]s"
    r"|inviat[ai]|posta[ _]inviata|verzonden(?:[ _].*)?|skickat?|sendt(?:[ _].*)?|lähetetyt|wysłane"
    r"|отправленн(?:ые|ое)|送信済み.*|已发送.*|寄件備份|보낸.*)",
    re.IGNORECASE,
)

_SAID = re.compile(
    r"^[\u200e\u202a]?\[?\d{1,4}[./-]\d{1,2}[./-]\d{2,4},?[ \u202f]{1,2}\d{1,2}[:.]\d{2}"
    r"(?:[:.]\d{2})?"
    r"(?:[ \u202f]?[ap]\.?[ ]?m\.?)?\]?(?:[ ]-)?[ ]([^:\n]{1,60}): ",
    re.IGNORECASE | re.MULTILINE,
)
_FEWEST_SAID = 4
_SAID_SHARE = 0.3
"""Of the lines of a transcript: a message may run over several."""

How = Literal["stated", "sent", "participation", "unknown", "none"]


@dataclass(frozen=True, slots=True)
class Authors:
    """Of the mails, or of the messages: who is the user, and the ids of the Documents by others.

    `how` tells by what `own` was found; `none` where no Document names its author. `senders` is the
    number of the others.
    """

    own: tuple[str, ...]
    how: How
    others: frozenset[int]
    senders: int


def tell_authors(documents: Iterable[StoredDocument], kind: Kind, rules: Rules) -> Authors:
    """The authors of the Documents of one kind. One without an author (a draft) is the user's."""
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
    """Whether `text` is a chat of several people as WhatsApp and others export it: lines that
    begin with a time and a name.
    """
    said = _SAID.findall(text)
    lines = sum(1 for line in text.split("\n") if line.strip())
    enough = len(said) >= max(_FEWEST_SAID, _SAID_SHARE * lines)
    return enough and len(set(said)) > 1


def is_sent(path: str) -> bool:
    """Whether a file lies in a folder, or is a mailbox, that a mail program keeps sent mail in."""
    parts = PurePath(path).parts
    return any(_SENT.fullmatch(part.removesuffix(".mbox").removesuffix(".sbd")) for part in parts)


def _conversations(
    signed: Sequence[StoredDocument], writers: dict[int, str], kind: Kind
) -> list[set[str]]:
    """Who takes part: in each mail its sender and receivers, in a file of messages its authors."""
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
    clear = following <= takes_part * NEXT_TAKES_PART
    enough = takes_part >= TAKES_PART * len(conversations)
    return first if clear and enough and first in writers else None
