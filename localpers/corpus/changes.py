"""Find which files changed since they were indexed, by size, time and reader version."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from localpers.corpus import passages
from localpers.corpus.readers import reader_for
from localpers.corpus.walk import FoundFile, Walk
from localpers.errors import SourceMissing
from localpers.forgotten import Forgotten
from localpers.profile import home
from localpers.store import Store
from localpers.store.files import StoredFile

READER_VERSION = 1000 * passages.VERSION + 3
"""Increase it when a reader's output changes, so that files are read again."""


@dataclass(frozen=True, slots=True)
class Skipped:
    path: str
    reason: str


@dataclass(slots=True)
class Changes:
    """What a walk of one root found, compared with the store."""

    changed: list[tuple[FoundFile, StoredFile | None]] = field(default_factory=list)
    unchanged: list[StoredFile] = field(default_factory=list)
    vanished: dict[int, StoredFile] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    forgotten: int = 0
    """Number of files."""


def roots_of(paths: Iterable[Path]) -> list[str]:
    """The absolute paths, without those below another. Raises SourceMissing if one is missing."""
    roots: list[str] = []
    for path in sorted({os.path.realpath(path.expanduser()) for path in paths}):
        if not os.path.exists(path):
            raise SourceMissing(
                f"{path} does not exist: check the path, or mount the drive it is on. "
                "Nothing was changed."
            )
        if not any(path.startswith(root.rstrip("/") + "/") for root in roots):
            roots.append(path)
    return roots


def changes_below(store: Store, root: str, again: bool, forgotten: Forgotten) -> Changes:
    """Walk `root` and compare; with `again`, every file counts as changed.

    Raises SourceMissing if `root` is an indexed folder that is now empty.
    """
    changes = Changes()
    known = {file.path: file for file in store.files.below(root)}
    indexed = len(known)
    found_any = False
    walk = Walk(root, excluded=(os.path.realpath(home()),))
    for found in walk:
        found_any = True
        if forgotten.refuses_file(found.path):
            changes.forgotten += 1
            continue
        before = known.pop(found.path, None)
        if before is None and reader_for(Path(found.path)) is None:
            continue
        if before is not None and not again and _is_same(before, found):
            changes.unchanged.append(before)
        else:
            changes.changed.append((found, before))
    if indexed and not found_any and not walk.unreadable:
        raise SourceMissing(
            f"{root} is empty but was indexed with {indexed} files: is its drive mounted? "
            "Nothing was changed; use another path, or put the files back and run this again."
        )
    changes.skipped = [Skipped(path, reason) for path, reason in walk.unreadable.items()]
    unreadable = tuple(path.rstrip("/") + "/" for path in walk.unreadable)
    for file in known.values():
        if file.path in walk.unreadable or file.path.startswith(unreadable):
            changes.unchanged.append(file)
        else:
            changes.vanished[file.id] = file
    return changes


def _is_same(before: StoredFile, found: FoundFile) -> bool:
    return (before.size, before.mtime_ns, before.reader_version) == (
        found.size,
        found.mtime_ns,
        READER_VERSION,
    )
