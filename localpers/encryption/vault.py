"""Vault: the files of an encrypted profile, plain in a folder in memory, encrypted on the disk.

Paths stay paths: code reads and writes below `Vault.folder` as below any other folder. Where a file
becomes visible as a whole (profile.write_atomically, weights.atomic.replacing) `keep` puts it into
the profile, encrypted; `fetch` brings in the weights, which are large and mostly not needed.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from localpers.encryption.files import private_folders, replaced, wipe
from localpers.encryption.keys import MasterKey
from localpers.encryption.memory import WorkingFolder, anonymous_file
from localpers.encryption.stream import decrypt_stream, encrypt_stream
from localpers.permissions import keep_private

ENCRYPTED = ".enc"
WEIGHTS = frozenset({".gguf", ".safetensors"})
NEVER_KEPT = frozenset({"merged-f16.gguf", "base-without-vocabulary.gguf", "reference"})
"""What a run makes on its way and removes; a resumed one makes it again."""
MEASURING = "retrieval-"
"""Likewise the index of a measurement."""
LAST = "run.json"
"""It makes a run count: it comes after the other files of its folder and goes before them."""

_NOT_FETCHED = "not-fetched"
"""Where the link in the place of weights leads that nobody asked for yet: nowhere."""

State = tuple[int, int, int]
"""A file's inode, size and time of change."""


@dataclass(slots=True)
class _Known:
    """A file as last seen: encrypted on the disk, and plain in memory (None: not fetched)."""

    kept: State
    plain: State | None


class Vault:
    """Open from the first use of `folder` until `close`."""

    def __init__(self, root: Path, master: MasterKey) -> None:
        self._root = root
        self._master = master
        self._working: WorkingFolder | None = None
        self._known: dict[str, _Known] = {}
        self._anonymous: list[BinaryIO] = []

    @property
    def database_key(self) -> str:
        return self._master.of_database()

    @property
    def folder(self) -> Path:
        """Where the plain files are. Raises LocalpersError for no place in memory, DamagedFile."""
        if self._working is None:
            self._open()
        assert self._working is not None
        return self._working.path

    def _open(self) -> None:
        keep_private()  # A crash must not write the memory of this process to the disk.
        self._working = WorkingFolder()
        _opened.append(self)
        _end_with_the_process()
        try:
            (self.folder / "runs").mkdir(mode=0o700)
            self.refresh()
        except BaseException:
            self._remove()
            raise

    def refresh(self) -> None:
        """Take in what other processes changed since."""
        if self._working is None:
            return
        there = {self._name(file): file for file in kept_files(self._root)}
        for name in self._known.keys() - there.keys():
            (self.folder / name).unlink(missing_ok=True)
            del self._known[name]
            with suppress(OSError):
                (self.folder / name).parent.rmdir()
        (self.folder / "runs").mkdir(mode=0o700, exist_ok=True)
        for name, file in there.items():
            state = _state(file)
            known = self._known.get(name)
            if known is not None and known.kept == state:
                continue
            plain = self.folder / name
            private_folders(plain.parent, self.folder)
            if plain.suffix in WEIGHTS:
                _point(plain, _NOT_FETCHED)
                self._known[name] = _Known(state, None)
                continue
            with file.open("rb") as source, replaced(plain) as target:
                decrypt_stream(source, target, self._master, name)
            self._known[name] = _Known(state, _state(plain))

    def fetch(self, path: Path) -> None:
        """Make the weights at `path`, below `folder`, readable there; nothing where there are none.

        They lie in a file without a name, whatever the size of the file system of `folder`.
        """
        name = path.relative_to(self.folder).as_posix()
        known = self._known.get(name)
        if known is None or known.plain is not None or path.exists():
            return
        file = anonymous_file(path.name)
        with self._kept(name).open("rb") as source:
            decrypt_stream(source, file, self._master, name)
        file.flush()
        self._anonymous.append(file)
        _point(path, f"/proc/self/fd/{file.fileno()}")

    def keep(self, path: Path) -> None:
        """Encrypt the file at `path`, below `folder`, or all in the folder there, to the disk."""
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    self.keep(file)
            return
        name = path.relative_to(self.folder).as_posix()
        if path.is_symlink() or not _is_kept(name):
            return
        kept = self._kept(name)
        private_folders(kept.parent, self._root)
        plain = _state(path)
        with path.open("rb") as source, replaced(kept) as target:
            encrypt_stream(source, target, self._master, name)
        self._known[name] = _Known(_state(kept), plain)

    def sync(self) -> None:
        """Keep what changed, and remove from the disk what was removed here."""
        if self._working is None:
            return
        there = [file for file in self.folder.rglob("*") if file.is_file()]
        for name in sorted(self._known, key=lambda name: not name.endswith(LAST)):
            if not os.path.lexists(self.folder / name):
                self._kept(name).unlink(missing_ok=True)
                del self._known[name]
                with suppress(OSError):
                    self._kept(name).parent.rmdir()
        for file in sorted(there, key=lambda file: file.name == LAST):
            known = self._known.get(file.relative_to(self.folder).as_posix())
            if not file.is_symlink() and (known is None or known.plain != _state(file)):
                self.keep(file)

    def close(self) -> None:
        """Sync, and remove what is in memory."""
        try:
            self.sync()
        finally:
            self._remove()

    def place(self, path: Path) -> Path:
        """Where the file at `path`, below `folder`, lies encrypted."""
        return self._kept(path.relative_to(self.folder).as_posix())

    def _remove(self) -> None:
        if self._working is not None:
            self._working.remove()
            self._working = None
            _opened.remove(self)
        for file in self._anonymous:
            file.close()
        self._anonymous.clear()
        self._known.clear()

    def _kept(self, name: str) -> Path:
        return self._root / (name + ENCRYPTED)

    def _name(self, kept: Path) -> str:
        return kept.relative_to(self._root).as_posix().removesuffix(ENCRYPTED)


