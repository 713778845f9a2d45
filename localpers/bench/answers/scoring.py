"""What counts: right answers, refusals, leaks; drafts by form, topic, grounding and copying."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from localpers.assistant.answer import Answer
from localpers.assistant.grounding import invented
from localpers.assistant.units import first_words
from localpers.bench.answers.data import DraftRequest, Question
from localpers.datatypes import RetrievedPassage
from localpers.evaluation.style import CopyIndex
from localpers.prompts import SCAFFOLD

COUNTED_WORDS = 120
"""Words of an answer that count; nobody reads a page to find a command."""
DEPTHS = (1, 3, 10)


@dataclass(frozen=True, slots=True)
class QuestionResult:
    """`note_rank`: rank of the first right note, notes counted once; None where not found."""

    id: str
    kind: str
    question: str
    answerable: bool
    note_rank: int | None
    sourced: bool
    right: bool
    cited: bool
    answered: bool
    leak: bool
    text: str
    sources: tuple[str, ...]
    first_token: float
    seconds: float


@dataclass(frozen=True, slots=True)
class DraftResult:
    """`invented`: commands, code, URLs, numbers and names that neither sources nor request hold;
    `copied`: the longest run of words shared with a source.
    """

    id: str
    form: str
    request: str
    form_kept: bool
    on_topic: bool
    leak: bool
    invented: tuple[str, ...]
    copied: int
    text: str
    sources: tuple[str, ...]
    seconds: float

    @property
    def grounded(self) -> bool:
        return not self.invented

    @property
    def usable(self) -> bool:
        return self.form_kept and self.on_topic and self.grounded and not self.leak


def score_question(
    question: Question, hits: Sequence[RetrievedPassage], answer: Answer
) -> QuestionResult:
    """`hits` are what a search for the question finds, best first."""
    paths = list(dict.fromkeys(hit.path for hit in hits))
    ranks = (rank for rank, path in enumerate(paths, 1) if is_among(path, question.notes))
    counted = first_words(answer.text, COUNTED_WORDS)
    right = answer.answered and any(pattern.search(counted) for pattern in question.answers)
    cited = [s.passage.path for s in answer.sources if s.cited or s.attributed]
    return QuestionResult(
        id=question.id,
        kind=question.kind,
        question=question.question,
        answerable=question.answerable,
        note_rank=next(ranks, None),
        sourced=any(is_among(s.passage.path, question.notes) for s in answer.sources),
        right=right,
        cited=right and any(is_among(path, question.notes) for path in cited),
        answered=answer.answered,
        leak=leaks(answer.text),
        text=answer.text,
        sources=tuple(source.passage.path for source in answer.sources),
        first_token=answer.timings.first_token,
        seconds=answer.timings.total,
    )


def score_draft(draft: DraftRequest, answer: Answer, notes: Sequence[str]) -> DraftResult:
    """`notes` are the whole texts of the answer's sources."""
    return DraftResult(
        id=draft.id,
        form=draft.form,
        request=draft.request,
        form_kept=keeps_form(answer.text, draft),
        on_topic=any(pattern.search(answer.text) for pattern in draft.topic),
        leak=leaks(answer.text),
        invented=tuple(invented(answer.text, [draft.request, *notes])),
        copied=CopyIndex(notes).longest(answer.text) if notes else 0,
        text=answer.text,
        sources=tuple(source.passage.path for source in answer.sources),
        seconds=answer.timings.total,
    )


PLAIN = frozenset({"title", "tweet", "email"})
"""Forms without headings and code fences."""


def keeps_form(text: str, draft: DraftRequest) -> bool:
    """Not empty, not too long, and without headings or code fences where the form has none."""
    lines = text.strip().splitlines()
    if not lines or len(text.strip()) > draft.max_chars:
        return False
    if draft.form == "title" and len(lines) > 1:
        return False
    marked = any(line.lstrip().startswith(("```", "~~~", "# ", "## ", "### ")) for line in lines)
    return not (draft.form in PLAIN and marked)


def leaks(text: str) -> bool:
    """Whether anything of the prompt's scaffold shows."""
    return any(part in text for part in SCAFFOLD)


def is_among(path: str, notes: Iterable[str]) -> bool:
    return any(path == note or path.endswith("/" + note) for note in notes)
