"""Zip containers (DOCX, EPUB), refusing zip bombs before unpacking."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from localpers.corpus.readers.files import MEBIBYTE, opened
from localpers.errors import UnreadableFile

MAX_UNPACKED = 512 * MEBIBYTE


@contextmanager
def zip_container(path: Path, format: str) -> Iterator[ZipFile]:
    """Open the zip file at `path`. Raises UnreadableFile if it is damaged or a zip bomb.

    The sizes in its directory are a true bound: ZipFile never unpacks more than they say.
    """
    with opened(path, format) as file:
        try:
            archive = ZipFile(file)
        except (BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise UnreadableFile(f"broken {format.upper()}") from error
        with archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED:
                raise UnreadableFile(f"unpacks to more than {MAX_UNPACKED // MEBIBYTE} MiB")
            yield archive
