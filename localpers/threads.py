"""Number of threads of native libraries, and how those threads wait for each other.

Torch and llama.cpp split thousands of small products among threads that synchronize after each one.
By default, waiting threads spin for milliseconds. If another program needs a core, the system
preempts one thread while all others spin.
"""

from __future__ import annotations

import os
from pathlib import Path

THREADS = "LOCALPERS_THREADS"
_SPINS = "GOMP_SPINCOUNT"
_WAITING = (_SPINS, "OMP_WAIT_POLICY")
FEW_SPINS = "3000"
"""Iterations before a waiting thread sleeps: some microseconds (GNU OpenMP: 300,000)."""
QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""CPU quota of the container (Linux, cgroups v2)."""


def threads() -> int:
    """LOCALPERS_THREADS, or the physical cores available to this process and its container.

    Hyperthreads slow matrix products down.
    """
    if stated := stated_threads():
        return stated
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return int(min(cores, allowed, _quota() or cores))


def _quota() -> int | None:
    """Whole cores, at least 1; None without a quota."""
    try:
        time, period = QUOTA.read_text().split()
        return None if time == "max" else max(1, int(time) // int(period))
    except (OSError, ValueError):
        return None


def stated_threads() -> int:
    """Value of LOCALPERS_THREADS, 0 if not set."""
    stated = os.environ.get(THREADS, "")
    return int(stated) if stated.isdigit() else 0


def wait_asleep() -> None:
    """Make threads of libraries loaded after this call sleep soon instead of spinning.

    Settings in the user's environment take precedence.
    """
    if not any(name in os.environ for name in _WAITING):
        os.environ[_SPINS] = FEW_SPINS
