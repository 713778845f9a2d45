"""File modes: folders 0700 and files 0600, whatever the umask."""

from __future__ import annotations

import contextlib
import os
import resource
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600

NO_CORE_DUMP = 1
"""Bytes. On Linux, 0 prevents core files but not crash handlers behind a pipe; 1 prevents both."""


def keep_private() -> None:
    """Give new files of this process and its children owner-only modes, and disable core dumps."""
    os.umask(0o077)
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    soft = NO_CORE_DUMP if hard == resource.RLIM_INFINITY else min(NO_CORE_DUMP, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder: permission bits, user id of the owner, and size (0 for folders)."""

    path: Path
    is_folder: bool
    bytes: int
    mode: int
    owner: int

    @property
    def is_open(self) -> bool:
        """Whether group or others have any access."""
        return bool(self.mode & 0o077)


def entries(folder: Path, depth: int | None = None) -> Iterator[Entry]:
    """`folder` and all files and folders below it, up to `depth` levels (None: all).

    Skips symbolic links and files that disappear meanwhile.
    """
    for path, status in _walk(str(folder), depth):
        yield _entry(path, status)


def links(folder: Path) -> Iterator[Path]:
    """Symbolic links below `folder`."""
    return (path for path in folder.rglob("*") if path.is_symlink())


def restrict(folder: Path, depth: int | None = None) -> list[Entry]:
    """Restrict everything in `folder` to its owner; returns the entries that were open, with their
    old modes.

    Files of other users are left unchanged.
    """
    found = [_entry(*one) for one in _walk(str(folder), depth) if one[1].st_mode & 0o077]
    for entry in found:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            entry.path.chmod(FOLDER_MODE if entry.is_folder else FILE_MODE)
    return found


def _walk(folder: str, depth: int | None) -> Iterator[tuple[str, os.stat_result]]:
    with contextlib.suppress(FileNotFoundError):
        yield folder, os.stat(folder)  # noqa: PTH116
        yield from _below(folder, depth)


def _below(folder: str, depth: int | None) -> Iterator[tuple[str, os.stat_result]]:
    if depth == 0:
        return
    try:
        found = sorted(os.scandir(folder), key=lambda one: one.name)
    except (FileNotFoundError, PermissionError):
        return
    for one in found:
        with contextlib.suppress(FileNotFoundError):
            status = one.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                yield one.path, status
                yield from _below(one.path, None if depth is None else depth - 1)
            elif stat.S_ISREG(status.st_mode):
                yield one.path, status


def _entry(path: str, status: os.stat_result) -> Entry:
    is_folder = stat.S_ISDIR(status.st_mode)
    size = 0 if is_folder else status.st_size
    return Entry(Path(path), is_folder, size, status.st_mode & 0o777, status.st_uid)