def keep(path: Path) -> None:
    """To be called where a file, or a folder of files, became visible as a whole."""
    for vault in _opened:
        if path.is_relative_to(vault.folder):
            vault.keep(path)


def fetch(path: Path) -> Path:
    """`path`, with its content at hand if it is that of weights in an encrypted profile."""
    for vault in _opened:
        if path.is_relative_to(vault.folder):
            vault.fetch(path)
    return path


def kept_files(root: Path) -> list[Path]:
    """The encrypted files of the profile in `root`, by name."""
    found = (file for file in root.rglob(f"*{ENCRYPTED}") if file.is_file())
    return sorted(file for file in found if not file.name.startswith("."))


def encrypt_file(path: Path, root: Path, master: MasterKey) -> None:
    """Put the encrypted form of `path`, below `root`, in its place; can be done again."""
    name = path.relative_to(root).as_posix()
    with path.open("rb") as source, replaced(root / (name + ENCRYPTED)) as target:
        encrypt_stream(source, target, master, name)
    wipe(path)


def decrypt_file(kept: Path, root: Path, master: MasterKey) -> None:
    """Put the plain form of the encrypted file `kept` in its place; can be done again."""
    name = kept.relative_to(root).as_posix().removesuffix(ENCRYPTED)
    with kept.open("rb") as source, replaced(root / name) as target:
        decrypt_stream(source, target, master, name)
    kept.unlink()


def is_passing(name: str) -> bool:
    """Whether the file `name` (relative to the profile) is one that a run makes on its way."""
    return not _is_kept(name)


def _is_kept(name: str) -> bool:
    return not any(
        part in NEVER_KEPT or part.startswith((MEASURING, ".")) for part in name.split("/")
    )


def _point(link: Path, target: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _state(path: Path) -> State:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


_opened: list[Vault] = []
_ENDING = (signal.SIGTERM, signal.SIGHUP)
_prepared = False


def _end_with_the_process() -> None:
    """A process that is told to end takes its plain text along."""
    global _prepared
    if _prepared:
        return
    _prepared = True
    atexit.register(_forget)
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _leave)


def _forget() -> None:
    for vault in tuple(_opened):
        vault._remove()


def _leave(number: int, _frame: FrameType | None) -> None:
    for vault in _opened:
        shutil.rmtree(vault.folder, ignore_errors=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
