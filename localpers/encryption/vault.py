"""Vault: the files of an encrypted profile, decrypted in a memory-backed folder.

Code reads and writes below `Vault.folder` as in any other folder. localpers.atomic calls `keep` for
each file that it replaces, which encrypts it to disk. `fetch` decrypts weights on demand, because
they are large and seldom needed.
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

from localpers.encryption.files import private_folders, replacing, wipe
from localpers.encryption.keys import MasterKey
from localpers.encryption.memory import WorkingFolder, anonymous_file
from localpers.encryption.stream import decrypt_stream, encrypt_stream
from localpers.permissions import keep_private

ENCRYPTED = ".enc"
WEIGHTS = frozenset({".gguf", ".safetensors"})
NEVER_KEPT = frozenset({"merged-f16.gguf", "base-without-vocabulary.gguf", "reference"})
"""Temporary files of a run; a resumed run creates them again."""
MEASURING = "retrieval-"
"""Prefix of the temporary index of a measurement."""
LAST = "run.json"
"""Marks a run as finished: written after the other files of its folder, removed before them."""

_NOT_FETCHED = "not-fetched"
"""Dangling target of the symbolic link that stands for weights not fetched yet."""

Stamp = tuple[int, int, int]
"""Inode, size and modification time of a file."""


@dataclass(slots=True)
class _Known:
    """Stamps of a file: encrypted on disk, and decrypted in memory (None: not fetched)."""

    kept: Stamp
    plain: Stamp | None


class Vault:
    """Opened by the first use of `folder`; `close` encrypts changes and clears the memory."""

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
        """Folder of the decrypted files. Raises DamagedFile, and LocalpersError if there is no
        memory-backed folder.
        """
        if self._working is None:
            self._open()
        assert self._working is not None
        return self._working.path

    def _open(self) -> None:
        keep_private()  # No core dumps.
        self._working = WorkingFolder()
        _opened.append(self)
        _clean_up_at_exit()
        try:
            (self.folder / "runs").mkdir(mode=0o700)
            self.refresh()
        except BaseException:
            self._remove()
            raise

    def refresh(self) -> None:
        """Load changes made by other processes."""
        if self._working is None:
            return
        on_disk = {_name(file, self._root): file for file in kept_files(self._root)}
        for name in self._known.keys() - on_disk.keys():
            (self.folder / name).unlink(missing_ok=True)
            del self._known[name]
            with suppress(OSError):
                (self.folder / name).parent.rmdir()
        (self.folder / "runs").mkdir(mode=0o700, exist_ok=True)
        for name, file in on_disk.items():
            stamp = _stamp(file)
            known = self._known.get(name)
            if known is not None and known.kept == stamp:
                continue
            plain = self.folder / name
            private_folders(plain.parent, self.folder)
            if plain.suffix in WEIGHTS:
                _link(plain, _NOT_FETCHED)
                self._known[name] = _Known(stamp, None)
                continue
            _decrypt(file, plain, self._master, name)
            self._known[name] = _Known(stamp, _stamp(plain))

    def fetch(self, path: Path) -> None:
        """Decrypt the weights at `path`, below `folder`, if there are any.

        They go to an anonymous file, whatever the size of the file system of `folder`.
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
        _link(path, f"/proc/self/fd/{file.fileno()}")

    def keep(self, path: Path) -> None:
        """Encrypt the file or folder at `path`, below `folder`, to disk."""
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
        plain = _stamp(path)
        _encrypt(path, kept, self._master, name)
        self._known[name] = _Known(_stamp(kept), plain)

    def sync(self) -> None:
        """Encrypt changed files to disk and remove deleted ones."""
        if self._working is None:
            return
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        for name in sorted(self._known, key=lambda name: not name.endswith(LAST)):
            if not os.path.lexists(self.folder / name):
                self._kept(name).unlink(missing_ok=True)
                del self._known[name]
                with suppress(OSError):
                    self._kept(name).parent.rmdir()
        for file in sorted(files, key=lambda file: file.name == LAST):
            known = self._known.get(file.relative_to(self.folder).as_posix())
            if not file.is_symlink() and (known is None or known.plain != _stamp(file)):
                self.keep(file)

    def close(self) -> None:
        """Sync, then clear the memory."""
        try:
            self.sync()
        finally:
            self._remove()

    def place(self, path: Path) -> Path:
        """The encrypted file for `path`, below `folder`."""
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


def keep(path: Path) -> None:
    """Encrypt a complete file, or folder of files, to disk if its profile is encrypted."""
    for vault in _opened:
        if path.is_relative_to(vault.folder):
            vault.keep(path)


def fetch(path: Path) -> Path:
    """Return `path`, decrypted first if it is a weights file of an encrypted profile."""
    for vault in _opened:
        if path.is_relative_to(vault.folder):
            vault.fetch(path)
    return path


def kept_files(root: Path) -> list[Path]:
    """Encrypted files of the profile in `root`, sorted."""
    found = (file for file in root.rglob(f"*{ENCRYPTED}") if file.is_file())
    return sorted(file for file in found if not file.name.startswith("."))


def encrypt_file(path: Path, root: Path, master: MasterKey) -> None:
    """Replace the plain file `path`, below `root`, with its encrypted form; can be repeated."""
    name = path.relative_to(root).as_posix()
    _encrypt(path, root / (name + ENCRYPTED), master, name)
    wipe(path)


def decrypt_file(kept: Path, root: Path, master: MasterKey) -> None:
    """Replace the encrypted file `kept` with its plain form; can be repeated."""
    name = _name(kept, root)
    _decrypt(kept, root / name, master, name)
    kept.unlink()


def _encrypt(plain: Path, kept: Path, master: MasterKey, name: str) -> None:
    with (
        plain.open("rb") as source,
        replacing(kept) as temporary,
        temporary.open("wb") as target,
    ):
        encrypt_stream(source, target, master, name)


def _decrypt(kept: Path, plain: Path, master: MasterKey, name: str) -> None:
    with (
        kept.open("rb") as source,
        replacing(plain) as temporary,
        temporary.open("wb") as target,
    ):
        decrypt_stream(source, target, master, name)


def _name(kept: Path, root: Path) -> str:
    return kept.relative_to(root).as_posix().removesuffix(ENCRYPTED)


def is_temporary(name: str) -> bool:
    """Whether `name` (relative to the profile) is a temporary file, which is never encrypted."""
    return not _is_kept(name)


def _is_kept(name: str) -> bool:
    return not any(
        part in NEVER_KEPT or part.startswith((MEASURING, ".")) for part in name.split("/")
    )


def _link(link: Path, target: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


_opened: list[Vault] = []
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_registered = False


def _clean_up_at_exit() -> None:
    """Remove decrypted files at exit and on signals."""
    global _registered
    if _registered:
        return
    _registered = True
    atexit.register(_remove_all)
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, _clean_up_and_exit)


def _remove_all() -> None:
    for vault in tuple(_opened):
        vault._remove()


def _clean_up_and_exit(number: int, _frame: FrameType | None) -> None:
    for vault in _opened:
        shutil.rmtree(vault.folder, ignore_errors=True)
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
