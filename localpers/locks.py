"""File locks between processes. The kernel holds them, so they end with the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localpers.errors import LocalpersError
from localpers.permissions import FILE_MODE


@contextmanager
def locked(path: Path, busy: Callable[[], LocalpersError], wait: float = 0.0) -> Iterator[None]:
    """Hold the lock file at `path`; raises `busy()` if it is not free within `wait` seconds."""
    from filelock import FileLock, Timeout

    lock = FileLock(path, mode=FILE_MODE)
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise busy() from None
    try:
        yield
    finally:
        lock.release()
