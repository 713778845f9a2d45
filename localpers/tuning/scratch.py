"""A file without a name for what is computed once: readable by its owner alone, gone with the
process, and never so large that the disk is full.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localpers.encryption.memory import free_bytes
from localpers.profile import make_private

MOST_BYTES = 8 << 30
FREE_SHARE = 0.25
"""Of the free disk, that one file takes at most: several processes have one each."""


class ScratchFile:
    """Lies in `folder`, and takes what it is given until it has no room."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: Any = None
        self._most = MOST_BYTES
        self.full = False
        """Whether something was refused; nothing more is taken before `forget`."""

    def append(self, parts: Sequence[Any]) -> int | None:
        """The offset at which these buffers stand now, one after another; None for no room."""
        if self.full:
            return None
        offset = None
        try:
            if self._file is None:
                self._open()
            offset = self._file.seek(0, 2)
            views = [memoryview(part).cast("B") for part in parts]
            self.full = offset + sum(view.nbytes for view in views) > self._most
            if not self.full:
                for view in views:
                    self._write(view)
        except OSError:  # The disk is full, by whoever's doing, or a quota is.
            self.full = True
            if offset is not None:
                self._file.truncate(offset)
        return None if self.full else offset

    def read(self, offset: int, size: int) -> bytearray:
        """`size` bytes from `offset`, all of which must have been appended."""
        content = bytearray(size)
        self._file.seek(offset)
        done = 0
        while done < size:
            count = self._file.readinto(memoryview(content)[done:])
            if not count:
                raise EOFError("A scratch file ends before what was written to it.")
            done += count
        return content

    def forget(self) -> None:
        """Let go of everything."""
        self.full = False
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        make_private(self._folder)
        # Unbuffered: what does not fit has to fail here, not at a later seek.
        self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        self._most = min(MOST_BYTES, int(free_bytes(self._folder) * FREE_SHARE))

    def _write(self, view: memoryview) -> None:
        done = 0
        while done < view.nbytes:
            done += self._file.write(view[done:])
