"""Read GGUF files: the header, the model's metadata, and tensors as float32.

`gguf.GGUFReader` makes a numpy array of every token of the vocabulary (2 s for 49,000 tokens,
10 s for Gemma's) and trusts every count in the file. This reader skips arrays until they are needed
and checks each size against the file. Layout:
https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; versions 2 and 3, little-endian.
"""

from __future__ import annotations

import math
import mmap
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from localpers.errors import UnsupportedModel
from localpers.weights.gguf_cursor import Cursor, StoredArray, mapped

_VERSIONS = (2, 3)
_DEFAULT_ALIGNMENT = 32

# Far above any real model, and low enough that a wrong count costs neither time nor memory.
_MAX_KEYS = 1 << 16
_MAX_TENSORS = 1 << 18
_MAX_LANGUAGES = 200
_LONGEST_NAME = 200
_MAX_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """The place of one tensor. `shape` is row-major (numpy's order, the reverse of ggml's).

    `type` is ggml's number; `offset` counts from the start of the file, in bytes like `size`.
    """

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int
    size: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def type_name(self) -> str:
        from gguf import GGMLQuantizationType

        return str(GGMLQuantizationType(self.type).name)


@dataclass(frozen=True, slots=True)
class Header:
    """Everything in a GGUF file before its tensor data.

    `values` maps keys to numbers, strings, booleans or StoredArrays; `spans` maps them to the byte
    range of the whole key-value pair, for copying it unchanged.
    """

    path: Path
    values: dict[str, Any]
    spans: dict[str, tuple[int, int]]
    tensors: dict[str, StoredTensor]
    alignment: int
    bytes: int

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", ""))

    def of_architecture(self, key: str, default: Any = None) -> Any:
        """The value of `{architecture}.{key}`."""
        return self.values.get(f"{self.architecture}.{key}", default)

    def array(self, key: str, most: int | None = None) -> list[Any]:
        """The array under `key`, or its first `most` items; empty if it is missing."""
        stored = self.values.get(key)
        if not isinstance(stored, StoredArray):
            return []
        with mapped(self.path) as data:
            cursor = Cursor(data, self.path, stored.start)
            return [
                cursor.value(stored.item_type)
                for _ in range(min(stored.count, most or stored.count))
            ]


@dataclass(frozen=True, slots=True)
class GGUFInfo:
    """What a GGUF file says about itself.

    `quantization` is the file type (Q4_K_M); `mix` the tensor types as shares of the parameters,
    largest first, which differ from the file type in narrow models.
    """

    path: Path
    architecture: str
    name: str
    parameters: int
    quantization: str
    mix: tuple[tuple[str, float], ...]
    bits_per_weight: float
    bytes: int
    context_length: int
    layers: int
    chat_template: str | None = field(repr=False)
    licence: str
    languages: tuple[str, ...]
    tensor_types: frozenset[str]
    rope_scaling: str
    """The key or tensor that rescales rotary positions, or empty."""
    embeds: bool
    """Whether it is an embedding model."""

    @property
    def real_mix(self) -> str:
        """For a person: `Q4_K_M (62% Q5_0, 38% Q8_0; 6.31 bits per weight)`."""
        shares = ", ".join(f"{share:.0%} {name}" for name, share in self.mix if share >= 0.005)
        return f"{self.quantization} ({shares}; {self.bits_per_weight:.2f} bits per weight)"


def read_metadata(path: Path) -> GGUFInfo:
    """Describe a GGUF file by its header; reads no tensor data.

    Raises ModelNotFound if there is no such file, and UnsupportedModel if it is empty, truncated,
    damaged, not GGUF, big-endian or of an unknown version.
    """
    header = read_header(path)
    weights = sum(tensor.elements for tensor in header.tensors.values())
    by_type: Counter[str] = Counter()
    for tensor in header.tensors.values():
        by_type[tensor.type_name] += tensor.elements
    bits = 8 * sum(tensor.size for tensor in header.tensors.values())
    template = header.values.get("tokenizer.chat_template")
    return GGUFInfo(
        path=path,
        architecture=_one_line(header.architecture),
        name=_one_line(str(header.values.get("general.name", ""))) or path.stem,
        parameters=weights,
        quantization=_file_type_name(header) or (by_type.most_common(1) or [("", 0)])[0][0],
        mix=tuple((name, count / weights) for name, count in by_type.most_common() if weights),
        bits_per_weight=bits / weights if weights else 0.0,
        bytes=header.bytes,
        context_length=_whole(header.of_architecture("context_length", 0)),
        layers=_whole(header.of_architecture("block_count", 0)),
        chat_template=template if isinstance(template, str) and template.strip() else None,
        licence=_one_line(str(header.values.get("general.license", ""))),
        languages=tuple(
            _one_line(str(language))
            for language in header.array("general.languages", _MAX_LANGUAGES)
        ),
        tensor_types=frozenset(by_type),
        rope_scaling=_rope_scaling(header),
        embeds=_embeds(header),
    )


def read_header(path: Path) -> Header:
    """The header of the GGUF file at `path`, with every offset checked against the file's size.

    Raises as read_metadata does.
    """
    with mapped(path) as data:
        return _parse(data, path)


