"""The benchmark from files to figures: who is asked, what is known already, what comes out."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from localpers.bench.lamp import data
from localpers.bench.lamp.context import CHOSEN, Assignment, RunContext, condition_called
from localpers.bench.lamp.data import Dataset, User
from localpers.bench.lamp.records import Record, opened, read_configuration
from localpers.bench.lamp.session import remove_left_behind
from localpers.bench.lamp.summary import Summary, summarize
from localpers.bench.lamp.tasks import task_called
from localpers.bench.lamp.workers import fitting_jobs, run_assignments
from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError, UnsupportedModel
from localpers.evaluation.ledger import Ledger
from localpers.profile import home, make_private, write_atomically
from localpers.tuning.recipe import Recipe
from localpers.weights.gguf_file import read_metadata
from localpers.weights.suitability import trainable

Progress = Callable[[int, int, str], None]
"""(answers done, answers in all, who is next)."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for. `users` and `jobs` 0 stand for all, and as many as fit;
    `budget` is in seconds of training per user; `results` None is a file of its own in the home.
    With `shard` (I, N), every Nth user from the Ith is asked, and `results` is a folder.
    """

    place: Path
    task: str | None
    users: int
    conditions: tuple[str, ...]
    base: ModelInfo
    recipe: Recipe
    k: int
    budget: float
    contrast: float
    seed: int
    device: str
    jobs: int
    results: Path | None
    again: bool
    keep: bool
    shard: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """`seconds` are those of this run alone; a run that was continued was shorter than the whole.
    `results` is a file, or the folder that was merged.
    """

    summary: Summary
    results: Path
    seconds: float
    adapters: Path | None = None


def run(request: Request, on_progress: Progress | None = None) -> Outcome:
    """Answer what is missing, and summarize.

    Raises LocalpersError for damaged data, results of other settings, and what the models raise;
    after KeyboardInterrupt the results file holds everything that was finished.
    """
    began = time.monotonic()
    dataset = data.load(request.place, request.task)
    users = dataset.users[: request.users or None]
    folder = make_private(make_private(home()) / "benchmarks")
    if request.shard:
        first, step = request.shard
        users = users[first - 1 :: step]
    context = _context(request, dataset, folder)
    name = _name(context)
    path = _results_file(request, folder / f"{name}.jsonl")
    kept = folder / f"{name}-adapters" if request.keep else None
    ids = {question.id for user in users for question in user.questions}
    finished = path.with_suffix(".json")
    if request.shard:
        finished.unlink(missing_ok=True)
    with opened(path, context.configuration(), request.again) as results:
        assignments = _assignments(request, dataset, users, results)
        if assignments:
            with _adapters(kept, folder, path) as adapters:
                context = replace(context, folder=adapters)
                total = sum(assignment.answers for assignment in assignments)
                jobs = _jobs(request, len(assignments))
                for done, record in enumerate(run_assignments(context, assignments, jobs), 1):
                    results.measured(record.key, Record, partial(_same, record))
                    if on_progress:
                        on_progress(done, total, record.user)
        asked = [record for record in results.rows(Record) if record.question in ids]
        summary = summarize(dataset.task, request.conditions, asked)
    if request.shard:
        write_atomically(finished, json.dumps(request.conditions))
    return Outcome(summary, path, round(time.monotonic() - began, 3), kept)


def merge(folder: Path) -> Outcome:
    """The figures of all shards in `folder`. Raises LocalpersError where one is missing or not
    finished, or where they do not belong together.
    """
    began = time.monotonic()
    paths = sorted(folder.glob("shard-*-of-*.jsonl"))
    if not paths:
        raise LocalpersError(f"{folder} holds no shards: run some with --shard I/N --results.")
    total = int(paths[-1].stem[-4:])
    names = [f"shard-{number:04}-of-{total:04}" for number in range(1, total + 1)]
    missing = [int(name[6:10]) for name in names if not (folder / f"{name}.json").is_file()]
    if missing:
        numbers = ", ".join(map(str, missing))
        raise LocalpersError(f"Shards not finished, of {total}: {numbers}. Run them again.")
    configuration = read_configuration(paths[0])
    conditions = json.loads((folder / f"{names[0]}.json").read_text())
    records: list[Record] = []
    for name in names:
        path = folder / f"{name}.jsonl"
        same_names = json.loads(path.with_suffix(".json").read_text()) == conditions
        if not same_names or read_configuration(path) != configuration:
            raise LocalpersError(
                f"The shards in {folder} are of different settings: run them all with the same."
            )
        records += Ledger(path, configuration, restart=False).rows(Record)
    summary = summarize(task_called(configuration["task"]), conditions, records)
    return Outcome(summary, folder, round(time.monotonic() - began, 3))


def _same(record: Record) -> Record:
    return record


def _results_file(request: Request, usual: Path) -> Path:
    if not request.shard:
        return request.results or usual
    if request.results is None:
        raise LocalpersError("--shard needs a folder for all shards: name it with --results.")
    number, total = request.shard
    request.results.mkdir(parents=True, exist_ok=True)
    return request.results / f"shard-{number:04}-of-{total:04}.jsonl"


@contextmanager
def _adapters(kept: Path | None, folder: Path, results: Path) -> Iterator[Path]:
    """`kept`, or a folder that is gone afterwards. It is that of the results file, which no other
    run has open: what a killed run left of it is removed by the next.
    """
    remove_left_behind(folder)
    digest = hashlib.sha256(bytes(results.absolute())).hexdigest()[:16]
    passing = folder / f"passing-{digest}"
    try:
        shutil.rmtree(passing, ignore_errors=True)
        yield make_private(kept or passing)
    finally:
        shutil.rmtree(passing, ignore_errors=True)
        remove_left_behind(folder)


def _context(request: Request, dataset: Dataset, folder: Path) -> RunContext:
    return RunContext(
        task=dataset.task,
        instruction=dataset.instruction,
        fingerprint=dataset.fingerprint,
        base=request.base,
        recipe=request.recipe,
        k=request.k,
        contrast=request.contrast,
        budget=request.budget,
        seed=request.seed,
        device=request.device,
        folder=folder,
        keep=request.keep,
    )


def _name(context: RunContext) -> str:
    configuration = json.dumps(context.configuration(), sort_keys=True)
    digest = hashlib.sha256(configuration.encode()).hexdigest()
    return f"{context.task.name.lower()}-{digest[:8]}"


def _assignments(
    request: Request, dataset: Dataset, users: Sequence[User], known: Ledger
) -> list[Assignment]:
    mismatched = any(
        name != CHOSEN and condition_called(name).retriever == "mismatched"
        for name in request.conditions
    )
    found = []
    for user in users:
        missing = {
            question.id: lacking
            for question in user.questions
            if (lacking := tuple(n for n in request.conditions if (question.id, n) not in known))
        }
        if missing:
            other = data.stranger(dataset.users, user, request.seed) if mismatched else None
            found.append(Assignment(user, other, missing))
    return found


def _jobs(request: Request, users: int) -> int:
    """How many processes. Raises UnsupportedModel where a base cannot be trained and has to."""
    names = request.conditions
    training = any(name == CHOSEN or condition_called(name).adapter for name in names)
    if training and (reason := trainable(read_metadata(request.base.path))):
        raise UnsupportedModel(
            f"{request.base.name} cannot be tuned: {reason}. Measure it with --conditions "
            "base,rag, or choose another base."
        )
    return request.jobs or fitting_jobs(request.base, training, request.device, users)
