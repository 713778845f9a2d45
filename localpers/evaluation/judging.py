"""The judge: measures a run within a time limit, on the very files that would answer.

The setting (file, adapter scale, k) is chosen on one half of the held-out documents and compared
with the base on the other half, so that the reported gain is not the one selected for being high.
One model is open at a time: two may not fit in memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from localpers.assistant.assistant import Assistant
from localpers.assistant.options import AnswerOptions
from localpers.datatypes import ServedModel
from localpers.evaluation.authorship import AuthorshipVerifier
from localpers.evaluation.context import HeldOutContext
from localpers.evaluation.measuring import measure_trial, reference
from localpers.evaluation.metrics import rouge_1
from localpers.evaluation.neutral import Likelihood, neutral_likelihood
from localpers.evaluation.questions import NotesQuestion, QuestionScore, ask_question
from localpers.evaluation.trials import Trial
from localpers.evaluation.verdict import (
    FEWEST_DOCUMENTS,
    FEWEST_QUESTIONS,
    DocumentScore,
    Measured,
    Setting,
    SettingResult,
    Verdict,
    decide,
)
from localpers.prompts import PASSAGES

OTHER_SCALE = 0.5
OTHER_K = (2, 5)
FASTER_IS_WORTH = 0.01
"""Nats per token for which the merged file is preferred to base + adapter, because it is faster,
and the usual number of passages to another, because questions need it too."""
CHOOSING, REPORTING = 0.2, 0.4
"""Shares of the time for choosing a setting and for comparing it on writing; the rest is for
questions."""
LATEST_WRITING, LATEST_ANSWERING = 0.45, 0.6
"""Shares of the time after which the base stops, even with less than a verdict needs."""
MOST_DOCUMENTS = 24
"""In each half; more would cost time and tell little."""
SLOWER = 1.3
"""How much longer a tuned file takes than the base, on average: an adapter costs time."""

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run is judged by: trials of held-out documents, questions that the notes answer, and
    the notes that may be retrieved.
    """

    trials: Sequence[Trial]
    questions: Sequence[NotesQuestion]
    context: HeldOutContext


@dataclass(frozen=True, slots=True)
class Incumbent:
    """The tuned model that answers now, and the content hashes of what it learned."""

    served: ServedModel
    learned: frozenset[str]


def served_as(setting: Setting, files: Mapping[str, ServedModel]) -> ServedModel:
    """The files of a run under a setting."""
    return replace(files[setting.file], adapter_scale=setting.scale, passages=setting.k)


def judge(
    base: ServedModel,
    files: Mapping[str, ServedModel],
    evidence: Evidence,
    incumbent: Incumbent | None = None,
    seconds: float = math.inf,
    on_progress: Progress | None = None,
) -> Verdict:
    """Choose a setting of `files` (keys "merged", if there is one, and "adapter") and compare it
    with the base, and with the `incumbent` on documents that it has not learned.

    Uses as much evidence as fits into `seconds`; too little promotes nothing.
    """
    return _Judge(base, files, evidence, incumbent, seconds, on_progress).verdict()


