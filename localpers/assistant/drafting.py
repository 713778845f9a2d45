"""Drafts made of the person's own sentences, shaped by form.

Extractive drafts are grounded by construction and in the person's own voice. They are the draft to
beat: where a model writes one that keeps form, topic and grounding as well, that one is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from localpers.assistant.notes import Notes
from localpers.assistant.plain_text import plain, plain_blocks, prose, sentences
from localpers.assistant.quoting import Candidate
from localpers.assistant.units import count_words, units_of
from localpers.datatypes import BlockKind, StoredDocument

SENTENCES_READ = 32
"""Of each note, embedded to rank them by the request."""
CLOSE_NOTES = 0.08
"""Difference in score within which a second note takes part in summaries, outlines and posts."""
LEAST_WORDS = 4


@dataclass(frozen=True, slots=True)
class FormLimits:
    """`most`: characters; `notes`: how many notes take part."""

    most: int
    notes: int = 1


LIMITS = {
    "tweet": FormLimits(280),
    "title": FormLimits(100),
    "commit": FormLimits(72),
    "email": FormLimits(1200),
    "summary": FormLimits(700, 2),
    "list": FormLimits(700, 2),
    "outline": FormLimits(1200, 3),
    "post": FormLimits(1200, 2),
}


@dataclass(frozen=True, slots=True)
class Draft:
    """`used`: the notes whose words it holds."""

    text: str
    used: tuple[Candidate, ...]


def draft(form: str, request: str, found: Sequence[Candidate], notes: Notes) -> Draft:
    """A draft of `form` from the best of the notes found, at least one.

    Raises KeyError for an unknown form.
    """
    limits = LIMITS[form]
    used = tuple(one for one in found[: limits.notes] if found[0].score - one.score <= CLOSE_NOTES)
    return Draft(_WRITERS[form](request, used, notes, limits.most), used)


def _title(request: str, used: Sequence[Candidate], notes: Notes, most: int) -> str:
    return _cut(title_of(used[0].document), most)


def _tweet(request: str, used: Sequence[Candidate], notes: Notes, most: int) -> str:
    document = used[0].document
    title = title_of(document)
    ranked = _ranked(request, document, notes)
    first = f"{title}." if title[-1:] not in ".!?…:" else title
    fitting = [one for one in ranked if len(f"{first} {one}") <= most]
    return (
        f"{first} {fitting[0]}"
        if fitting
        else _cut(f"{first} {ranked[0]}" if ranked else first, most)
    )


def _email(request: str, used: Sequence[Candidate], notes: Notes, most: int) -> str:
    document = used[0].document
    head, foot = f"Subject: {title_of(document)}\n\nHi,\n\n", "\n\nBest"
    body = _paragraphs(used, most - len(head) - len(foot), with_code=False)
    return f"{head}{body}{foot}"


def _summary(request: str, used: Sequence[Candidate], notes: Notes, most: int) -> str:
    parts = []
    for candidate in used:
        room = most // len(used) - 2
        lead = f"{title_of(candidate.document)}:"
        chosen = _within(_ranked(request, candidate.document, notes), room - len(lead))
        order = list(prose(candidate.document))
        parts.append(" ".join([lead, *sorted(chosen, key=lambda one: _place(one, order))]))
    return "\n\n".join(_cut(part, most // len(used) - 2) for part in parts)


def _list(request: str, used: Sequence[Candidate], notes: Notes, most: int) -> str:
    lines: list[str] = []
    for candidate in used:
        lines += [f"- {one}" for one in _ranked(request, candidate.document, notes)]
    return "\n".join(_within(lines, most))


def _outline(request: str, used: Sequence[Candidate], notes: Notes, most: int) -> str:
    lines: list[str] = []
    share = most // len(used)
    for candidate in used:
        document = candidate.document
        points = [_first_sentence(unit.text) for unit in units_of(document)]
        headings = [h for h in _headings(document) if h != title_of(document)]
        bullets = [
            f"   - {point}" for point in (headings if len(headings) > 2 else points) if point
        ]
        lines += _within([title_of(document), *bullets], share)
    return "\n".join(lines)


def _post(request: str, used: Sequence[Candidate], notes: Notes, most: int) -> str:
    head = f"{title_of(used[0].document)}\n\n"
    return head + _paragraphs(used, most - len(head), with_code=True)


_Writer = Callable[[str, Sequence[Candidate], Notes, int], str]
_WRITERS: dict[str, _Writer] = {
    "title": _title,
    "commit": _title,
    "tweet": _tweet,
    "email": _email,
    "summary": _summary,
    "list": _list,
    "outline": _outline,
    "post": _post,
}


def title_of(document: StoredDocument) -> str:
    """The title in plain text."""
    return plain(document.title) or document.title.strip()


def _paragraphs(used: Sequence[Candidate], most: int, with_code: bool) -> str:
    """The notes' units from the beginning, plain or as they are, up to `most` characters."""
    parts: list[str] = []
    for candidate in used:
        for unit in units_of(candidate.document):
            text = unit.text if with_code else _without_markup(unit.text)
            if text and sum(map(len, parts)) + 2 * len(parts) + len(text) > most:
                if not parts:
                    parts.append(_cut(text, most))
                return "\n\n".join(parts)
            if text:
                parts.append(text)
    return "\n\n".join(parts)


def _without_markup(text: str) -> str:
    """Paragraphs in plain text; code indented, without its fence."""
    return "\n\n".join(plain_blocks(text))


def _ranked(request: str, document: StoredDocument, notes: Notes) -> list[str]:
    """The note's sentences, those closest to the request first."""
    every = [one for one in dict.fromkeys(prose(document)) if count_words(one) >= LEAST_WORDS]
    every = every[:SENTENCES_READ]
    cosines = notes.similarities(request, every) if every else []
    if cosines is None:
        return every
    return [one for _, one in sorted(zip(cosines, every, strict=True), key=lambda e: -e[0])]


def _within(lines: Iterable[str], most: int) -> list[str]:
    """As many of the lines as fit `most` characters, longer ones skipped."""
    chosen: list[str] = []
    for line in lines:
        if len(line) + 1 <= most:
            chosen.append(line)
            most -= len(line) + 1
    return chosen


def _headings(document: StoredDocument) -> list[str]:
    return [
        plain(document.text[block.start : block.end])
        for block in document.blocks
        if block.kind is BlockKind.HEADING
    ]


def _first_sentence(text: str) -> str:
    found = sentences(plain(text.split("```")[0]))
    return found[0].rstrip(":") if found else ""


def _place(sentence: str, order: Sequence[str]) -> int:
    return order.index(sentence) if sentence in order else len(order)


def _cut(text: str, most: int) -> str:
    """At most so many characters, cut between words."""
    if len(text) <= most:
        return text
    return text[: most - 1].rsplit(" ", 1)[0].rstrip(",;:–- ") + "…"
