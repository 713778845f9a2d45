"""What is evaluated: a run's models, what it held out, what may be retrieved, what it learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localpers.datatypes import ServedModel, StoredDocument
from localpers.errors import LocalpersError
from localpers.evaluation.trials import Trial, make_trials, read_trials, yields_trials
from localpers.inference.served import served_model
from localpers.profile import Profile, make_private
from localpers.runs import RunFolder, find_run, finished_runs
from localpers.runs.records import RunRecord
from localpers.store import Store
from localpers.tuning.recipe import Recipe
from localpers.tuning.requests import Task
from localpers.tuning.split import split
from localpers.weights.tokenizer import Tokenizer

TASKS = (Task.TITLE.value, Task.OPENING.value, Task.WRITE.value)
"""What is evaluated; a continuation from the middle is judged by the verdict alone."""


@dataclass(frozen=True, slots=True)
class Subject:
    """`tuned` is None where there is no run yet. `retrievable` and `learned` are content hashes;
    `record` is None without a run; `folder` is where results are kept.
    """

    base: ServedModel
    tuned: ServedModel | None
    trials: tuple[Trial, ...]
    retrievable: frozenset[str]
    learned: frozenset[str]
    split_by: str
    record: RunRecord | None
    folder: Path

    @property
    def run(self) -> str | None:
        return self.tuned.run if self.tuned else None

    def sample(self, documents: int) -> list[Trial]:
        """The trials of TASKS of the first so many documents, document by document."""
        first = list(dict.fromkeys(trial.content_hash for trial in self.trials))[:documents]
        return [
            trial
            for content_hash in first
            for trial in self.trials
            if trial.content_hash == content_hash and trial.task in TASKS
        ]


def find_subject(
    profile: Profile, store: Store, run: str | None, base: str | None = None
) -> Subject:
    """The run `run`, else the promoted one, else the newest that can answer; without any, or where
    `base` names one, the base alone on the documents that a run would hold out.

    Documents that were removed since are left out. Raises RunNotFound, ModelNotFound, WrongBase,
    and LocalpersError where nothing is held out.
    """
    documents = {document.content_hash: document for document in store.documents.all()}
    chosen = run or profile.promoted() or _newest(profile)
    if chosen is None or base is not None:
        return _untuned(profile, list(documents.values()), base)
    folder = find_run(profile, chosen)
    subject = _of_run(profile, folder, documents)
    if not subject.trials:
        raise LocalpersError(
            f"Nothing that run '{chosen}' held out is indexed any more: ingest it, or tune again."
        )
    return subject


def _newest(profile: Profile) -> str | None:
    """The newest run that can answer: one whose conversion failed serves nothing."""
    runs = (folder.id for folder in finished_runs(profile) if folder.record().served)
    return next(runs, None)


def _of_run(
    profile: Profile, folder: RunFolder, documents: Mapping[str, StoredDocument]
) -> Subject:
    record = folder.record()
    tuned = served_model(profile, folder.id)
    trials = [t for t in read_trials(folder.held_out) if t.content_hash in documents]
    return Subject(
        base=served_model(profile, folder.id, use_adapter=False),
        tuned=tuned,
        trials=tuple(trials),
        retrievable=frozenset(record.data.retrievable),
        learned=frozenset(record.data.learned),
        split_by=record.data.split_by,
        record=record,
        folder=folder.path,
    )


def _untuned(profile: Profile, documents: Sequence[StoredDocument], name: str | None) -> Subject:
    recipe = Recipe()
    if len({document.content_hash for document in documents}) < 2:
        raise LocalpersError(
            f"{len(documents)} documents are indexed, too few to hold any out: ingest more."
        )
    base = served_model(profile, use_adapter=False, base=name)
    tokenizer = Tokenizer.open(base.model)
    parts = split(documents, recipe.held_out, yields_trials(tokenizer, recipe))
    trials = make_trials(tokenizer, recipe, parts.held_out)
    if not trials:
        raise LocalpersError(
            "The documents held out are too short to make tasks of: ingest more of your writing."
        )
    return Subject(
        base=base,
        tuned=None,
        trials=tuple(trials),
        retrievable=frozenset(document.content_hash for document in parts.train),
        learned=frozenset(),
        split_by=parts.by,
        record=None,
        folder=make_private(profile.files / "evaluation"),
    )
