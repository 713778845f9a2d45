"""Files on disk: atomic replacement, private folders, overwriting before removal."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localpers.permissions import FOLDER_MODE

_BLOCK = 1 << 20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file (mode 0600) next to `path`; if the block succeeds, it is fsynced and
    renamed to `path`.

    Temporary files of killed processes are removed by the next writer of the same path.
    """
    prefix = f".{path.name}."
    _remove_abandoned(path.parent, prefix)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f"{prefix}{os.getpid()}_")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    for path in folder.glob(f"{glob.escape(prefix)}*_*"):
        pid, _, _ = path.name.removeprefix(prefix).partition("_")
        if pid.isdecimal() and not _is_running(int(pid)):
            path.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def private_folders(folder: Path, below: Path) -> None:
    """Create `folder` and its parents up to `below`, accessible by the owner only."""
    for part in (*reversed(folder.relative_to(below).parents), folder.relative_to(below)):
        (below / part).mkdir(mode=FOLDER_MODE, exist_ok=True)


def wipe(path: Path) -> None:
    """Overwrite and remove the file at `path`, if it exists.

    A file with other hard links (a backup) is only unlinked. Copy-on-write file systems and SSDs
    may keep the old blocks.
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
