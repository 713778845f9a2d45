"""Read the values of a GGUF header in order, checking each against the file's size.

Layout: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers.errors import ModelNotFound, UnsupportedModel

STRING, ARRAY, UINT32 = 8, 9, 4
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
"""Value type number → its struct code."""

# Far above any real model, and low enough that a wrong count costs neither time nor memory.
_MAX_ITEMS = 1 << 24
_MAX_STRING = 1 << 26


@dataclass(frozen=True, slots=True)
class StoredArray:
    """A metadata array, still in the file: `count` items of value type `item_type`."""

    item_type: int
    count: int
    start: int


def _open_nonblocking(path: str, flags: int) -> int:
    """An opener that does not block on a named pipe called model.gguf."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """The file's bytes. Raises ModelNotFound, or UnsupportedModel for what cannot be mapped."""
    try:
        with (
            open(path, "rb", opener=_open_nonblocking) as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            yield data
    except FileNotFoundError:
        raise ModelNotFound(
            f"There is no file {path}: check the path, or get a model with 'localpers models pull'."
        ) from None
    except OSError as error:
        raise UnsupportedModel(
            f"{path} cannot be read ({error.strerror}): check what it is and its permissions."
        ) from None
    except ValueError as error:
        if "empty" not in str(error):
            raise
        raise UnsupportedModel(f"{path.name} is empty: get the model again.") from None


class Cursor:
    """A position in a GGUF file. Reading past the end raises UnsupportedModel."""

    def __init__(self, data: mmap.mmap, path: Path, at: int = 0) -> None:
        self.data, self.path, self.at = data, path, at

    def take(self, form: str) -> Any:
        size = struct.calcsize(f"<{form}")
        self.require(size)
        (value,) = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += size
        return value

    def require(self, size: int) -> None:
        if size > len(self.data) - self.at:
            raise self.damaged()

    def damaged(self) -> UnsupportedModel:
        return UnsupportedModel(f"{self.path.name} is truncated or damaged: get the model again.")

    def count(self, limit: int, what: str) -> int:
        value = int(self.take("Q"))
        if value > limit:
            raise UnsupportedModel(
                f"{self.path.name} is damaged ({value:,} {what}): get the model again."
            )
        return value

    def string(self) -> str:
        length = self.count(_MAX_STRING, "bytes in one string")
        self.require(length)
        raw = self.data[self.at : self.at + length]
        self.at += length
        return raw.decode("utf-8", "replace")

    def skip_strings(self, count: int) -> None:
        # The hot loop of opening a model: a vocabulary has up to a million strings.
        length_at, data, at = struct.Struct("<Q").unpack_from, self.data, self.at
        last = len(data) - 8
        for _ in range(count):
            if at > last:
                raise self.damaged()
            at += 8 + length_at(data, at)[0]
        self.at = at
        self.require(0)

    def value(self, kind: int) -> Any:
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            return self.array()
        if kind not in _SCALARS:
            raise UnsupportedModel(
                f"{self.path.name} is damaged (unknown value type {kind}): get the model again."
            )
        return self.take(_SCALARS[kind])

    def array(self) -> StoredArray:
        item_type = int(self.take("I"))
        count = self.count(_MAX_ITEMS, "items in one array")
        stored = StoredArray(item_type, count, self.at)
        if item_type in _SCALARS:
            size = count * struct.calcsize(f"<{_SCALARS[item_type]}")
            self.require(size)
            self.at += size
        elif item_type == STRING:
            self.skip_strings(count)
        else:
            raise UnsupportedModel(
                f"{self.path.name} holds an array of type {item_type}, which llama.cpp cannot "
                "read either: get the model again."
            )
        return stored
