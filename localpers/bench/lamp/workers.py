"""Users spread over processes; with one job everything happens in this one.

Each process loads its own models (the base's file is mapped, so its bytes are shared) and takes its
part of the cores.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from threading import Thread

from localpers.bench.lamp.context import Assignment, RunContext
from localpers.bench.lamp.records import Record
from localpers.bench.lamp.session import Session
from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError
from localpers.threads import THREADS, threads

THREADS_PER_JOB = 2
"""More processes of fewer threads compute more, but each user's adapter gets less of its budget."""
ANSWERING_BYTES = 400_000_000
"""A process without training: Python, the KV cache, logits."""

_session: Session | None = None
"""A worker's own."""


def fitting_jobs(base: ModelInfo, training: bool, device: str, users: int) -> int:
    """How many processes the memory and the cores allow; one where a GPU is shared."""
    import psutil

    each = ANSWERING_BYTES
    if training:
        from localpers.tuning.adapter_trainer import memory_to_train, trains_on_cpu

        if not trains_on_cpu(device):
            return 1
        each += memory_to_train(base)
    fit = int(psutil.virtual_memory().available * 0.8) // each
    return max(1, min(users, fit, threads() // THREADS_PER_JOB))


def run_assignments(
    context: RunContext, assignments: Sequence[Assignment], jobs: int
) -> Iterator[Record]:
    """The records of all assignments, as they come: with several jobs, user by user.

    Raises what a Session raises, and LocalpersError where a process dies.
    """
    jobs = min(jobs, len(assignments))
    if jobs > 1:
        yield from _spread(context, assignments, jobs)
        return
    with Session(context) as session:
        for assignment in assignments:
            yield from session.records(assignment)


def _spread(context: RunContext, assignments: Sequence[Assignment], jobs: int) -> Iterator[Record]:
    # Waiting for what is being computed would make an interrupt take minutes.
    executor = ProcessPoolExecutor(
        jobs,
        multiprocessing.get_context("spawn"),
        _start_worker,
        (context, max(1, threads() // jobs)),
    )
    try:
        # The longest first, so that no process is left alone with one at the end.
        order = sorted(assignments, key=lambda one: -one.answers)
        for done in as_completed([executor.submit(_records, one) for one in order]):
            yield from done.result()
    except BrokenProcessPool as error:
        raise LocalpersError(
            "A process of the benchmark was killed, most likely for want of memory: run it again "
            "with --jobs 1; it continues where it stopped."
        ) from error
    except BaseException:
        for process in multiprocessing.active_children():
            process.kill()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker(context: RunContext, share: int) -> None:
    """Ctrl-C is the parent's affair, which a worker does not outlive."""
    from localpers.privacy.airgap import seal

    global _session
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0o077)
    os.environ[THREADS] = os.environ["OMP_NUM_THREADS"] = str(share)
    # Libraries' remarks to programmers; with --jobs 1 and --debug they are shown.
    warnings.simplefilter("ignore")
    Thread(target=_end_with_parent, daemon=True).start()
    seal()
    _session = Session(context)


def _records(assignment: Assignment) -> list[Record]:
    assert _session is not None
    return list(_session.records(assignment))


def _end_with_parent() -> None:
    """End this process when its parent has, however that came about."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
