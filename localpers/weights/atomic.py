"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localpers.encryption.vault import keep


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it replaces `path` if the block succeeds.

    For writers that open the file themselves; profile.write_atomically suits small contents. The
    name is fixed, so that the next write overwrites what a killed process left; the caller holds
    the lock of the profile or of the models folder.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        keep(path)
    finally:
        temporary.unlink(missing_ok=True)
