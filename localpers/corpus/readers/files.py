"""Open and read files within size limits, with a short reason for every failure."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from localpers.errors import UnreadableFile

MEBIBYTE = 1024 * 1024

MAX_BYTES: Mapping[str, int | None] = MappingProxyType(
    {
        "text": 32 * MEBIBYTE,
        "markdown": 32 * MEBIBYTE,
        "rst": 32 * MEBIBYTE,
        "org": 32 * MEBIBYTE,
        "html": 32 * MEBIBYTE,
        "notebook": 64 * MEBIBYTE,
        "posts": 64 * MEBIBYTE,
        "mail": 32 * MEBIBYTE,
        "mbox": None,
        "pdf": 256 * MEBIBYTE,
        "docx": 128 * MEBIBYTE,
        "epub": 128 * MEBIBYTE,
        "ignore": MEBIBYTE,
    }
)
"""Largest file each format's reader opens; None if the reader streams the file."""


@contextmanager
def opened(path: Path, format: str) -> Iterator[BinaryIO]:
    """Open `path` for reading.

    Raises UnreadableFile if it is too large, empty, not a regular file or not permitted.
    """
    try:
        with open(path, "rb", opener=open_nonblocking) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise UnreadableFile("not a regular file")
            limit = MAX_BYTES[format]
            if limit is not None and status.st_size > limit:
                raise UnreadableFile(f"larger than {limit // MEBIBYTE} MiB")
            if status.st_size == 0:
                raise UnreadableFile("empty")
            yield file
    except OSError as error:
        raise UnreadableFile(_reason(error)) from error


def open_nonblocking(path: str, flags: int) -> int:
    """Open without blocking: a file called notes.txt may be a named pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_bytes(path: Path, format: str) -> bytes:
    with opened(path, format) as file:
        return file.read()


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "permission denied"
    if isinstance(error, FileNotFoundError):
        return "no longer there"
    return (error.strerror or "cannot be read").lower()
