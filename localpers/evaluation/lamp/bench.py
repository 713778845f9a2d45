"""The benchmark from files to figures: who is asked, what is known already, what comes out."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from localpers.datatypes import ModelInfo
from localpers.errors import UnsupportedModel
from localpers.evaluation.lamp import data
from localpers.evaluation.lamp.data import Dataset, User
from localpers.evaluation.lamp.prompts import Form
from localpers.evaluation.lamp.records import Record, ResultsFile, opened
from localpers.evaluation.lamp.retrieval import stranger
from localpers.evaluation.lamp.settings import (
    Assignment,
    Settings,
    needs_adapter,
    needs_stranger,
)
from localpers.evaluation.lamp.summary import Summary, summarize
from localpers.evaluation.lamp.users import remove_left_behind
from localpers.evaluation.lamp.workers import fitting_jobs, run_assignments
from localpers.profile import home, make_private
from localpers.tuning.recipe import Recipe
from localpers.weights.gguf_file import read_metadata
from localpers.weights.suitability import trainable

Progress = Callable[[int, int, str], None]
"""(answers done, answers in all, who is next)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for. `users` and `jobs` 0 stand for all, and as many as fit;
    `budget` is in seconds of training per user; `results` None for a file of its own in the home.
    """

    place: Path
    task: str | None
    users: int
    conditions: tuple[str, ...]
    base: ModelInfo
    recipe: Recipe
    form: Form
    budget: float
    contrast: float
    seed: int
    device: str
    jobs: int
    results: Path | None
    again: bool
    keep: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """`seconds` are those of this run alone; a run that went on was shorter than the whole."""

    summary: Summary
    results: Path
    seconds: float
    adapters: Path | None


def run(request: Request, on_progress: Progress | None = None) -> Outcome:
    """Answer what is missing, and summarize.

    Raises LocalpersError for damaged data, results of other settings, and what the models raise;
    after KeyboardInterrupt the results file holds everything that was finished.
    """
    began = time.monotonic()
    dataset = data.load(request.place, request.task)
    users = dataset.users[: request.users or None]
    folder = make_private(make_private(home()) / "benchmarks")
    settings = _settings(request, dataset, folder)
    name = _name(settings)
    path = request.results or folder / f"{name}.jsonl"
    kept = folder / f"{name}-adapters" if request.keep else None
    with opened(path, settings.configuration(), request.again) as results:
        with _adapters(kept, folder, path) as adapters:
            settings = replace(settings, folder=adapters)
            assignments = _assignments(request, dataset, users, results.records)
            _work(request, settings, assignments, results, on_progress)
        summary = summarize(dataset.task, users, request.conditions, results.records)
    return Outcome(summary, path, round(time.monotonic() - began, 3), kept)


@contextmanager
def _adapters(kept: Path | None, folder: Path, results: Path) -> Iterator[Path]:
    """`kept`, or a folder that is gone afterwards. It is that of the results file, which no other
    run has open: what a killed run left of it is cleared away by the next.
    """
    remove_left_behind(folder)
    if kept:
        yield make_private(kept)
        return
    passing = folder / f"passing-{hashlib.sha256(bytes(results.absolute())).hexdigest()[:16]}"
    shutil.rmtree(passing, ignore_errors=True)
    try:
        yield make_private(passing)
    finally:
        shutil.rmtree(passing, ignore_errors=True)


def _settings(request: Request, dataset: Dataset, folder: Path) -> Settings:
    return Settings(
        task=dataset.task,
        instruction=dataset.instruction,
        fingerprint=dataset.fingerprint,
        base=request.base,
        form=request.form,
        recipe=request.recipe,
        budget=request.budget,
        contrast=request.contrast,
        seed=request.seed,
        device=request.device,
        folder=folder,
        keep=request.keep,
    )


def _name(settings: Settings) -> str:
    configuration: dict[str, Any] = settings.configuration()
    digest = hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()
    return f"{settings.task.name.lower()}-{digest[:8]}"


def _assignments(
    request: Request, dataset: Dataset, users: Sequence[User], known: Sequence[Record]
) -> list[Assignment]:
    done = {record.key for record in known}
    mismatched = needs_stranger(request.conditions)
    found = []
    for user in users:
        missing = {
            question.id: lacking
            for question in user.questions
            if (lacking := tuple(n for n in request.conditions if (question.id, n) not in done))
        }
        if missing:
            other = stranger(dataset.users, user, request.seed) if mismatched else None
            found.append(Assignment(user, other, missing))
    return found


def _work(
    request: Request,
    settings: Settings,
    assignments: Sequence[Assignment],
    results: ResultsFile,
    on_progress: Progress | None,
) -> None:
    if not assignments:
        return
    total = sum(assignment.answers for assignment in assignments)
    training = needs_adapter(request.conditions)
    if training and (reason := trainable(read_metadata(request.base.path))):
        raise UnsupportedModel(
            f"{request.base.name} cannot be tuned: {reason}. Measure it with --conditions "
            "base,rag, or choose another base."
        )
    jobs = request.jobs or fitting_jobs(request.base, training, request.device, len(assignments))
    for done, record in enumerate(run_assignments(settings, assignments, jobs), 1):
        results.add(record)
        if on_progress:
            on_progress(done, total, record.user)
