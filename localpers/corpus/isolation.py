"""Readers in a child process, within limits: no file can take the ingest down with it.

What parses PDF, HTML, DOCX, EPUB and mail is native code, and a file may be made to crash it, or to
keep it busy for ever. One child reads such files, one after another, under the kernel's limits of
memory and processor time, may write no file and leaves no core dump. Where it dies, the file is
unreadable, and the next one gets a new child. Documents come back as JSON and are checked: the
child is not trusted more than the file that it reads.
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
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from localpers.corpus.readers import Reader, is_simple
from localpers.datatypes import Block, BlockKind, Document, Kind
from localpers.errors import LocalpersError, NotADocument, UnreadableFile

LARGE = 1 << 18
"""Bytes from which a file of any format is read in the child: Python's own parsers take more than
linear time for some of what can be written."""
WALL_FACTOR = 5
"""A child that computes nothing and says nothing is given up after this many times its processor
seconds: the machine may be busy with something else."""
_FRAME = struct.Struct("<Q")
_MAX_FRAME = 1 << 30
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from localpers.corpus.reader_process import main; main(sys.argv[2])"
)


@dataclass(frozen=True, slots=True)
class Limits:
    """For one Document: processor time in seconds; for the child, its address space in bytes."""

    cpu_seconds: int = 60
    memory: int = 2 << 30


class IsolatedReader:
    """Reads files, in this process where that is safe and else in a child that it keeps.

    A context manager: the child, which starts with the first file that needs it, ends with it.
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
        """The Documents of the file. Raises UnreadableFile and NotADocument, whatever happens."""
        if is_simple(reader) and _size(path) < LARGE:
            return guarded(reader, path)
        return self._in_child(path)

    def _in_child(self, path: Path) -> Iterator[Document]:
        """A failure in a child that has read other files may be theirs: a new one tries again."""
        fresh = self._child is None
        came = False
        try:
            for document in self._asked(path):
                came = True
                yield document
        except _ChildDied as death:
            if fresh or came or death.took_time:
                raise UnreadableFile(death.reason) from None
        else:
            return
        try:
            yield from self._asked(path)
        except _ChildDied as death:
            raise UnreadableFile(death.reason) from None

    def _asked(self, path: Path) -> Iterator[Document]:
        if self._child is None:
            self._child = _Child(self._limits)
        child = self._child
        finished = False
        try:
            child.send({"path": os.fsencode(path).hex()})
            while True:
                answer = child.receive()
                match answer.get("is"):
                    case "document":
                        yield _document(answer)
                    case "end":
                        finished = True
                        return
                    case "unreadable":
                        finished = True
                        raise UnreadableFile(_reason(answer))
                    case "no document":
                        finished = True
                        raise NotADocument(_reason(answer))
                    case _:
                        raise UnreadableFile("cannot be read (its reader went astray)")
        finally:
            if not finished:  # Also where nobody wants the rest of the file.
                self.close()


def guarded(reader: Reader, path: Path) -> Iterator[Document]:
    """The reader's documents; what it stumbles over unforeseen is this file's fault alone."""
    try:
        yield from reader(path)
    except MemoryError as error:
        raise UnreadableFile("takes too much memory to read") from error
    except (LocalpersError, OSError):
        raise
    except Exception as error:
        raise UnreadableFile(f"cannot be read ({type(error).__name__})") from error


class _ChildDied(Exception):
    """With the reason for the user, and whether it is that the file took its whole time."""

    def __init__(self, reason: str, took_time: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.took_time = reason, took_time


class _Child:
    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        package = Path(__file__).resolve().parents[2]
        # -P: a folder of notes that is the current one must not lend its modules.
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

    def send(self, message: Mapping[str, str]) -> None:
        try:
            self._to.write(json.dumps(message).encode() + b"\n")
            self._to.flush()
        except OSError:
            raise self._death() from None

    def receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + WALL_FACTOR * self._limits.cpu_seconds
        (size,) = _FRAME.unpack(self._take(_FRAME.size, deadline))
        if size > _MAX_FRAME:
            raise _ChildDied("takes too much memory to read")
        answer = json.loads(self._take(size, deadline))
        if not isinstance(answer, dict):
            raise _ChildDied("cannot be read (its reader went astray)")
        return answer

    def _take(self, size: int, deadline: float) -> bytes:
        parts: list[bytes] = []
        while size:
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise _ChildDied("takes too long to read", took_time=True)
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
            return _ChildDied("takes too long to read", took_time=True)
        if code == -signal.SIGKILL:  # Of the kernel, when the machine has no memory left.
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
    except OSError:  # The reader says what is wrong with it.
        return 0


def _reason(answer: Mapping[str, Any]) -> str:
    return " ".join(str(answer.get("reason", "")).split())[:200]


def _document(answer: Mapping[str, Any]) -> Document:
    """The Document in a child's answer, its blocks within the text and in order."""
    try:
        document = Document(
            text=_text(answer["text"]),
            title=_text(answer["title"]),
            kind=Kind(answer["kind"]),
            blocks=tuple(
                Block(BlockKind(k), int(s), int(e), int(n)) for k, s, e, n in answer["blocks"]
            ),
            date=None if answer["date"] is None else _text(answer["date"]),
            tags=tuple(_text(tag) for tag in answer["tags"]),
            part=_text(answer["part"]),
            first_line=None if answer["first_line"] is None else int(answer["first_line"]),
            pages=tuple(int(page) for page in answer["pages"]),
            author=_text(answer["author"]),
            recipients=tuple(_text(one) for one in answer["recipients"]),
        )
    except (KeyError, TypeError, ValueError):
        raise UnreadableFile("cannot be read (its reader went astray)") from None
    at = 0
    for block in document.blocks:
        if not at <= block.start <= block.end <= len(document.text):
            raise UnreadableFile("cannot be read (its reader went astray)")
        at = block.end
    return document


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
