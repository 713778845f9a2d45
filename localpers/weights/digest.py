"""SHA-256 of model files, cached beside them, as hashing gigabytes takes seconds."""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path

from localpers.profile import write_atomically


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hexadecimal, cached by its size and modification time."""
    note = note_of(path)
    with contextlib.suppress(OSError, ValueError, KeyError):
        noted = json.loads(note.read_text())
        if noted["file"] == _state(path):
            return str(noted["sha256"])
    digest = compute_sha256(path)
    with contextlib.suppress(OSError):
        remember(path, digest)
    return digest


def compute_sha256(path: Path) -> str:
    """The file's SHA-256, without the cache."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remember(path: Path, sha256: str, source: str = "") -> None:
    """Cache the digest of the file as it is now, and record where it came from."""
    note = {"sha256": sha256, "file": _state(path), "source": source}
    write_atomically(note_of(path), json.dumps(note) + "\n")


def note_of(path: Path) -> Path:
    """The file beside `path` that holds its digest."""
    return path.with_name(f"{path.name}.sha256.json")


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
