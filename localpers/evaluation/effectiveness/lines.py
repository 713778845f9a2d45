"""Lines of a collection's files, plain or compressed; every failure names the file and the line."""

from __future__ import annotations

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gzip import GzipFile
from pathlib import Path
from typing import BinaryIO

from localpers.errors import LocalpersError

PACKED = ".gz"
MEND = "mend it, or get the collection again."
MOST_LINE_BYTES = 64 * 1024 * 1024
"""A document's worth: a file without line ends, or one that unpacks to terabytes, stops here."""


def plain_or_packed(path: Path) -> Path | None:
    """The file at `path`, or where there is none its compressed form, as some mirrors ship it."""
    packed = path.with_name(path.name + PACKED)
    return next((there for there in (path, packed) if there.is_file()), None)


def lines_of(
    path: Path, on_bytes: Callable[[bytes], object] | None = None
) -> Iterator[tuple[int, str]]:
    """(number, text) of each line that is not blank; `on_bytes` gets all lines as they are stored.

    Raises LocalpersError for what is damaged, not UTF-8 (with or without a mark) or too long.
    """
    with _opened(path) as file:
        number = 0
        while stored := file.readline(MOST_LINE_BYTES + 1):
            number += 1
            if len(stored) > MOST_LINE_BYTES:
                raise LocalpersError(
                    f"Line {number} of {path} is longer than {MOST_LINE_BYTES >> 20} MiB: {MEND}"
                )
            if on_bytes:
                on_bytes(stored)
            try:
                line = (stored.removeprefix(BOM_UTF8) if number == 1 else stored).decode()
            except UnicodeDecodeError:
                raise LocalpersError(f"Line {number} of {path} is not UTF-8: {MEND}") from None
            if line.strip():
                yield number, line.rstrip("\r\n")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO | GzipFile]:
    try:
        with gzip.open(path) if path.suffix == PACKED else path.open("rb") as file:
            yield file
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise LocalpersError(
            f"{path} is cut off, damaged or not compressed by gzip: get the collection again."
        ) from None