def halves(trials: Sequence[Trial]) -> tuple[list[list[Trial]], list[list[Trial]]]:
    """(choosing, reporting): every other document each, the odd one out reports.

    Intervals are over documents, so there is one trial of each document, the tasks in turn.
    """
    by_document: dict[str, list[Trial]] = {}
    for trial in trials:
        by_document.setdefault(trial.content_hash, []).append(trial)
    # Neighbours, one in each half, get the same task.
    documents = [
        [trials[number // 2 % len(trials)]] for number, trials in enumerate(by_document.values())
    ]
    return documents[1::2][:MOST_DOCUMENTS], documents[::2][:MOST_DOCUMENTS]


class _Judge:
    def __init__(
        self,
        base: ServedModel,
        files: Mapping[str, ServedModel],
        evidence: Evidence,
        incumbent: Incumbent | None,
        seconds: float,
        on_progress: Progress | None,
    ) -> None:
        self._base = base
        self._files = files
        self._evidence = evidence
        self._incumbent = incumbent
        self._seconds = seconds
        self._began = time.monotonic()
        self._report = on_progress or (lambda name, done, total: None)

    def verdict(self) -> Verdict:
        choosing, reporting = halves(self._evidence.trials)
        tried = self._choose(choosing, self._until(CHOOSING))
        setting = _best(tried)
        base, tuned = self._compare(setting, reporting)
        before = self._before(reporting[: len(base.documents)])
        return decide(setting, tried, base, tuned, len(self._evidence.questions), before)

    def _until(self, share: float) -> float:
        """The time.monotonic() at which this share of the time is over."""
        return self._began + share * self._seconds

    def _choose(self, documents: Sequence[list[Trial]], deadline: float) -> list[SettingResult]:
        """Each setting that time allows, on the same documents; at least the first.

        The files come first, then other k for the better one, then a weaker adapter.
        """
        first = Setting(next(iter(self._files)))
        planned = 2 + len(OTHER_K) + 1
        share = time.monotonic() + (deadline - time.monotonic()) / planned
        nll, number = self._nll(first, documents, share)
        tried = [SettingResult(first, nll)]
        for setting in self._others(tried):
            if time.monotonic() >= deadline:
                break
            tried.append(
                SettingResult(setting, self._nll(setting, documents[:number], math.inf)[0])
            )
        return tried

    def _others(self, tried: Sequence[SettingResult]) -> Iterator[Setting]:
        """The settings after the first; reads `tried` as it grows."""
        for file in list(self._files)[1:]:
            yield Setting(file)
        better = _best(tried)
        for k in OTHER_K:
            yield replace(better, k=k)
        if "adapter" in self._files:
            yield replace(_best(tried), file="adapter", scale=OTHER_SCALE)

    def _nll(
        self, setting: Setting, documents: Sequence[list[Trial]], deadline: float
    ) -> tuple[float, int]:
        """(nats per token, documents measured until `deadline`); infinite where there are none."""
        scores: list[DocumentScore] = []
        if not documents or time.monotonic() >= deadline:
            return math.inf, 0
        with self._assistant(served_as(setting, self._files)) as assistant:
            for trials in documents:
                scores.append(_score(assistant, trials, generate=False))
                self._report(setting.name, len(scores), len(documents))
                if time.monotonic() >= deadline:
                    break
        tokens = sum(score.tokens for score in scores)
        return sum(score.nats for score in scores) / tokens if tokens else math.inf, len(scores)

    def _compare(
        self, setting: Setting, documents: Sequence[list[Trial]]
    ) -> tuple[Measured, Measured]:
        """The base and the tuned model, with as many passages, so that tuning alone decides."""
        with self._assistant(replace(self._base, passages=setting.k)) as assistant:
            writing = self._share_of_base(CHOOSING + REPORTING)
            theirs = self._documents(assistant, "base", documents, writing)
            questions = self._evidence.questions
            answers = self._answers(assistant, "base", questions, theirs)
            base = Measured(tuple(theirs), tuple(answers), _neutral(assistant, theirs))
        same, questions = documents[: len(theirs)], questions[: len(answers)]
        with self._assistant(served_as(setting, self._files)) as assistant:
            ours = self._documents(assistant, "tuned", same, math.inf)
            answers = self._answers(assistant, "tuned", questions, None)
            tuned = Measured(tuple(ours), tuple(answers), _neutral(assistant, ours))
        return _measurable(base, tuned)

    def _before(self, documents: Sequence[list[Trial]]) -> list[DocumentScore] | None:
        """The incumbent's scores on documents that it has not learned; None without one."""
        if self._incumbent is None:
            return None
        learned = self._incumbent.learned
        unseen = [trials for trials in documents if trials[0].content_hash not in learned]
        if not unseen:
            return []
        with self._assistant(self._incumbent.served) as assistant:
            return [_score(assistant, trials, generate=False) for trials in unseen]

    def _assistant(self, served: ServedModel) -> Assistant:
        return Assistant(served, self._evidence.context)

    def _share_of_base(self, until: float) -> float:
        """When the base must stop for the tuned file, which is slower, to finish in time."""
        now = time.monotonic()
        return now + (self._until(until) - now) / (1 + SLOWER)

    def _documents(
        self,
        assistant: Assistant,
        name: str,
        documents: Sequence[list[Trial]],
        deadline: float,
    ) -> list[DocumentScore]:
        scores: list[DocumentScore] = []
        latest = self._until(LATEST_WRITING) if math.isfinite(deadline) else math.inf
        for trials in documents:
            enough = len(scores) >= FEWEST_DOCUMENTS
            if time.monotonic() >= (deadline if enough else latest):
                break
            scores.append(_score(assistant, trials, self._evidence.context.verifier))
            self._report(f"{name}, writing", len(scores), len(documents))
        return scores

    def _answers(
        self,
        assistant: Assistant,
        name: str,
        questions: Sequence[NotesQuestion],
        written: Sequence[DocumentScore] | None,
    ) -> list[QuestionScore]:
        """`written`, given for the base alone, limits its time; the tuned model gets as many
        questions as the base answered.
        """
        now = time.monotonic()
        rest = self._until(1.0) - now
        if written is not None:
            # The tuned model's writing takes about as long as the base's did.
            rest -= SLOWER * max(0.0, now - self._until(CHOOSING))
        deadline = now + rest / (1 + SLOWER) if written is not None else math.inf
        found: list[QuestionScore] = []
        latest = self._until(LATEST_ANSWERING) if math.isfinite(deadline) else math.inf
        for question in questions:
            enough = sum(not math.isnan(answer.nll) for answer in found) >= FEWEST_QUESTIONS
            if time.monotonic() >= (deadline if enough else latest):
                break
            found.append(ask_question(assistant, question, AnswerOptions()))
            self._report(f"{name}, questions", len(found), len(questions))
        return found


def _score(
    assistant: Assistant,
    trials: Sequence[Trial],
    verifier: AuthorshipVerifier | None = None,
    *,
    generate: bool = True,
) -> DocumentScore:
    nats, tokens, size, shared, accepted = 0.0, 0, 0, 0.0, 0
    for trial in trials:
        found = measure_trial(assistant, trial, AnswerOptions(), generate=generate)
        nats, tokens, size = nats + found.nats, tokens + found.tokens, size + found.bytes
        shared += rouge_1(found.text or "", reference(trial, assistant.engine.tokenizer))
        accepted += bool(verifier and generate and verifier.accepts(found.text or ""))
    return DocumentScore(
        document=trials[0].content_hash,
        nats=nats,
        tokens=tokens,
        bytes=size,
        rouge_1=shared / len(trials),
        accepted=accepted / len(trials),
        trials=len(trials),
    )


def _neutral(assistant: Assistant, written: Sequence[DocumentScore]) -> Likelihood:
    """Of the neutral text; not read where there was no time for anything else."""
    return neutral_likelihood(assistant.engine) if written else Likelihood(())


def _measurable(base: Measured, tuned: Measured) -> tuple[Measured, Measured]:
    """Both sides without the questions that did not fit the context window of either."""
    pairs = [
        (theirs, ours)
        for theirs, ours in zip(base.answers, tuned.answers, strict=True)
        if not math.isnan(theirs.nll + ours.nll)
    ]
    theirs, ours = (tuple(pair[side] for pair in pairs) for side in (0, 1))
    return replace(base, answers=theirs), replace(tuned, answers=ours)


def _best(tried: Sequence[SettingResult]) -> Setting:
    """The likeliest setting; of those about as good, the most usual and fastest."""
    lowest = min(one.nll for one in tried)
    good = [one.setting for one in tried if one.nll <= lowest + FASTER_IS_WORTH]
    return min(good, key=lambda setting: (setting.k != PASSAGES, setting.file == "adapter"))
