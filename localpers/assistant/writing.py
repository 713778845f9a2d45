"""Sentences that the model writes itself, shown only where the notes support them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from localpers.assistant.answer import Answer
from localpers.assistant.attribution import Lexicon
from localpers.assistant.drafting import LIMITS
from localpers.assistant.grounding import invented
from localpers.assistant.plain_text import sentences
from localpers.prompts import SCAFFOLD

SUPPORTED = 0.6
"""Share of a sentence's idf that the notes and the request must hold."""
LEAST_DRAFT = 0.4
"""Share of a form's usual length (LIMITS) below which a written draft is too thin; titles aside."""
_PLAIN_FORMS = frozenset({"tweet", "title", "commit", "email"})


def supported(text: str, sources: Sequence[str], lexicon: Lexicon | None) -> Iterator[str]:
    """The sentences of `text` that state nothing that `sources` do not hold."""
    held = set().union(*(lexicon.terms(source) for source in sources)) if lexicon else set()
    for sentence in sentences(text):
        if any(part in sentence for part in SCAFFOLD) or invented(sentence, sources):
            continue
        if lexicon is not None:
            terms = set(lexicon.terms(sentence))
            total = lexicon.idf(terms)
            if not total or lexicon.idf(terms & held) < SUPPORTED * total:
                continue
        yield sentence


def written(events: Iterator[str | Answer]) -> str:
    """The text of a generation."""
    answer = None
    for event in events:
        if isinstance(event, Answer):
            answer = event
    return answer.text if answer else ""


def keeps_form(form: str, text: str) -> bool:
    """Whether a written draft can stand: its length, no markup where the form has none."""
    limits = LIMITS[form]
    if not text.strip() or len(text) > limits.most or any(part in text for part in SCAFFOLD):
        return False
    if form in ("title", "commit") and "\n" in text.strip():
        return False
    if form in _PLAIN_FORMS and any(
        line.lstrip().startswith(("#", "```", "~~~")) for line in text.splitlines()
    ):
        return False
    return form in ("title", "commit", "tweet") or len(text) >= LEAST_DRAFT * limits.most / 2
