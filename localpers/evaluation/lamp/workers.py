"""Users spread over processes; with one job everything happens in this one.

Each process loads models of its own (the base's file is mapped, so its bytes are shared) and takes
its part of the cores. Answers travel back one by one, so that an interrupt loses only what is
being computed.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError
from localpers.evaluation.lamp.records import Record
from localpers.evaluation.lamp.settings import Assignment, Settings
from localpers.evaluation.lamp.users import Session
from localpers.privacy.airgap import seal
from localpers.threads import THREADS, threads
from localpers.tuning.torch_base import memory_needed

THREADS_PER_JOB = 2
"""More processes of fewer threads compute more, but each user's adapter gets less of its budget."""
ANSWERING_BYTES = 400_000_000
"""A process without training: Python, the KV cache, logits."""
POLL_SECONDS = 1.0
FAREWELL_SECONDS = 10.0
"""In which an idle process gives back what it holds; killed, it leaves semaphores."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a worker stopped; `line` is a LocalpersError's own, empty for an unexpected error."""

    line: str
    kind: str


class _Idle:
    """A worker has no assignments left."""


def fitting_jobs(base: ModelInfo, training: bool, device: str, users: int) -> int:
    """How many processes the memory and the cores allow; one where a GPU is shared."""
    import psutil

    if training and device != "cpu" and _has_gpu():
        return 1
    each = ANSWERING_BYTES + (memory_needed(base.parameters, "float32", False) if training else 0)
    fit = int(psutil.virtual_memory().available * 0.8) // each
    return max(1, min(users, fit, threads() // THREADS_PER_JOB))


def _has_gpu() -> bool:
    from localpers.tuning.device import choose_device

    return choose_device().name != "cpu"


def run_assignments(
    settings: Settings, assignments: Sequence[Assignment], jobs: int
) -> Iterator[Record]:
    """The records of all assignments, as they come.

    Raises what a Session raises, and LocalpersError where a process dies.
    """
    jobs = min(jobs, len(assignments))
    if jobs > 1:
        yield from _spread(settings, assignments, jobs)
        return
    with Session(settings) as session:
        for assignment in assignments:
            yield from session.records(assignment)


def _spread(settings: Settings, assignments: Sequence[Assignment], jobs: int) -> Iterator[Record]:
    context = multiprocessing.get_context("spawn")
    todo: Any = context.Queue()
    results: Any = context.Queue()
    # The longest first, so that no process is left alone with one at the end.
    for assignment in sorted(assignments, key=lambda one: -one.answers):
        todo.put(assignment)
    for _ in range(jobs):
        todo.put(None)
    share = replace(settings, threads=max(1, threads() // jobs))
    workers = [
        context.Process(target=_work, args=(share, todo, results), daemon=True) for _ in range(jobs)
    ]
    try:
        for worker in workers:
            worker.start()
        yield from _collected(workers, results)
        for worker in workers:
            worker.join(FAREWELL_SECONDS)
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.kill()
            if worker.pid:
                worker.join()


def _collected(workers: Sequence[BaseProcess], results: Any) -> Iterator[Record]:
    idle = 0
    while idle < len(workers):
        try:
            found = results.get(timeout=POLL_SECONDS)
        except queue.Empty:
            if any(worker.exitcode for worker in workers):
                raise LocalpersError(
                    "A process of the benchmark was ended from outside, most likely for want of "
                    "memory: run it again with --jobs 1; it goes on where it stopped."
                ) from None
            continue
        if isinstance(found, _Failure):
            raise LocalpersError(
                found.line
                or f"A process of the benchmark failed ({found.kind}): run it again with --jobs 1 "
                "and --debug for the details; it goes on where it stopped."
            )
        if isinstance(found, _Idle):
            idle += 1
        else:
            yield found


def _work(settings: Settings, todo: Any, results: Any) -> None:
    """A worker's life. Ctrl-C is its parent's affair, which it does not outlive."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    os.environ[THREADS] = os.environ["OMP_NUM_THREADS"] = str(settings.threads)
    # Libraries' remarks to programmers; with --jobs 1 and --debug they are shown.
    warnings.simplefilter("ignore")
    Thread(target=_end_with_parent, daemon=True).start()
    seal()
    try:
        with Session(settings) as session:
            while (assignment := todo.get()) is not None:
                for record in session.records(assignment):
                    results.put(record)
        results.put(_Idle())
    except LocalpersError as error:
        results.put(_Failure(str(error), type(error).__name__))
    except Exception as error:
        results.put(_Failure("", type(error).__name__))


def _end_with_parent() -> None:
    """End this process when its parent has, however that came about: nobody waits any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
