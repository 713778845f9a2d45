"""One evaluation from conditions to figures: which model reads what, in which order.

Each measurement is written down as soon as it is made; an interrupted evaluation goes on where it
stopped, to the same digits.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from localpers import __version__
from localpers.datatypes import Reporter, RetrievedPassage, ServedModel
from localpers.embedding import open_retriever
from localpers.errors import LocalpersError
from localpers.evaluation.conditions import RETRIEVERS, Condition
from localpers.evaluation.measuring import TEXT_TOKENS, TITLE_TOKENS, measure_trial, reference
from localpers.evaluation.metrics import overlap
from localpers.evaluation.neutral import neutral_likelihood
from localpers.evaluation.questions import NotesQuestion, ask_question, make_questions
from localpers.evaluation.results import Asked, Evaluation, Ledger, Scored, Shown
from localpers.evaluation.style import CopyIndex, StyleProfile, distinct
from localpers.evaluation.subject import Subject, find_subject
from localpers.evaluation.surroundings import Surroundings, other_persons
from localpers.evaluation.trials import Trial
from localpers.inference.engine import Engine
from localpers.profile import Profile
from localpers.prompts import PASSAGES
from localpers.retrieval.analysis import VERSION as ANALYSIS
from localpers.retrieval.dense import encoder_note
from localpers.retrieval.lexicon import Lexicon
from localpers.retrieval.retriever import Retriever
from localpers.retrieval.retrievers import need_vectors
from localpers.runs import finished_runs
from localpers.runs.records import RunRecord
from localpers.store import Store
from localpers.tuning.requests import Task

SAMPLE = 12
"""Documents, unless the user asks for another number."""
QUESTIONS = 12
"""Questions at most; no more than documents are sampled."""
LEDGER = "evaluation.partial.jsonl"
RESULTS = "evaluation.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """`conditions` None stands for what the profile has: with the tuned model where there is one.
    `sample` counts documents; `base` names a base to be evaluated instead of a run.
    """

    conditions: tuple[Condition, ...] | None
    sample: int = SAMPLE
    run: str | None = None
    seed: int = 0
    base: str | None = None


def evaluate(profile: Profile, wanted: Wanted, reporter: Reporter) -> tuple[Evaluation, Subject]:
    """Measure every condition on the same trials and save the Evaluation in the subject's folder.

    Raises what find_subject, open_retriever and Engine.open raise, and LocalpersError for a
    condition that needs a run where there is none.
    """
    started = time.monotonic()
    with Store.open(profile) as store:
        subject = find_subject(profile, store, wanted.run, wanted.base)
        conditions = wanted.conditions or _usual(subject)
        if subject.tuned is None and any(condition.adapter for condition in conditions):
            raise LocalpersError(
                "Nothing is tuned yet, so only base and rag can be evaluated: run 'localpers tune'."
            )
        forms = {condition.passages for condition in conditions}
        with open_retriever(store, forms, profile) as retriever:
            work = _Work(profile, store, subject, conditions, wanted, reporter, retriever)
            evaluation = work.go(started)
    evaluation.save(subject.folder / RESULTS)
    work.ledger.close()
    return evaluation, subject


def _usual(subject: Subject) -> tuple[Condition, ...]:
    forms = ("", "auto", "mismatched", "random")
    tuned = ("", "auto") if subject.tuned else ()
    return (*(Condition(form) for form in forms), *(Condition(form, True) for form in tuned))


class _Work:
    def __init__(
        self,
        profile: Profile,
        store: Store,
        subject: Subject,
        conditions: Sequence[Condition],
        wanted: Wanted,
        reporter: Reporter,
        retriever: Retriever,
    ) -> None:
        self._profile = profile
        self._subject = subject
        self._conditions = conditions
        self._wanted = wanted
        self._reporter = reporter
        self._others = other_persons(profile)
        self._around = Surroundings(
            store, subject.retrievable, self._others, wanted.seed, retriever
        )
        self._lexicon = Lexicon(store)
        documents = list(store.documents.all())
        self._titles = {d.content_hash: d.title for d in documents}
        self._retrieval = _retrieval(store, retriever, conditions) | {
            "today": self._around.today.isoformat(),
            "documents": _fingerprint(sorted(f"{d.content_hash} {d.date}" for d in documents)),
        }
        self._trials = subject.sample(wanted.sample)
        known = list(self._around.documents.values())
        most = min(QUESTIONS, wanted.sample)
        self._questions = make_questions(known, self._lexicon, most, wanted.seed)
        self._style = StyleProfile(_own_writing(subject.trials))
        self._copies = CopyIndex(d.text for d in known if d.content_hash in subject.learned)
        self.settings = self._settings()
        self.ledger = Ledger(subject.folder / LEDGER, self.settings)
        asking = sum(condition.passages in RETRIEVERS for condition in conditions)
        self._total = len(self._trials) * len(conditions) + len(self._questions) * asking
        self._done = 0

    def go(self, started: float) -> Evaluation:
        scores: list[Scored] = []
        asked: list[Asked] = []
        neutral: dict[str, float] = {}
        models = {"base": self._subject.base, "tuned": self._subject.tuned}
        for name, served in models.items():
            mine = [c for c in self._conditions if c.adapter is (name == "tuned")]
            if served is None or not mine:
                continue
            self._reporter.stage(f"Measuring the {name} model")
            with Engine.open(served) as engine:
                neutral[name] = self._neutral(engine, name)
                for condition in mine:
                    measured = list(self._measured(engine, condition, StyleProfile(_texts(scores))))
                    scores += measured if scores else _compared_with_itself(measured)
                    asked += self._asked(engine, condition)
        return self._evaluation(scores, asked, neutral, time.monotonic() - started)

    def _neutral(self, engine: Engine, name: str) -> float:
        row = self.ledger.get(("neutral", name))
        if row is None:
            row = {"perplexity": round(neutral_likelihood(engine).perplexity, 5)}
            self.ledger.put(("neutral", name), row)
        return float(row["perplexity"])

    def _measured(
        self, engine: Engine, condition: Condition, other: StyleProfile
    ) -> Iterator[Scored]:
        for trial in self._trials:
            key = ("trial", condition.name, trial.content_hash, trial.task)
            row = self.ledger.get(key)
            if row is None:
                score = self._score(engine, condition, trial, other)
                row = dataclasses.asdict(score)
                self.ledger.put(key, row)
            yield Scored(**row)
            self._step(condition)

    def _score(
        self, engine: Engine, condition: Condition, trial: Trial, other: StyleProfile
    ) -> Scored:
        passages = self._around.find(condition.passages, trial.query, self._k(condition))
        found = measure_trial(engine, trial, passages)
        text = found.text or ""
        shared = overlap(text, reference(trial, engine.tokenizer))
        foreign = condition.passages == "mismatched" and self._others.source == "profile"
        return Scored(
            condition=condition.name,
            document=trial.content_hash,
            task=trial.task,
            kind=trial.kind.value,
            nats=round(found.nats, 6),
            tokens=found.tokens,
            bytes=found.bytes,
            rouge_1=shared.rouge_1,
            rouge_l=shared.rouge_l,
            chrf=shared.chrf,
            style=self._style.similarity(text, without=trial.content_hash),
            style_base=other.similarity(text, without=trial.content_hash),
            copied=self._copies.longest(text),
            distinct_1=distinct(text, 1),
            distinct_2=distinct(text, 2),
            # What another person's notes may have put into it stays out of this one's folder.
            text="" if foreign else text,
        )

    def _asked(self, engine: Engine, condition: Condition) -> Iterator[Asked]:
        if condition.passages not in RETRIEVERS:
            return
        for question in self._questions:
            key = ("question", condition.name, question.content_hash)
            row = self.ledger.get(key)
            if row is None:
                row = dataclasses.asdict(self._answered(engine, condition, question))
                self.ledger.put(key, row)
            yield Asked(**row)
            self._step(condition)

    def _answered(self, engine: Engine, condition: Condition, question: NotesQuestion) -> Asked:
        passages: list[RetrievedPassage] = self._around.find(
            condition.passages, question.text, self._k(condition)
        )
        found = ask_question(engine, question, passages, self._lexicon)
        return Asked(
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

    def _k(self, condition: Condition) -> int:
        """Passages in a prompt: as many as `ask` would give the model."""
        tuned = self._subject.tuned
        return (tuned.passages if condition.adapter and tuned else 0) or PASSAGES

    def _step(self, condition: Condition) -> None:
        self._done += 1
        self._reporter.progress(self._done, self._total, condition.name, None)

    def _evaluation(
        self,
        scores: list[Scored],
        asked: list[Asked],
        neutral: dict[str, float],
        seconds: float,
    ) -> Evaluation:
        subject = self._subject
        record = subject.record
        with Engine.open(subject.base) as engine:
            shown = tuple(
                Shown(
                    document=trial.content_hash,
                    task=trial.task,
                    title=self._titles[trial.content_hash],
                    date=trial.date,
                    request=trial.request,
                    truth=reference(trial, engine.tokenizer),
                )
                for trial in self._trials
            )
        verdict = record.document() if record else {}
        return Evaluation(
            run=subject.run,
            base=subject.base.base.name,
            created=datetime.now().astimezone().isoformat(timespec="seconds"),
            conditions=tuple(condition.name for condition in self._conditions),
            settings=self.settings,
            others=self._others.source,
            split_by=subject.split_by,
            verdict={key: verdict[key] for key in ("promoted", "reason", "metrics")}
            if record
            else None,
            trials=shown,
            scores=tuple(scores),
            questions=tuple(asked),
            neutral=neutral,
            losses=record.losses if record else (),
            growth=tuple(_growth(self._profile)),
            seconds=round(seconds, 1),
        )

    def _settings(self) -> dict[str, Any]:
        subject = self._subject
        return {
            "localpers": __version__,
            "llama_cpp": importlib.metadata.version("llama-cpp-python"),
            "seed": self._wanted.seed,
            "passages": {condition.name: self._k(condition) for condition in self._conditions},
            "title_tokens": TITLE_TOKENS,
            "text_tokens": TEXT_TOKENS,
            "base": subject.base.base.sha256,
            "tuned": _fingerprint_of(subject.tuned, subject.record),
            "trials": _fingerprint([f"{t.content_hash}{t.task}{t.query}" for t in self._trials]),
            "questions": _fingerprint([question.text for question in self._questions]),
            "retrievable": _fingerprint(
                sorted(d.content_hash for d in self._around.documents.values())
            ),
            "retrieval": self._retrieval,
            "others": _fingerprint([passage.text for passage in self._others.passages]),
        }


def _retrieval(
    store: Store, retriever: Retriever, conditions: Sequence[Condition]
) -> dict[str, Any]:
    """What, besides the documents, decides which passages are found."""
    forms = {condition.passages for condition in conditions}
    by_vectors = need_vectors(form for form in forms if form in RETRIEVERS)
    noted = encoder_note(store)
    used = noted is not None and (by_vectors or ("auto" in forms and retriever.auto_is_hybrid))
    return {
        "analysis": ANALYSIS,
        "auto": "hybrid" if retriever.auto_is_hybrid else "words",
        "encoder": noted.sha256 if noted and used else None,
    }


def _texts(scores: Sequence[Scored]) -> dict[str, str]:
    """document → what the first condition measured, the base's plainest, wrote for it."""
    found: dict[str, str] = {}
    for score in scores:
        if score.condition == scores[0].condition:
            found[score.document] = f"{found.get(score.document, '')}\n{score.text}"
    return found


