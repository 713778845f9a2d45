"""What a user would ask for, in words, by the kind of document that would answer it."""

from __future__ import annotations

from enum import StrEnum
from random import Random

from localpers.datatypes import Kind


class Task(StrEnum):
    """How an Example is made from a document."""

    WRITE = "write_from_title"
    OPENING = "write_from_opening"
    CONTINUE = "continue"
    TITLE = "title_from_body"


_NOUN = {
    Kind.NOTE: "note",
    Kind.ARTICLE: "article",
    Kind.EMAIL: "e-mail",
    Kind.MESSAGE: "message",
    Kind.POST: "post",
}
_NAMED = {Kind.EMAIL: "with the subject"}
_PHRASES: dict[Task, tuple[str, ...]] = {
    Task.WRITE: (
        "Write {a} {noun} {named} “{given}”.",
        "Draft my {noun} “{given}”.",
        "Write the beginning of my {noun} {named} “{given}”.",
    ),
    Task.OPENING: (
        "Write {a} {noun} that begins like this:\n\n{given}",
        "Go on with this beginning of my {noun}:\n\n{given}",
    ),
    Task.CONTINUE: (
        "Continue this {noun}:\n\n{given}",
        "What comes next in this {noun} of mine?\n\n{given}",
    ),
    Task.TITLE: (
        "Give this {noun} a {title}:\n\n{given}",
        "What would be my {title} for this {noun}?\n\n{given}",
    ),
}


def request(task: Task, kind: Kind, given: str, chance: Random | None = None) -> str:
    """The request for `task` in one of its phrasings, the first one without `chance`."""
    phrases = _PHRASES[task]
    phrase = chance.choice(phrases) if chance else phrases[0]
    noun = _NOUN[kind]
    return phrase.format(
        a="an" if noun[0] in "aeiou" else "a",
        noun=noun,
        named=_NAMED.get(kind, "titled"),
        title="subject line" if kind is Kind.EMAIL else "title",
        given=given,
    )
