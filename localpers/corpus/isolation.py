"""Read files in a child process within limits, so that no file can bring down an ingest.

PDF, HTML, DOCX, EPUB and mail are parsed by native code, and a file may be made to crash it or keep
it busy forever. One child reads such files in turn under the kernel's memory and processor limits;
it may write no file and dumps no core. If it dies, the file is unreadable and the next file gets a
new child. Documents return as JSON and are validated: the child is trusted no more than the file.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pydantic import TypeAdapter, ValidationError

from localpers.corpus.readers import Reader, is_simple
from localpers.datatypes import Document
from localpers.errors import LocalpersError, NotADocument, UnreadableFile

ISOLATED_BYTES = 1 << 18
"""Bytes from which every format is read in the child: even Python's own parsers take more than
linear time on some input."""
WALL_FACTOR = 5
"""A silent child is ended after this many times its processor seconds; the machine may be busy."""
FRAME = struct.Struct("<cQ")
"""Of an answer: its kind and the number of bytes that follow."""
_MAX_FRAME = 1 << 30
_INVALID = "cannot be read (its reader gave an invalid answer)"
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from localpers.corpus.reader_process import main; main(sys.argv[2])"
)


class Answer(bytes, Enum):
    """Kinds of answers from the child: `DOCUMENT` carries JSON, the failures their reason."""

    DOCUMENT = b"D"
    END = b"E"
    UNREADABLE = b"U"
    NOT_A_DOCUMENT = b"N"


@dataclass(frozen=True, slots=True)
class Limits:
    """Processor seconds for each Document, and bytes of address space for the child."""

    cpu_seconds: int = 60
    memory: int = 2 << 30


class IsolatedReader:
    """Reads files in this process if that is safe, else in a child started on first use.

    A context manager; the child ends with it.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._child: _Child | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None

    def read(self, reader: Reader, path: Path) -> Iterator[Document]:
        """The Documents of the file. Raises only UnreadableFile and NotADocument."""
        if is_simple(reader) and _size(path) < ISOLATED_BYTES:
            return guarded(reader, path)
        return self._read_with_retry(path)

    def _read_with_retry(self, path: Path) -> Iterator[Document]:
        """Retry once in a new child: files read before may have caused the failure."""
        may_retry = self._child is not None
        while True:
            try:
                for document in self._read_in_child(path):
                    may_retry = False
                    yield document
                return
            except _ChildDied as death:
                if not may_retry or death.timed_out:
                    raise UnreadableFile(death.reason) from None
                may_retry = False

    def _read_in_child(self, path: Path) -> Iterator[Document]:
        if self._child is None:
            self._child = _Child(self._limits)
        child = self._child
        finished = False
        try:
            child.request(path)
            while True:
                kind, content = child.receive()
                if kind == Answer.DOCUMENT:
                    yield _document(content)
                    continue
                finished = kind in tuple(Answer)
                if kind == Answer.END:
                    return
                if kind == Answer.UNREADABLE:
                    raise UnreadableFile(_reason(content))
                if kind == Answer.NOT_A_DOCUMENT:
                    raise NotADocument(_reason(content))
                raise UnreadableFile(_INVALID)
        finally:
            if not finished:  # Also when the caller stops early.
                self.close()


def guarded(reader: Reader, path: Path) -> Iterator[Document]:
    """The reader's documents; any unexpected error becomes UnreadableFile."""
    try:
        yield from reader(path)
    except MemoryError as error:
        raise UnreadableFile("takes too much memory to read") from error
    except (LocalpersError, OSError):
        raise
    except Exception as error:
        raise UnreadableFile(f"cannot be read ({type(error).__name__})") from error


class _ChildDied(Exception):
    def __init__(self, reason: str, timed_out: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.timed_out = reason, timed_out


class _Child:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        package = Path(__file__).resolve().parents[2]
        # -P: never import modules from the current folder, which may hold the notes.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _START, str(package), json.dumps(asdict(limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._to: IO[bytes] = self._process.stdin
        self._from: IO[bytes] = self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._from, selectors.EVENT_READ)

    def request(self, path: Path) -> None:
        try:
            self._to.write(os.fsencode(path).hex().encode() + b"\n")
            self._to.flush()
        except OSError:
            raise self._death() from None

    def receive(self) -> tuple[bytes, bytes]:
        """The kind and content of the next answer."""
        deadline = time.monotonic() + WALL_FACTOR * self._limits.cpu_seconds
        kind, size = FRAME.unpack(self._read(FRAME.size, deadline))
        if size > _MAX_FRAME:
            raise _ChildDied("takes too much memory to read")
        return kind, self._read(size, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        parts: list[bytes] = []
        while size:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise _ChildDied("takes too long to read", timed_out=True)
            part = os.read(self._from.fileno(), min(size, 1 << 20))
            if not part:
                raise self._death()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _death(self) -> _ChildDied:
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            code = 0
        if code == -signal.SIGXCPU:
            return _ChildDied("takes too long to read", timed_out=True)
        if code == -signal.SIGKILL:  # The kernel's out-of-memory killer.
            return _ChildDied("takes too much memory to read")
        return _ChildDied("crashes its reader")

    def close(self) -> None:
        self._process.kill()
        self._selector.close()
        for stream in (self._to, self._from):
            with suppress(OSError):
                stream.close()
        self._process.wait()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # The reader reports it.
        return 0


def _reason(content: bytes) -> str:
    return " ".join(content.decode("utf-8", "replace").split())[:200]


@cache
def document_json() -> TypeAdapter[Document]:
    """Writes and validates Documents as JSON."""
    return TypeAdapter(Document)


def _document(content: bytes) -> Document:
    """The Document in an answer, if its types are right and its blocks in order in the text."""
    try:
        document = document_json().validate_json(content, strict=True)
    except ValidationError:
        raise UnreadableFile(_INVALID) from None
    end = 0
    for block in document.blocks:
        if not end <= block.start <= block.end <= len(document.text):
            raise UnreadableFile(_INVALID)
        end = block.end
    return document
