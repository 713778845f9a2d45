"""One evaluation, from conditions to figures.

Each measurement is saved as soon as it is made; an interrupted evaluation resumes and reaches the
same digits.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from localpers import __version__
from localpers.assistant.assistant import Assistant
from localpers.assistant.options import resolve
from localpers.datatypes import Reporter, ServedModel
from localpers.embedding import open_retriever
from localpers.errors import LocalpersError
from localpers.evaluation.conditions import RETRIEVERS, Condition
from localpers.evaluation.context import HeldOutContext, other_persons
from localpers.evaluation.ledger import Ledger
from localpers.evaluation.measuring import TEXT_TOKENS, TITLE_TOKENS, measure_trial, reference
from localpers.evaluation.metrics import chrf, rouge_1, rouge_l
from localpers.evaluation.neutral import neutral_likelihood
from localpers.evaluation.provenance import (
    fingerprint,
    fingerprint_of,
    growth,
    retrieval_settings,
)
from localpers.evaluation.questions import NotesQuestion, ask_question, make_questions
from localpers.evaluation.results import (
    Evaluation,
    QuestionResult,
    Reference,
    TrialResult,
)
from localpers.evaluation.style import CopyIndex, StyleProfile, by_document, distinct
from localpers.evaluation.subject import Subject, find_subject
from localpers.evaluation.trials import Trial
from localpers.inference.served import served_model
from localpers.profile import Profile
from localpers.retrieval.retriever import Retriever
from localpers.runs import find_run
from localpers.store import Store
from localpers.tuning.requests import Task
from localpers.weights.tokenizer import Tokenizer

SAMPLE = 12
"""Documents, unless the user asks for another number."""
QUESTIONS = 12
"""Questions at most; no more than documents are sampled."""
LEDGER = "evaluation.partial.jsonl"
RESULTS = "evaluation.json"


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """`conditions` None: those that the profile allows, tuned ones if there is a tuned model.
    `sample` counts documents; `base` names a base to evaluate instead of a run.
    """

    conditions: tuple[Condition, ...] | None = None
    sample: int = SAMPLE
    run: str | None = None
    seed: int = 0
    base: str | None = None


@dataclass(frozen=True, slots=True)
class _Perplexity:
    """Of the neutral text."""

    perplexity: float


def evaluate(
    profile: Profile, options: EvalOptions, reporter: Reporter
) -> tuple[Evaluation, Subject]:
    """Measure every condition on the same trials and save the Evaluation in the subject's folder.

    Raises what find_subject, open_retriever and Assistant raise, and LocalpersError for a condition
    that needs a run where there is none.
    """
    started = time.monotonic()
    with Store.open(profile) as store:
        subject = find_subject(profile, store, options.run, options.base)
        conditions = options.conditions or _default_conditions(subject)
        retrievers = {c.retriever for c in conditions if c.retriever in RETRIEVERS}
        with open_retriever(store, retrievers, profile) as retriever:
            work = _Work(profile, store, subject, conditions, options, reporter, retriever)
            evaluation = work.run(started)
    evaluation.save(subject.folder / RESULTS)
    work.ledger.remove()
    return evaluation, subject


def _default_conditions(subject: Subject) -> tuple[Condition, ...]:
    base = tuple(Condition(name) for name in ("", "auto", "mismatched", "random"))
    return (*base, Condition("", True), Condition("auto", True)) if subject.tuned else base


class _Work:
    def __init__(
        self,
        profile: Profile,
        store: Store,
        subject: Subject,
        conditions: Sequence[Condition],
        options: EvalOptions,
        reporter: Reporter,
        retriever: Retriever,
    ) -> None:
        self._profile = profile
        self._subject = subject
        self._conditions = conditions
        self._options = options
        self._reporter = reporter
        self._others = other_persons(profile)
        self._context = HeldOutContext(
            store, subject.retrievable, self._others, options.seed, retriever
        )
        documents = list(store.documents.all())
        self._titles = {d.content_hash: d.title for d in documents}
        self._trials = subject.sample(options.sample)
        self._models = {condition: self._served(condition) for condition in conditions}
        known = list(self._context.retrievable.values())
        most = min(QUESTIONS, options.sample)
        self._questions = make_questions(known, self._context.lexicon, most, options.seed)
        self._style = StyleProfile(
            by_document(
                (trial.content_hash, trial.completion)
                for trial in subject.trials
                if trial.task != Task.TITLE.value
            )
        )
        self._copies = CopyIndex(d.text for d in known if d.content_hash in subject.learned)
        self.settings = self._settings() | {
            "retrieval": retrieval_settings(store, retriever, conditions)
            | {
                "today": self._context.today.isoformat(),
                "documents": fingerprint(sorted(f"{d.content_hash} {d.date}" for d in documents)),
            }
        }
        self.ledger = Ledger(subject.folder / LEDGER, self.settings)
        asking = sum(condition.retriever in RETRIEVERS for condition in conditions)
        self._total = len(self._trials) * len(conditions) + len(self._questions) * asking
        self._done = 0

    def run(self, started: float) -> Evaluation:
        scores: list[TrialResult] = []
        asked: list[QuestionResult] = []
        neutral: dict[str, float] = {}
        by_model: dict[ServedModel, list[Condition]] = defaultdict(list)
        for condition in sorted(self._conditions, key=lambda condition: condition.adapter):
            by_model[self._models[condition]].append(condition)
        for served, conditions in by_model.items():
            name = self._model_name(conditions[0])
            self._reporter.stage(f"Measuring the {name} model")
            with Assistant(served, self._context) as assistant:
                neutral[name] = self._neutral(assistant, name)
                for condition in conditions:
                    first = [s for s in scores if s.condition == scores[0].condition]
                    base_style = StyleProfile(by_document((s.document, s.text) for s in first))
                    found = list(self._trial_results(assistant, condition, base_style))
                    scores += found if scores else _compared_with_itself(found)
                    asked += self._question_results(assistant, condition)
        return self._evaluation(scores, asked, neutral, time.monotonic() - started)

    def _served(self, condition: Condition) -> ServedModel:
        if not condition.adapter:
            return self._subject.base
        run = condition.run or self._subject.run
        if run is None:
            raise LocalpersError(
                "Nothing is tuned yet, so only base and rag can be evaluated: run 'localpers tune'."
            )
        learned = find_run(self._profile, run).record().data.learned_from()
        held_out = {trial.content_hash for trial in self._trials}
        if run != self._subject.run and not learned.isdisjoint(held_out):
            raise LocalpersError(
                f"Run {run} learned from documents that are held out here: evaluate it by --run."
            )
        # Contrast compares with the base, so the adapter must not be merged into it.
        return served_model(self._profile, run, unmerged=bool(condition.contrast))

    def _model_name(self, condition: Condition) -> str:
        if not condition.adapter:
            return "base"
        return "tuned" if condition.run in (None, self._subject.run) else str(condition.run)

    def _neutral(self, assistant: Assistant, name: str) -> float:
        def measure() -> _Perplexity:
            return _Perplexity(round(neutral_likelihood(assistant.engine).perplexity, 5))

        return self.ledger.measured(("neutral", name), _Perplexity, measure).perplexity

    def _trial_results(
        self, assistant: Assistant, condition: Condition, base_style: StyleProfile
    ) -> Iterator[TrialResult]:
        for trial in self._trials:
            key = ("trial", condition.name, trial.content_hash, trial.task)
            yield self.ledger.measured(
                key,
                TrialResult,
                partial(self._trial_result, assistant, condition, trial, base_style),
            )
            self._step(condition)

    def _trial_result(
        self, assistant: Assistant, condition: Condition, trial: Trial, base_style: StyleProfile
    ) -> TrialResult:
        found = measure_trial(assistant, trial, condition.options())
        text = found.text or ""
        truth = reference(trial, assistant.engine.tokenizer)
        verifier = self._context.verifier
        foreign = condition.retriever == "mismatched" and self._others.source == "profile"
        return TrialResult(
            condition=condition.name,
            document=trial.content_hash,
            task=trial.task,
            kind=trial.kind.value,
            nats=round(found.nats, 6),
            tokens=found.tokens,
            bytes=found.bytes,
            rouge_1=rouge_1(text, truth),
            rouge_l=rouge_l(text, truth),
            chrf=chrf(text, truth),
            style=self._style.similarity(text, without=trial.content_hash),
            style_base=base_style.similarity(text, without=trial.content_hash),
            copied=self._copies.longest(text),
            distinct_1=distinct(text, 1),
            distinct_2=distinct(text, 2),
            accepted=bool(verifier and verifier.accepts(text)),
            # It may quote another person's notes, which must not be stored in this profile.
            text="" if foreign else text,
        )

    def _question_results(
        self, assistant: Assistant, condition: Condition
    ) -> Iterator[QuestionResult]:
        if condition.retriever not in RETRIEVERS:
            return
        for question in self._questions:
            yield self.ledger.measured(
                ("question", condition.name, question.content_hash),
                QuestionResult,
                partial(_question_result, assistant, condition, question),
            )
            self._step(condition)

    def _step(self, condition: Condition) -> None:
        self._done += 1
        self._reporter.progress(self._done, self._total, condition.name, None)

    def _evaluation(
        self,
        scores: list[TrialResult],
        asked: list[QuestionResult],
        neutral: dict[str, float],
        seconds: float,
    ) -> Evaluation:
        subject = self._subject
        record = subject.record
        tokenizer = Tokenizer.open(subject.base.model)
        references = tuple(
            Reference(
                document=trial.content_hash,
                task=trial.task,
                title=self._titles[trial.content_hash],
                date=trial.date,
                request=trial.request,
                truth=reference(trial, tokenizer),
            )
            for trial in self._trials
        )
        described = record.document() if record else {}
        verdict = {key: described[key] for key in ("promoted", "reason", "metrics") if described}
        return Evaluation(
            run=subject.run,
            base=subject.base.base.name,
            created=datetime.now().astimezone().isoformat(timespec="seconds"),
            conditions=tuple(condition.name for condition in self._conditions),
            settings=self.settings,
            others=self._others.source,
            split_by=subject.split_by,
            verdict=verdict or None,
            trials=references,
            scores=tuple(scores),
            questions=tuple(asked),
            neutral=neutral,
            losses=record.losses if record else (),
            growth=tuple(growth(self._profile)),
            seconds=round(seconds, 1),
        )

    def _settings(self) -> dict[str, Any]:
        subject = self._subject
        return {
            "localpers": __version__,
            "llama_cpp": importlib.metadata.version("llama-cpp-python"),
            "seed": self._options.seed,
            "passages": {
                condition.name: resolve(condition.options(), served).k if condition.retriever else 0
                for condition, served in self._models.items()
            },
            "title_tokens": TITLE_TOKENS,
            "text_tokens": TEXT_TOKENS,
            "base": subject.base.base.sha256,
            "tuned": fingerprint_of(subject.tuned, subject.record),
            "trials": fingerprint([f"{t.content_hash}{t.task}{t.query}" for t in self._trials]),
            "questions": fingerprint([question.text for question in self._questions]),
            "retrievable": fingerprint(
                sorted(d.content_hash for d in self._context.retrievable.values())
            ),
            "others": fingerprint([passage.text for passage in self._others.passages]),
        }


def _question_result(
    assistant: Assistant, condition: Condition, question: NotesQuestion
) -> QuestionResult:
    found = ask_question(assistant, question, condition.options())
    return QuestionResult(
        condition=condition.name,
        document=question.content_hash,
        question=question.text,
        term=question.term,
        right=found.right,
        cited=found.cited,
        retrieved=found.retrieved,
        nll=None if math.isnan(found.nll) else round(found.nll, 6),
        text=found.text,
    )


def _compared_with_itself(scores: Sequence[TrialResult]) -> list[TrialResult]:
    """The first condition's results, `style_base` measured against its own texts."""
    base = StyleProfile(by_document((score.document, score.text) for score in scores))
    return [
        dataclasses.replace(score, style_base=base.similarity(score.text, without=score.document))
        for score in scores
    ]
