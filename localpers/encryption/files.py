"""Files that appear whole or not at all, and files that go."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from localpers.permissions import FOLDER_MODE

_BLOCK = 1 << 20


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """A file to write to; it becomes `path` if the block succeeds: temporary name beside it (mode
    0600), fsync, rename.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def private_folders(folder: Path, below: Path) -> None:
    """Make `folder` and those between it and `below`, enterable by their owner alone."""
    for part in (*reversed(folder.relative_to(below).parents), folder.relative_to(below)):
        (below / part).mkdir(mode=FOLDER_MODE, exist_ok=True)


def wipe(path: Path) -> None:
    """Remove the file at `path`, its content overwritten before; nothing where there is none.

    What has another name, too (a backup by hard links), is not overwritten. File systems that copy
    on write, and SSDs, keep the old blocks all the same.
    """
    if path.is_symlink() or not path.exists() or path.stat().st_nlink > 1:
        path.unlink(missing_ok=True)
        return
    with path.open("r+b") as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(bytes(min(left, _BLOCK)))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
