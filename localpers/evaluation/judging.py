"""The judge: measures a run under a clock, on the very files that would answer.

The setting (file, adapter's scale, k) is chosen on one half of the held-out documents and compared
with the base on the other half, so that what is reported is not what was picked for being high.
Models are opened one after the other: two of them may not fit the memory.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from localpers.datatypes import ServedModel
from localpers.evaluation.measuring import Measurement, measure_trial, reference
from localpers.evaluation.metrics import overlap
from localpers.evaluation.neutral import neutral_likelihood
from localpers.evaluation.perplexity import Likelihood
from localpers.evaluation.questions import NotesQuestion, ask_question
from localpers.evaluation.surroundings import Surroundings
from localpers.evaluation.trials import Trial
from localpers.evaluation.verdict import (
    FEWEST_DOCUMENTS,
    FEWEST_QUESTIONS,
    Answered,
    DocumentScore,
    Measured,
    Setting,
    Tried,
    Verdict,
    decide,
)
from localpers.inference.engine import Engine
from localpers.prompts import PASSAGES
from localpers.retrieval.lexicon import Lexicon

RETRIEVER = "auto"
"""What `ask` retrieves by."""
OTHER_SCALE = 0.5
OTHER_K = (2, 5)
FASTER_IS_WORTH = 0.01
"""Nats per token for which the merged file is preferred to base + adapter, because it reads and
writes faster, and the usual number of passages to another: questions need it too."""
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
    """What a run is judged by: trials of documents held out, questions that the notes answer, and
    the passages that may be retrieved.
    """

    trials: Sequence[Trial]
    questions: Sequence[NotesQuestion]
    around: Surroundings
    lexicon: Lexicon


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
    """Choose a setting of `files` (`merged` where there is one, `adapter`) and compare it with the
    base, and with the `incumbent` on what that has not learned.

    As much evidence is used as fits into `seconds`; too little of it promotes nothing.
    """
    return _Judge(base, files, evidence, incumbent, seconds, on_progress).verdict()


def halves(trials: Sequence[Trial]) -> tuple[list[list[Trial]], list[list[Trial]]]:
    """Trials by document: every other document chooses, the others report; the odd one out reports.

    Intervals are over documents, and more of them tell more than more of each: of each there is one
    trial, of the tasks in turn.
    """
    by_document: dict[str, list[Trial]] = {}
    for trial in trials:
        by_document.setdefault(trial.content_hash, []).append(trial)
    # Two neighbours, one for each half, get the same task.
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

    # Choosing ---------------------------------------------------------------------------------

    def _choose(self, documents: Sequence[list[Trial]], deadline: float) -> list[Tried]:
        """Every setting that the time allows, measured on the same documents; at least the first.

        The files come first, then other numbers of passages for the better one, then a weaker
        adapter.
        """
        first = Setting(next(iter(self._files)))
        planned = 2 + len(OTHER_K) + 1
        share = time.monotonic() + (deadline - time.monotonic()) / planned
        nll, number = self._nll(first, documents, share)
        tried = [Tried(first, nll)]
        for setting in self._others(tried):
            if time.monotonic() >= deadline:
                break
            tried.append(Tried(setting, self._nll(setting, documents[:number], math.inf)[0]))
        return tried

    def _others(self, tried: Sequence[Tried]) -> Iterator[Setting]:
        """The settings after the first; looks at `tried` as it grows."""
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
        """(nats per token, documents measured until `deadline`); infinite where none was."""
        nats, tokens, number = 0.0, 0, 0
        if not documents or time.monotonic() >= deadline:
            return math.inf, 0
        with Engine.open(served_as(setting, self._files)) as engine:
            for number, trials in enumerate(documents, 1):
                for found in self._likelihoods(engine, trials, setting.k):
                    nats, tokens = nats + found.nats, tokens + found.tokens
                self._report(setting.name, number, len(documents))
                if time.monotonic() >= deadline:
                    break
        return (nats / tokens if tokens else math.inf), number

    def _likelihoods(
        self, engine: Engine, trials: Sequence[Trial], k: int
    ) -> Iterator[Measurement]:
        for trial in trials:
            passages = self._evidence.around.find(RETRIEVER, trial.query, k)
            yield measure_trial(engine, trial, passages, generate=False)

    # Comparing --------------------------------------------------------------------------------

    def _compare(
        self, setting: Setting, documents: Sequence[list[Trial]]
    ) -> tuple[Measured, Measured]:
        """The base as `ask` would use it untuned, and the tuned model under its setting."""
        with Engine.open(self._base) as engine:
            writing = self._share_of_base(CHOOSING + REPORTING)
            theirs = self._documents(engine, "base", documents, PASSAGES, writing)
            answers = self._answers(engine, "base", self._evidence.questions, PASSAGES, theirs)
            base = Measured(tuple(theirs), tuple(answers), _neutral(engine, theirs))
        same = documents[: len(theirs)]
        questions = self._evidence.questions[: len(answers)]
        with Engine.open(served_as(setting, self._files)) as engine:
            ours = self._documents(engine, "tuned", same, setting.k, math.inf)
            answers = self._answers(engine, "tuned", questions, setting.k, None)
            tuned = Measured(tuple(ours), tuple(answers), _neutral(engine, ours))
        return _measurable(base, tuned)

    def _before(self, documents: Sequence[list[Trial]]) -> list[DocumentScore] | None:
        """What the incumbent reaches on the documents that it has not learned; None without one."""
        if self._incumbent is None:
            return None
        learned = self._incumbent.learned
        unseen = [trials for trials in documents if trials[0].content_hash not in learned]
        if not unseen:
            return []
        k = self._incumbent.served.passages or PASSAGES
        with Engine.open(self._incumbent.served) as engine:
            return [self._document(engine, trials, k, generate=False) for trials in unseen]

    def _share_of_base(self, until: float) -> float:
        """When the base must stop so that a tuned file, which is slower, ends in time too."""
        now = time.monotonic()
        return now + (self._until(until) - now) / (1 + SLOWER)

    def _documents(
        self,
        engine: Engine,
        name: str,
        documents: Sequence[list[Trial]],
        k: int,
        deadline: float,
    ) -> list[DocumentScore]:
        scores: list[DocumentScore] = []
        latest = self._until(LATEST_WRITING) if math.isfinite(deadline) else math.inf
        for trials in documents:
            enough = len(scores) >= FEWEST_DOCUMENTS
            if time.monotonic() >= (deadline if enough else latest):
                break
            scores.append(self._document(engine, trials, k))
            self._report(f"{name}, writing", len(scores), len(documents))
        return scores

    def _document(
        self, engine: Engine, trials: Sequence[Trial], k: int, *, generate: bool = True
    ) -> DocumentScore:
        nats, tokens, size, shared = 0.0, 0, 0, 0.0
        for trial in trials:
            passages = self._evidence.around.find(RETRIEVER, trial.query, k)
            found = measure_trial(engine, trial, passages, generate=generate)
            nats, tokens, size = nats + found.nats, tokens + found.tokens, size + found.bytes
            shared += overlap(found.text or "", reference(trial, engine.tokenizer)).rouge_1
        mean = shared / len(trials)
        return DocumentScore(trials[0].content_hash, nats, tokens, size, mean, len(trials))

    def _answers(
        self,
        engine: Engine,
        name: str,
        questions: Sequence[NotesQuestion],
        k: int,
        written: Sequence[DocumentScore] | None,
    ) -> list[Answered]:
        """`written`, of the base alone, bounds the time; the tuned model answers the same."""
        now = time.monotonic()
        rest = self._until(1.0) - now
        if written is not None:
            # What the tuned model still has to write takes about as long as the base took.
            rest -= SLOWER * max(0.0, now - self._until(CHOOSING))
        deadline = now + rest / (1 + SLOWER) if written is not None else math.inf
        found: list[Answered] = []
        latest = self._until(LATEST_ANSWERING) if math.isfinite(deadline) else math.inf
        for question in questions:
            enough = sum(not math.isnan(answer.nll) for answer in found) >= FEWEST_QUESTIONS
            if time.monotonic() >= (deadline if enough else latest):
                break
            passages = self._evidence.around.find(RETRIEVER, question.text, k)
            score = ask_question(engine, question, passages, self._evidence.lexicon)
            found.append(Answered(score.right, score.cited, score.nll))
            self._report(f"{name}, questions", len(found), len(questions))
        return found


def _neutral(engine: Engine, written: Sequence[DocumentScore]) -> Likelihood:
    """Of the neutral text; not read where there was no time for anything else."""
    return neutral_likelihood(engine) if written else Likelihood(())


def _measurable(base: Measured, tuned: Measured) -> tuple[Measured, Measured]:
    """Without the questions that did not fit the window of one of them, on both sides."""
    pairs = [
        (theirs, ours)
        for theirs, ours in zip(base.answers, tuned.answers, strict=True)
        if not math.isnan(theirs.nll + ours.nll)
    ]
    theirs, ours = (tuple(pair[side] for pair in pairs) for side in (0, 1))
    return replace(base, answers=theirs), replace(tuned, answers=ours)


def _best(tried: Sequence[Tried]) -> Setting:
    """The likeliest setting, or of those that are as good the most usual and fastest."""
    lowest = min(one.nll for one in tried)
    good = [one.setting for one in tried if one.nll <= lowest + FASTER_IS_WORTH]
    return min(good, key=lambda setting: (setting.k != PASSAGES, setting.file == "adapter"))
