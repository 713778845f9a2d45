"""LoRA adapters as numbers: from the trainer's names and row order to llama.cpp's.

Some architectures store the rows of q and k interleaved for their rotary embedding, most do not.
Which one it is, is found by comparing the numbers (row_order), never by an architecture's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from localpers.atomic import replacing
from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError, UnsupportedModel, WrongBase
from localpers.weights.gguf_file import Header, read_header

Matrix = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float32]

BASE_SHA256 = "localpers.base.sha256"
"""The metadata key that ties an adapter to its base; llama.cpp itself ties it to shapes alone."""

_SAME = 0.02
"""Relative distance up to which two matrices are one: bfloat16 rounding moves them by 0.003."""


@dataclass(frozen=True, slots=True)
class LoraTensor:
    """What LoRA adds to one matrix: `b @ a`, with a [rank, in] and b [out, rank], float32.

    `module` is the GGUF tensor's name (`blk.0.attn_q.weight`); the rows of `b` and of `magnitude`
    are in the trainer's order, and `permuted` says that the file holds them in the other one.
    `magnitude` [out] is the Euclidean length that each row of the sum is scaled to (Liu et al.
    2024, equation 5), None where it stays as it is.
    """

    module: str
    a: Matrix
    b: Matrix
    permuted: bool = False
    magnitude: Vector | None = None


@dataclass(frozen=True, slots=True)
class LoraAdapter:
    """A trained LoRA: W + (alpha / rank) · B·A for every tensor (Hu et al. 2021, section 4.1)."""

    tensors: tuple[LoraTensor, ...]
    alpha: float
    rank: int
    base_sha256: str


def permute_rows(matrix: Matrix, heads: int) -> Matrix:
    """Rows from the two-halves order of torch to the interleaved one of GGUF, head by head.

    `permute` of llama.cpp's convert_hf_to_gguf.py.
    """
    rows = matrix.shape[0]
    halves = matrix.reshape(heads, 2, rows // heads // 2, *matrix.shape[1:])
    return halves.swapaxes(1, 2).reshape(matrix.shape)


def heads_in(header: Header, rows: int) -> int:
    """How many attention heads a matrix of `rows` output rows holds, 0 if it isn't made of them."""
    heads = header.of_architecture("attention.head_count", 0)
    width = header.of_architecture("embedding_length", 0)
    if not isinstance(heads, int) or not heads:
        return 0
    head = header.of_architecture("attention.key_length", width // heads)
    return int(rows // head) if head and rows % head == 0 else 0


def row_order(gguf_tensor: Matrix, torch_tensor: Matrix, heads: int) -> Literal["same", "permuted"]:
    """Whether the file holds the rows of a matrix in torch's order or permuted.

    Both are [out, in] in the same unit. Raises UnsupportedModel when neither order fits: then the
    loader transforms this matrix in a way that a LoRA cannot follow.
    """
    if _distance(gguf_tensor, torch_tensor) <= _SAME:
        return "same"
    splits = heads and len(torch_tensor) % (2 * heads) == 0
    if splits and _distance(gguf_tensor, permute_rows(torch_tensor, heads)) <= _SAME:
        return "permuted"
    raise UnsupportedModel(
        "This model's weights are laid out in a way that cannot be tuned here yet: "
        "choose another base with 'localpers models list'."
    )


def tensor_name_map(architecture: str, layers: int) -> Callable[[str], str | None]:
    """A function from a torch module's name (`model.layers.0.self_attn.q_proj`) to the GGUF tensor
    of its weight (`blk.0.attn_q.weight`), None where there is none.

    Raises UnsupportedModel for an architecture that the gguf package knows no names for.
    """
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map

    known = {name: number for number, name in MODEL_ARCH_NAMES.items()}
    if architecture not in known:
        raise UnsupportedModel(
            f"Tensor names of the architecture '{architecture}' are not known, so it can be asked "
            "but not tuned: choose another base with 'localpers models list'."
        )
    names = get_tensor_name_map(known[architecture], layers)

    def weight_of(module: str) -> str | None:
        name = names.get_name(module)
        return None if name is None else f"{name}.weight"

    return weight_of


def stored_b(tensor: LoraTensor, header: Header) -> Matrix:
    """B with its rows in the order of the file; A's columns are inputs and need no change.

    Raises UnsupportedModel where the base has no such tensor or one of another shape.
    """
    target = header.tensors.get(tensor.module)
    if target is None or target.shape != (tensor.b.shape[0], tensor.a.shape[1]):
        raise UnsupportedModel(
            f"{header.path.name} has no tensor {tensor.module} of the adapter's shape: "
            "tune again on this base."
        )
    return in_file_order(tensor.b, tensor.permuted, header)


def in_file_order(rows: Matrix, permuted: bool, header: Header) -> Matrix:
    """A matrix or vector with one entry per output row, in the order of the file."""
    return permute_rows(rows, heads_in(header, len(rows))) if permuted else rows


def write_adapter_gguf(adapter: LoraAdapter, base_path: Path, out_path: Path) -> None:
    """Write `adapter` as the GGUF file that llama.cpp loads beside the base at `base_path`.

    Names and keys after llama.cpp's convert_lora_to_gguf.py. Raises as stored_b does, and
    LocalpersError for an adapter with magnitudes, which llama.cpp cannot apply.
    """
    if any(tensor.magnitude is not None for tensor in adapter.tensors):
        raise LocalpersError("This adapter scales rows, so it works merged into the base only.")
    import gguf

    header = read_header(base_path)
    with replacing(out_path) as temporary:
        writer = gguf.GGUFWriter(temporary, header.architecture)
        writer.add_type(gguf.GGUFType.ADAPTER)
        writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
        writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(adapter.alpha))
        writer.add_string(BASE_SHA256, adapter.base_sha256)
        for tensor in adapter.tensors:
            writer.add_tensor(f"{tensor.module}.lora_a", np.ascontiguousarray(tensor.a, np.float32))
            writer.add_tensor(
                f"{tensor.module}.lora_b",
                np.ascontiguousarray(stored_b(tensor, header), np.float32),
            )
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def check_base(adapter_path: Path, base: ModelInfo) -> None:
    """Raises WrongBase if the adapter was trained on another file than `base`."""
    trained_on = read_header(adapter_path).values.get(BASE_SHA256)
    if trained_on != base.sha256:
        stated = f"one with SHA-256 {str(trained_on)[:12]}…" if trained_on else "an unknown one"
        raise WrongBase(
            f"The adapter was tuned on another base ({stated}), not on {base.name} "
            f"({base.sha256[:12]}…): use that base, or run 'localpers tune' again."
        )


def _distance(one: Matrix, other: Matrix) -> float:
    """Relative Frobenius distance; infinite between different shapes."""
    if one.shape != other.shape:
        return float("inf")
    norm = float(np.linalg.norm(one))
    apart = float(np.linalg.norm(one - other))
    return apart / norm if norm else (0.0 if not apart else float("inf"))
