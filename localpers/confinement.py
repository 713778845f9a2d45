"""Resource limits a child process sets on itself before it reads an untrusted file."""

from __future__ import annotations

from contextlib import suppress

from localpers.permissions import NO_CORE_DUMP


def confine(memory: int, *, open_files: int | None = None, cpu_seconds: int | None = None) -> None:
    """Limit this process to `memory` bytes of address space, and forbid file writes and core dumps.

    macOS does not enforce the memory limit. Windows has no such limits; there only the parent's
    timeout applies.
    """
    try:
        import resource
    except ImportError:
        return
    for kind, limit in (
        (resource.RLIMIT_CORE, NO_CORE_DUMP),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, memory),
    ):
        if limit is None:
            continue
        with suppress(ValueError, OSError):  # A stricter limit is already set.
            resource.setrlimit(kind, (limit, limit))
