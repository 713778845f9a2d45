"""How many cores native libraries compute on, and how their threads wait for each other.

Torch and llama.cpp part each of thousands of small products among threads that meet again after
it. By default those that are done first wait in a loop, for milliseconds: where another program
needs a core, too, the system takes it from whichever thread, and all others burn theirs meanwhile.
"""

from __future__ import annotations

import os
from pathlib import Path

THREADS = "LOCALPERS_THREADS"
_SPINS = "GOMP_SPINCOUNT"
_WAITING = (_SPINS, "OMP_WAIT_POLICY")
FEW_SPINS = "3000"
"""Turns of the loop before a thread sleeps: some microseconds (GNU's OpenMP has 300,000)."""
QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""What a container may use of all cores together (Linux, cgroups v2)."""


def threads() -> int:
    """The physical cores that this process may use, no more than its container's share of all;
    hyperthreads slow matrix products down.

    THREADS overrules it: processes that work side by side each take their part.
    """
    if stated := stated_threads():
        return stated
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return int(min(cores, allowed, _quota() or cores))


def _quota() -> int | None:
    """In whole cores, at least one; None where none is set."""
    try:
        time, period = QUOTA.read_text().split()
        return None if time == "max" else max(1, int(time) // int(period))
    except (OSError, ValueError):
        return None


def stated_threads() -> int:
    """What THREADS says, 0 where it says nothing."""
    stated = os.environ.get(THREADS, "")
    return int(stated) if stated.isdigit() else 0


def wait_asleep() -> None:
    """Let threads of libraries that are loaded after this leave the core to others soon.

    What the user has set in the environment remains.
    """
    if not any(name in os.environ for name in _WAITING):
        os.environ[_SPINS] = FEW_SPINS
