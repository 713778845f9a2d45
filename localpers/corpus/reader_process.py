"""The child process of isolation: reads paths from standard input, writes Documents to output."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from localpers.confinement import confine
from localpers.corpus.isolation import FRAME, Answer, Limits, document_json, guarded
from localpers.corpus.readers import reader_for
from localpers.errors import NotADocument, UnreadableFile

_OPEN_FILES = 64


def main(limits: str) -> None:
    """Read files until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent handles interrupts.
    allowed = Limits(**json.loads(limits))
    # Nothing a library prints may come between the answers.
    output = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    confine(allowed.memory, open_files=_OPEN_FILES)
    for line in sys.stdin.buffer:
        path = Path(os.fsdecode(bytes.fromhex(line.decode())))
        _answer(output, path, allowed.cpu_seconds)


def _answer(output: int, path: Path, cpu_seconds: int) -> None:
    def send(kind: Answer, content: bytes | str = b"") -> None:
        content = content.encode("utf-8", "replace") if isinstance(content, str) else content
        for piece in (FRAME.pack(kind.value, len(content)), content):
            view = memoryview(piece)
            while view:
                view = view[os.write(output, view) :]
        _allow_time(cpu_seconds)

    _allow_time(cpu_seconds)
    reader = reader_for(path)
    try:
        for document in guarded(reader, path) if reader else ():
            send(Answer.DOCUMENT, document_json().dump_json(document))
        send(Answer.END)
    except NotADocument as error:
        send(Answer.NOT_A_DOCUMENT, str(error))
    except UnreadableFile as error:
        send(Answer.UNREADABLE, str(error))
    except OSError as error:
        send(Answer.UNREADABLE, (error.strerror or "cannot be read").lower())
    except MemoryError:
        send(Answer.UNREADABLE, "takes too much memory to read")


def _allow_time(seconds: int) -> None:
    """Limit the processor time for the next Document; the kernel ends the process beyond it."""
    try:
        import resource
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (until, hard))
