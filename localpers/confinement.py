"""Limits that a child process puts on itself before it touches what a stranger made."""

from __future__ import annotations

from contextlib import suppress

from localpers.permissions import NO_CORE_DUMP


def confine(memory: int, *, open_files: int | None = None, cpu_seconds: int | None = None) -> None:
    """No more than `memory` bytes of address space, no file written, no core dump with somebody's
    text in it; `open_files` and `cpu_seconds` at most, where they are given.

    macOS does not enforce the limit of memory; where there are no such limits at all, the parent's
    clock is what is left.
    """
    try:
        import resource
    except ImportError:
        return
    for kind, most in (
        (resource.RLIMIT_CORE, NO_CORE_DUMP),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, open_files),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, memory),
    ):
        if most is None:
            continue
        with suppress(ValueError, OSError):  # A harder limit is there already.
            resource.setrlimit(kind, (most, most))
