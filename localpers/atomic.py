"""Atomic writes: a file appears whole or not at all, in encrypted profiles too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localpers.encryption import files
from localpers.encryption.vault import keep


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file to write to; it replaces `path` if the block succeeds."""
    with files.replacing(path) as temporary:
        yield temporary
    keep(path)


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace the contents of `path`; text is written as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
