"""Walk folders for files to index, honouring ignore files and avoiding symlink loops."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localpers.corpus.readers.files import read_bytes
from localpers.errors import UnreadableFile

IGNORE_FILES = (".gitignore", ".localpersignore")
SKIPPED_FOLDERS = frozenset(
    {"node_modules", "bower_components", "__pycache__", "site-packages", "venv", "$RECYCLE.BIN"}
)

MAX_DEPTH = 200
MAX_TIME_NS = 2**63 - 1
"""Latest time SQLite's 64-bit integers hold: in 2262. Some file systems allow later ones."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    path: str
    size: int
    mtime_ns: int


@dataclass(slots=True)
class Walk:
    """Iterate for the files; afterwards `unreadable` maps folders and files to the reason.

    Files below an unreadable folder are unknown, not deleted.
    """

    root: str
    excluded: tuple[str, ...] = ()
    unreadable: dict[str, str] = field(default_factory=dict)
    _visited: set[tuple[int, int]] = field(default_factory=set)

    def __iter__(self) -> Iterator[FoundFile]:
        status = os.stat(self.root)
        if not stat.S_ISDIR(status.st_mode):
            if stat.S_ISREG(status.st_mode):
                yield _found(self.root, status)
            else:
                self.unreadable[self.root] = "not a regular file"
            return
        self._visited.add((status.st_dev, status.st_ino))
        for folder in self.excluded:  # Even when a link leads to a parent of it.
            with suppress(OSError):
                status = os.stat(folder)
                self._visited.add((status.st_dev, status.st_ino))
        yield from self._folder(self.root, ())

    def _folder(
        self, folder: str, rules: tuple[tuple[str, Any], ...], depth: int = 0
    ) -> Iterator[FoundFile]:
        if depth > MAX_DEPTH:
            self.unreadable[folder] = "folders nested too deep"
            return
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            self.unreadable[folder] = _reason(error)
            return
        for entry in entries:
            if entry.name in IGNORE_FILES:
                rules = (*rules, *self._rules_of(folder, entry.path))
        for entry in entries:
            if entry.name.startswith(".") or self._links_to_excluded(entry):
                continue
            try:
                if entry.is_dir():
                    if not _ignored(rules, entry.path, folder=True) and self._enters(entry):
                        yield from self._folder(entry.path, rules, depth + 1)
                elif not _ignored(rules, entry.path, folder=False) and self._belongs(entry):
                    yield _found(entry.path, entry.stat())
            except OSError as error:
                self.unreadable[entry.path] = _reason(error)

    def _links_to_excluded(self, entry: os.DirEntry[str]) -> bool:
        if not entry.is_symlink():
            return False
        target = os.path.realpath(entry.path) + "/"
        return any(target.startswith(folder.rstrip("/") + "/") for folder in self.excluded)

    def _enters(self, entry: os.DirEntry[str]) -> bool:
        if entry.name in SKIPPED_FOLDERS:
            return False
        status = entry.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in self._visited:
            return False
        self._visited.add(identity)
        return True

    def _belongs(self, entry: os.DirEntry[str]) -> bool:
        """A regular file, or a link to one outside this walk."""
        if not entry.is_symlink():
            return entry.is_file()
        if not os.path.exists(entry.path):
            return False
        target = os.path.realpath(entry.path)
        return os.path.isfile(target) and not target.startswith(self.root.rstrip("/") + "/")

    def _rules_of(self, folder: str, ignore_file: str) -> tuple[tuple[str, Any], ...]:
        from pathspec import GitIgnoreSpec

        try:
            # Nonblocking: a pipe or device may be called .gitignore.
            lines = read_bytes(Path(ignore_file), "ignore").decode("utf-8", "replace").splitlines()
            return ((folder + "/", GitIgnoreSpec.from_lines(lines)),)
        except UnreadableFile as error:
            if str(error) != "empty":
                self.unreadable[ignore_file] = str(error)
        except ValueError:
            self.unreadable[ignore_file] = "malformed ignore rules"
        return ()


def _found(path: str, status: os.stat_result) -> FoundFile:
    return FoundFile(path, status.st_size, max(-MAX_TIME_NS, min(status.st_mtime_ns, MAX_TIME_NS)))


def _ignored(rules: tuple[tuple[str, Any], ...], path: str, *, folder: bool) -> bool:
    """As in git: the nearest ignore file decides, and the last match within it wins."""
    for base, spec in reversed(rules):
        relative = path[len(base) :] + ("/" if folder else "")
        verdict = spec.check_file(relative).include
        if verdict is not None:
            return bool(verdict)
    return False


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
