"""Modes of what localpers keeps: folders 0700, files 0600, whatever the umask."""

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
"""Bytes. 0 would stop a file, but not a crash handler behind a pipe; 1 stops both on Linux."""


def keep_private() -> None:
    """Let what this process and its children create be the owner's alone, and let a crash leave no
    image of the memory, which holds what was read.
    """
    os.umask(0o077)
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    within = most == resource.RLIM_INFINITY or most >= NO_CORE_DUMP
    resource.setrlimit(resource.RLIMIT_CORE, (NO_CORE_DUMP if within else most, most))


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a folder; `mode` is its permission bits, `owner` a user's number, `bytes` 0 for a
    folder.
    """

    path: Path
    is_folder: bool
    bytes: int
    mode: int
    owner: int

    @property
    def is_loose(self) -> bool:
        """Whether anyone but the owner may do anything with it."""
        return bool(self.mode & 0o077)


def entries(folder: Path, depth: int | None = None) -> Iterator[Entry]:
    """All files and folders below `folder`, it included, to `depth` levels below it (None: all).

    Links below it are neither followed nor named, and what vanishes meanwhile is left out.
    """
    for path, status in _walk(str(folder), depth):
        yield _entry(path, status)


def links(folder: Path) -> Iterator[Path]:
    """The links below `folder`, which nothing here follows."""
    return (path for path in folder.rglob("*") if path.is_symlink())


def mend(folder: Path, depth: int | None = None) -> list[Entry]:
    """Give the owner's modes to what is loose in `folder`; returns what was, as it was.

    What cannot be changed, because it is another user's, stays as it is.
    """
    loose = [_entry(*found) for found in _walk(str(folder), depth) if found[1].st_mode & 0o077]
    for entry in loose:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            entry.path.chmod(FOLDER_MODE if entry.is_folder else FILE_MODE)
    return loose


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
