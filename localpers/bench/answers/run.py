"""Ask every question and drafting request through one Assistant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from localpers.assistant.assistant import Assistant
from localpers.assistant.options import AnswerOptions
from localpers.bench.answers.data import DraftRequest, Question
from localpers.bench.answers.scoring import (
    DEPTHS,
    DraftResult,
    QuestionResult,
    score_draft,
    score_question,
)
from localpers.evaluation.bootstrap import Interval, mean_interval

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything measured, one result a question and drafting request."""

    model: str
    run: str | None
    questions: tuple[QuestionResult, ...]
    drafts: tuple[DraftResult, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A share (or a count or seconds) with its interval, over `n` cases."""

    name: str
    interval: Interval
    n: int


def run(
    assistant: Assistant,
    questions: Sequence[Question],
    drafts: Sequence[DraftRequest],
    options: AnswerOptions,
    on_progress: Progress | None = None,
) -> Results:
    """Raises what Assistant.answer raises. Results do not depend on the order of questions."""
    total = len(questions) + len(drafts)
    asked: list[QuestionResult] = []
    written: list[DraftResult] = []

    def report() -> None:
        if on_progress:
            on_progress(len(asked) + len(written), total)

    for question in questions:
        hits = assistant.search(question.question, DEPTHS[-1], options.retriever, options.reranker)
        assistant.reset()
        asked.append(score_question(question, hits, assistant.answer(question.question, options)))
        report()
    for draft in drafts:
        assistant.reset()
        answer = assistant.answer(draft.request, options)
        documents = assistant.notes.documents(source.passage.document for source in answer.sources)
        notes = [f"{one.title}\n{one.date}\n{one.text}" for one in documents.values()]
        written.append(score_draft(draft, answer, notes))
        report()
    served = assistant.served
    return Results(served.base.name, served.run, tuple(asked), tuple(written))


def question_figures(results: Sequence[QuestionResult]) -> Iterator[Figure]:
    """note@k, right, cited, refused, … with 95% bootstrap intervals."""
    known = [one for one in results if one.answerable]
    unknown = [one for one in results if not one.answerable]
    for depth in DEPTHS:
        ranks = [one.note_rank is not None and one.note_rank <= depth for one in known]
        yield _share(f"note@{depth}", ranks)
    yield _share("sourced", [one.sourced for one in known])
    yield _share("right", [one.right for one in known])
    yield _share("right_cited", [one.cited for one in known])
    yield _share("cited_of_right", [one.cited for one in known if one.right])
    yield _share("refused", [not one.answered for one in unknown])
    yield _share("refused_wrongly", [not one.answered for one in known])
    yield _share("leaks", [one.leak for one in results])
    yield _median("first_token_seconds", [one.first_token for one in results])
    yield _median("seconds", [one.seconds for one in results])


def draft_figures(results: Sequence[DraftResult]) -> Iterator[Figure]:
    """Form, topic, grounding, usable (all of them), copying and leaks."""
    yield _share("form", [one.form_kept for one in results])
    yield _share("on_topic", [one.on_topic for one in results])
    yield _share("grounded", [one.grounded for one in results])
    yield _share("usable", [one.usable for one in results])
    yield _share("leaks", [one.leak for one in results])
    yield _median("copied_words", [float(one.copied) for one in results])
    yield _median("seconds", [one.seconds for one in results])


def _share(name: str, values: Sequence[bool]) -> Figure:
    return Figure(name, mean_interval([float(value) for value in values]), len(values))


def _median(name: str, values: Sequence[float]) -> Figure:
    middle = median(values) if values else 0.0
    return Figure(
        name, Interval(middle, min(values, default=0.0), max(values, default=0.0)), len(values)
    )