def _compared_with_itself(scores: Sequence[Scored]) -> list[Scored]:
    """The first condition's scores with its own writing as the base's."""
    base = StyleProfile(_texts(scores))
    return [
        dataclasses.replace(score, style_base=base.similarity(score.text, without=score.document))
        for score in scores
    ]


def _own_writing(trials: Sequence[Trial]) -> dict[str, str]:
    """document → the person's own held-out words."""
    found: dict[str, str] = {}
    for trial in trials:
        if trial.task != Task.TITLE.value:
            found[trial.content_hash] = f"{found.get(trial.content_hash, '')}\n{trial.completion}"
    return found


def _growth(profile: Profile) -> Iterator[dict[str, Any]]:
    """Of each finished run, oldest first: how much it learned from, and its gain on held-out text.

    `gain` is the share by which the tuned model's nats per token lie below the base's, both with
    retrieval.
    """
    for folder in reversed(finished_runs(profile)):
        run = folder.record()
        if run.metrics is not None and run.metrics.base.nll:
            gain = 1 - run.metrics.tuned.nll / run.metrics.base.nll
            point = {"run": folder.id, "base": run.base, "documents": len(run.data.learned)}
            yield {**point, "tokens": run.tokens, "gain": gain}


def _fingerprint(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def _fingerprint_of(served: ServedModel | None, record: RunRecord | None) -> str | None:
    """The recorded SHA-256 of the file that the run made and that answers."""
    if served is None:
        return None
    name = (served.adapter or served.model).name
    known = record.files.get(name) if record else None
    return known.sha256 if known else name
