"""Forms by name. To add one, write a file with a Form and name it here."""

from __future__ import annotations

from localpers.assistant.forms.choice import LABEL, RATING
from localpers.assistant.forms.form import AnswerKind, Form
from localpers.assistant.forms.subject import SUBJECT
from localpers.assistant.forms.title import TITLE
from localpers.assistant.forms.tweet import PARAPHRASE, TWEET

FORMS = {form.name: form for form in (TITLE, SUBJECT, TWEET, PARAPHRASE, LABEL, RATING)}
DRAFTED_TOO = ("title", "tweet")
"""Forms in which the assistant also drafts from notes, about a topic."""

__all__ = ["FORMS", "AnswerKind", "Form", "form_of"]


def form_of(name: str | Form | None, request: str) -> str | Form | None:
    """A Form in the place of its name, for those of DRAFTED_TOO where the request brings a text."""
    if not isinstance(name, str) or name not in FORMS:
        return name
    form = FORMS[name]
    return name if name in DRAFTED_TOO and form.text_of(request) == request else form
