"""The child's side of isolation: paths in on standard input, Documents out as framed JSON."""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from localpers.confinement import confine
from localpers.corpus.isolation import Limits, guarded
from localpers.corpus.readers import reader_for
from localpers.datatypes import Document
from localpers.errors import NotADocument, UnreadableFile

_OPEN_FILES = 64


def main(limits: str) -> None:
    """Read files until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent decides what an interrupt means.
    allowed = Limits(**json.loads(limits))
    # A library that prints must not speak between the answers.
    answers = os.dup(1)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    confine(allowed.memory, open_files=_OPEN_FILES)
    for line in sys.stdin.buffer:
        path = Path(os.fsdecode(bytes.fromhex(json.loads(line)["path"])))
        _answer(answers, path, allowed)


def _answer(answers: int, path: Path, allowed: Limits) -> None:
    def send(answer: dict[str, Any]) -> None:
        frame = json.dumps(answer).encode()
        for piece in (struct.pack("<Q", len(frame)), frame):
            view = memoryview(piece)
            while view:
                view = view[os.write(answers, view) :]
        _allow_time(allowed.cpu_seconds)

    _allow_time(allowed.cpu_seconds)
    reader = reader_for(path)
    try:
        for document in guarded(reader, path) if reader else ():
            send(_described(document))
        send({"is": "end"})
    except NotADocument as error:
        send({"is": "no document", "reason": str(error)})
    except UnreadableFile as error:
        send({"is": "unreadable", "reason": str(error)})
    except OSError as error:
        send({"is": "unreadable", "reason": (error.strerror or "cannot be read").lower()})
    except MemoryError:
        send({"is": "unreadable", "reason": "takes too much memory to read"})


def _described(document: Document) -> dict[str, Any]:
    return {
        "is": "document",
        "text": document.text,
        "title": document.title,
        "kind": document.kind,
        "blocks": [(b.kind, b.start, b.end, b.level) for b in document.blocks],
        "date": document.date,
        "tags": document.tags,
        "part": document.part,
        "first_line": document.first_line,
        "pages": document.pages,
        "author": document.author,
        "recipients": document.recipients,
    }


def _allow_time(seconds: int) -> None:
    """Processor time for the next Document; the kernel ends the child when it is used up."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (until, hard))