def dequantized_rows(
    header: Header, tensor: StoredTensor, start: int = 0, stop: int | None = None
) -> npt.NDArray[np.float32]:
    """Rows `start` to `stop` of one tensor as float32 [rows, row length].

    Leading dimensions are flattened into rows. Raises UnsupportedModel for a type that the gguf
    package cannot dequantize.
    """
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize

    stored = np.memmap(header.path, np.uint8, "r", offset=tensor.offset, shape=(tensor.size,))
    # A plain array: operations on a memmap make memmaps, a third of the time of a merge.
    rows = stored.view(np.ndarray).reshape(math.prod(tensor.shape[:-1]), -1)[start:stop]
    try:
        numbers = dequantize(_typed(rows, tensor.type), GGMLQuantizationType(tensor.type))
    except NotImplementedError:
        raise UnsupportedModel(
            f"{header.path.name} stores weights as {tensor.type_name}, which cannot be "
            "dequantized for training: get the model as Q4_K_M, Q8_0 or F16."
        ) from None
    return np.asarray(numbers, np.float32)


def dequantized(header: Header, tensor: StoredTensor) -> npt.NDArray[np.float32]:
    """One tensor as float32 in its row-major shape; raises as dequantized_rows does."""
    return dequantized_rows(header, tensor).reshape(tensor.shape)


def _typed(stored: npt.NDArray[np.uint8], kind: int) -> npt.NDArray[Any]:
    """gguf.quants expects F32 and F16 as numbers, other types as bytes."""
    from gguf import GGMLQuantizationType

    views = {GGMLQuantizationType.F32: np.float32, GGMLQuantizationType.F16: np.float16}
    return stored.view(views[GGMLQuantizationType(kind)]) if kind in views else stored


def _parse(data: mmap.mmap, path: Path) -> Header:
    if data[:4] != b"GGUF":
        raise UnsupportedModel(f"{path.name} is not a GGUF file: get the model's .gguf version.")
    cursor = Cursor(data, path, 4)
    version = cursor.take("I")
    if version not in _VERSIONS:
        raise UnsupportedModel(
            f"{path.name} is GGUF version {version}, big-endian or damaged; versions 2 and 3, "
            "little-endian, are supported: convert it again with a current llama.cpp."
        )
    tensor_count = cursor.count(_MAX_TENSORS, "tensors")
    key_count = cursor.count(_MAX_KEYS, "keys")
    values: dict[str, Any] = {}
    spans: dict[str, tuple[int, int]] = {}
    for _ in range(key_count):
        start = cursor.at
        key = cursor.string()
        values[key] = cursor.value(cursor.take("I"))
        spans[key] = (start, cursor.at)
    alignment = values.get("general.alignment", _DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or not 0 < alignment <= 1 << 20 or alignment & alignment - 1:
        raise UnsupportedModel(f"{path.name} is damaged (its alignment): get the model again.")
    entries = [_tensor_entry(cursor) for _ in range(tensor_count)]
    data_start = -(-cursor.at // alignment) * alignment
    tensors = {entry[0]: _placed(entry, data_start, len(data), path) for entry in entries}
    if len(values) != key_count or len(tensors) != tensor_count:
        raise cursor.damaged()
    _check_layout(tensors, alignment, cursor)
    return Header(path, values, spans, tensors, alignment, len(data))


def _check_layout(tensors: dict[str, StoredTensor], alignment: int, cursor: Cursor) -> None:
    """Raise UnsupportedModel if tensors overlap or are misaligned."""
    end = 0
    for tensor in sorted(tensors.values(), key=lambda tensor: tensor.offset):
        if tensor.offset < end or tensor.offset % alignment:
            raise cursor.damaged()
        end = tensor.offset + tensor.size


def _tensor_entry(cursor: Cursor) -> tuple[str, tuple[int, ...], int, int]:
    name = cursor.string()
    dimensions = int(cursor.take("I"))
    if dimensions > _MAX_DIMENSIONS:
        raise UnsupportedModel(
            f"{cursor.path.name} is damaged ({dimensions} dimensions): get the model again."
        )
    shape = tuple(int(cursor.take("Q")) for _ in range(dimensions))[::-1]
    return name, shape, int(cursor.take("I")), int(cursor.take("Q"))


def _placed(
    entry: tuple[str, tuple[int, ...], int, int], data_start: int, file_size: int, path: Path
) -> StoredTensor:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    name, shape, kind, offset = entry
    try:
        block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    except (ValueError, KeyError):
        raise UnsupportedModel(
            f"{path.name} stores weights in an unknown type ({kind}): get the model "
            "as Q4_K_M, Q8_0 or F16."
        ) from None
    size = math.prod(shape) // block * block_bytes
    if data_start + offset + size > file_size or (shape and shape[-1] % block):
        raise UnsupportedModel(
            f"{path.name} is truncated: it has {file_size:,} bytes and needs at least "
            f"{data_start + offset + size:,}. Get the model again."
        )
    return StoredTensor(name, shape, kind, data_start + offset, size)


def _embeds(header: Header) -> bool:
    """Whether this is an embedding model."""
    return (
        header.of_architecture("attention.causal") is False
        or header.of_architecture("pooling_type", 0) != 0
        or any(name.startswith("enc.") for name in header.tensors)
    )


def _file_type_name(header: Header) -> str:
    from gguf import LlamaFileType

    try:
        name = str(LlamaFileType(header.values["general.file_type"]).name)
    except (KeyError, ValueError):
        return ""
    return name.removeprefix("MOSTLY_").removeprefix("ALL_")


def _rope_scaling(header: Header) -> str:
    tensors = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
    for name in tensors:
        if name in header.tensors:
            return name
    kind = header.of_architecture("rope.scaling.type", "none")
    changed = kind not in ("", "none") and header.of_architecture("rope.scaling.factor", 1.0) != 1.0
    return f"{header.architecture}.rope.scaling.type" if changed else ""


def _whole(value: Any) -> int:
    """0 for what some architectures state per layer, as an array."""
    return value if isinstance(value, int) else 0


def _one_line(stated: str) -> str:
    """Untrusted text, shortened to fit a line of a list."""
    return " ".join(stated.split())[:_LONGEST_NAME]
