"""Memory-backed storage for decrypted files: plain text of an encrypted profile never reaches the
disk.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

from localpers.errors import LocalpersError

MEMORY = "LOCALPERS_MEMORY"
"""Environment variable: the memory-backed folder to use instead of the default ones."""
_TYPES = frozenset({"tmpfs", "ramfs"})
_LOCK = ".lock"
_GRACE_SECONDS = 60
"""A younger folder without a lock belongs to a command that is starting."""


def require_support() -> None:
    """Raises LocalpersError on systems where plain text would reach the disk."""
    if sys.platform != "linux":
        raise LocalpersError(
            "Encrypted profiles require Linux: elsewhere model files would have to be decrypted to "
            "disk. Use the system's disk encryption (FileVault, BitLocker) instead."
        )


class WorkingFolder:
    """A private folder in memory, removed when the process ends. Folders of killed processes are
    removed by the next one.
    """

    def __init__(self) -> None:
        """Raises LocalpersError if there is no memory-backed folder."""
        require_support()
        place = memory_place()
        prefix = f"localpers-{os.getuid()}-"
        _remove_abandoned(place, prefix)
        self.path = Path(tempfile.mkdtemp(dir=place, prefix=f"{prefix}{os.getpid()}-"))
        starting = self.path / f"{_LOCK}.new"
        self._lock = os.open(starting, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        # Renamed once locked: another command takes a folder with an unlocked file for abandoned.
        starting.rename(self.path / _LOCK)

    def remove(self) -> None:
        """Idempotent."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def anonymous_file(name: str) -> BinaryIO:
    """A file in memory without a path, open at /proc/self/fd/N until the process ends."""
    return os.fdopen(os.memfd_create(name, os.MFD_CLOEXEC), "w+b")


def free_bytes(folder: Path) -> int:
    """Free space in `folder`, at most the available memory if it is memory-backed."""
    free = shutil.disk_usage(folder).free
    if not is_in_memory(folder):
        return free
    import psutil

    return min(free, int(psutil.virtual_memory().available))


def memory_place() -> Path:
    """The memory-backed folder with the most free space. Raises LocalpersError if there is none."""
    stated = os.environ.get(MEMORY)
    tried = [stated] if stated else ["/dev/shm", os.environ.get("XDG_RUNTIME_DIR", "")]
    places = [Path(name) for name in tried if name]
    usable = [
        place for place in places if os.access(place, os.W_OK | os.X_OK) and is_in_memory(place)
    ]
    if not usable:
        names = ", ".join(map(str, places))
        raise LocalpersError(
            f"No writable memory-backed folder (tmpfs) found (tried {names}): mount one and set "
            f"{MEMORY} to it. Encrypted profiles are decrypted only in memory."
        )
    return max(usable, key=lambda place: shutil.disk_usage(place).free)


def is_in_memory(folder: Path) -> bool:
    """Whether `folder` is on a memory-backed file system (proc(5), mountinfo); False on other
    systems than Linux.
    """
    mounts = Path("/proc/self/mountinfo")
    wanted, best, kind = folder.resolve(), -1, ""
    for line in mounts.read_text().splitlines() if mounts.exists() else ():
        mount, _, rest = line.partition(" - ")
        escaped = mount.split()[4]
        point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), escaped)
        # The later of two mounts on one point hides the earlier.
        if wanted.is_relative_to(point) and len(point) >= best:
            best, kind = len(point), rest.split()[0]
    return kind in _TYPES


def _remove_abandoned(place: Path, prefix: str) -> None:
    for folder in place.glob(f"{prefix}*"):
        try:
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            if folder.exists() and time.time() - folder.stat().st_mtime > _GRACE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
            continue
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
