"""Merging a LoRA adapter into its base: GGUF in, GGUF out, one slice of one tensor at a time.

Vocabulary, template and every other metadata key are the base's own bytes, so that nothing can
differ but the weights. `gguf.GGUFWriter` would decode and encode them again (and refuses empty
arrays), which is why the header is put together here.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from localpers.atomic import replacing
from localpers.errors import UnsupportedModel
from localpers.weights.adapter import (
    LoraAdapter,
    LoraTensor,
    Matrix,
    Vector,
    in_file_order,
    stored_b,
)
from localpers.weights.gguf_cursor import UINT32
from localpers.weights.gguf_file import Header, StoredTensor, dequantized_rows, read_header

VERSION = 3
_SLICE = 1 << 24
"""Numbers held at once: 64 MiB as float32."""
_FILE_TYPE = "general.file_type"

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""


def merge(
    base_path: Path,
    adapter: LoraAdapter,
    out_path: Path,
    scale: float = 1.0,
    progress: Progress | None = None,
) -> None:
    """Write the base with W + scale · (alpha / rank) · B·A in place of every adapted W, its rows
    scaled to the adapter's magnitudes where it has any.

    Matrices become F16; vectors, and what an otherwise smaller base keeps in F32, stay F32.
    Memory is a few slices of 64 MiB, whatever the model's size. Raises UnsupportedModel where the
    base lacks a tensor of the adapter, or holds numbers that F16 or this package cannot.
    """
    header = read_header(base_path)
    factor = scale * adapter.alpha / adapter.rank
    updates = {tensor.module: _update(tensor, factor, header) for tensor in adapter.tensors}
    types = {tensor.name: _merged_type(tensor, header) for tensor in header.tensors.values()}
    total = sum(t.elements * types[t.name].itemsize for t in header.tensors.values())
    done = 0
    with replacing(out_path) as temporary, temporary.open("wb") as file:
        _write_header(file, header, types)
        for tensor in header.tensors.values():
            for part in _merged(header, tensor, updates.get(tensor.name)):
                done += file.write(_narrowed(part, types[tensor.name], header).tobytes())
                if progress is not None:
                    progress(done, total)
            file.write(bytes(-file.tell() % header.alignment))


@dataclass(frozen=True, slots=True)
class _Update:
    """b [out, rank] and magnitude [out] in the order of the file, b scaled; a [rank, in]."""

    b: Matrix
    a: Matrix
    magnitude: Vector | None

    def apply(self, rows: Matrix, start: int) -> Matrix:
        """To the rows of the base from `start` on."""
        part = slice(start, start + len(rows))
        rows = rows + self.b[part] @ self.a
        if self.magnitude is not None:
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            rows *= self.magnitude[part, None] / np.maximum(lengths, np.finfo(np.float32).tiny)
        return rows


def _update(tensor: LoraTensor, factor: float, header: Header) -> _Update:
    magnitude = tensor.magnitude
    if magnitude is not None:
        magnitude = in_file_order(magnitude, tensor.permuted, header)
    return _Update(np.float32(factor) * stored_b(tensor, header), tensor.a, magnitude)


def _merged(header: Header, tensor: StoredTensor, update: _Update | None) -> Iterator[Matrix]:
    """The tensor's rows as float32 slices [rows, row length], with the adapter added."""
    step = max(1, _SLICE // max(1, tensor.shape[-1]))
    for start in range(0, math.prod(tensor.shape[:-1]), step):
        rows = dequantized_rows(header, tensor, start, start + step)
        yield rows if update is None else update.apply(rows, start)


def _merged_type(tensor: StoredTensor, header: Header) -> np.dtype[np.floating]:
    """A base of small types that keeps a matrix in F32 does so because llama.cpp needs it."""
    all_f32 = all(other.type == 0 for other in header.tensors.values())
    keep = len(tensor.shape) < 2 or (tensor.type == 0 and not all_f32)
    return np.dtype(np.float32 if keep else np.float16)


def _narrowed(
    part: Matrix, kind: np.dtype[np.floating], header: Header
) -> npt.NDArray[np.floating]:
    with np.errstate(over="ignore"):
        narrow = part.astype(kind)
    if not np.isfinite(narrow).all():
        raise UnsupportedModel(
            f"Merged weights of {header.path.name} do not fit into F16: tune again with a lower "
            "learning rate, or use the adapter beside the base."
        )
    return narrow


def _write_header(file: BinaryIO, header: Header, types: dict[str, np.dtype[np.floating]]) -> None:
    """Magic, counts, the base's own key-value bytes with the file type set, and tensor places."""
    from gguf import GGMLQuantizationType, LlamaFileType

    numbers = {4: GGMLQuantizationType.F32, 2: GGMLQuantizationType.F16}
    file_type = packed_text(_FILE_TYPE) + struct.pack("<II", UINT32, LlamaFileType.MOSTLY_F16)
    keys = dict.fromkeys([*header.spans, _FILE_TYPE])
    file.write(b"GGUF" + struct.pack("<IQQ", VERSION, len(header.tensors), len(keys)))
    with header.path.open("rb") as base:
        for key in keys:
            if key == _FILE_TYPE:
                file.write(file_type)
                continue
            start, end = header.spans[key]
            base.seek(start)
            file.write(base.read(end - start))
    offset = 0
    for tensor in header.tensors.values():
        itemsize = types[tensor.name].itemsize
        file.write(packed_text(tensor.name) + struct.pack("<I", len(tensor.shape)))
        file.write(struct.pack(f"<{len(tensor.shape)}Q", *reversed(tensor.shape)))
        file.write(struct.pack("<IQ", numbers[itemsize], offset))
        offset += -(-tensor.elements * itemsize // header.alignment) * header.alignment
    file.write(bytes(-file.tell() % header.alignment))


def packed_text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data
