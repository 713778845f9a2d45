"""The base model in torch, from its GGUF file, and where each of its matrices lies in that file."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from localpers.datatypes import ModelInfo
from localpers.errors import OutOfMemory, UnsupportedModel
from localpers.tuning.device import Device, import_torch
from localpers.weights.adapter import heads_in, row_order, tensor_name_map
from localpers.weights.gguf_file import Header, dequantized, read_header
from localpers.weights.slim import write_without_vocabulary

ACTIVATION_SHARE = 1.0
"""Memory for activations, as a share of a base of 2 bytes per parameter, without checkpointing."""
CHECKPOINTED_SHARE = 0.25
LORA_SHARE = 0.15
"""Adapter, its gradients and its two moments, likewise."""
FIXED_BYTES = 1_500_000_000
"""torch itself, and the logits of the tokens computed at once (training.LOGITS_BYTES)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a torch module's weight lies in the GGUF file; `permuted`: see weights.adapter."""

    tensor: str
    permuted: bool


@dataclass(frozen=True, slots=True)
class LoadedBase:
    """`model` is a transformers causal language model; `places` maps its linear modules by name."""

    model: Any
    places: dict[str, Place]


def memory_needed(parameters: int, dtype: str, checkpointing: bool) -> int:
    """About how many bytes training takes."""
    weights = parameters * (2 if dtype == "bfloat16" else 4)
    share = (CHECKPOINTED_SHARE if checkpointing else ACTIVATION_SHARE) + LORA_SHARE
    return int(weights + share * 2 * parameters + FIXED_BYTES)


def needs_checkpointing(base: ModelInfo, device: Device) -> bool:
    """Whether the base trains on the device only with gradient checkpointing.

    Raises OutOfMemory, naming the memory needed, where not even that suffices.
    """
    if memory_needed(base.parameters, device.dtype, checkpointing=False) <= device.free_bytes:
        return False
    needed = memory_needed(base.parameters, device.dtype, checkpointing=True)
    if needed <= device.free_bytes:
        return True
    raise OutOfMemory(
        f"Tuning {base.name} takes about {needed / 1e9:.1f} GB on {device.name}, and "
        f"{device.free_bytes / 1e9:.1f} GB are free: close other programs, choose another "
        "--device, or a smaller base with --base."
    )


def load_base(base: ModelInfo, dtype: str, workspace: Path) -> LoadedBase:
    """The base, dequantized, on the CPU in `dtype`, every linear module's place verified.

    Works in `workspace`, an existing folder, and leaves nothing there. Raises UnsupportedModel
    where transformers does not know the architecture, or lays weights out in a way that a LoRA on
    them would not fit the GGUF file.
    """
    torch = import_torch()
    header = read_header(base.path)
    slim = workspace / "base-without-vocabulary.gguf"
    write_without_vocabulary(base.path, slim)
    try:
        model = _from_gguf(slim, getattr(torch, dtype), base.name)
    finally:
        slim.unlink(missing_ok=True)
    return LoadedBase(model, _places(model, header))


def _from_gguf(path: Path, dtype: Any, name: str) -> Any:
    with _quiet_transformers():
        from transformers import AutoModelForCausalLM, GgufConfig

        try:
            with _cached_name_maps():
                return AutoModelForCausalLM.from_pretrained(
                    str(path.parent),
                    gguf_file=path.name,
                    quantization_config=GgufConfig(dequantize=True),
                    dtype=dtype,
                    local_files_only=True,
                )
        except (ValueError, KeyError, NotImplementedError, AttributeError, RuntimeError) as error:
            raise UnsupportedModel(
                f"{name} cannot be tuned: transformers does not load its architecture from GGUF "
                f"({type(error).__name__}). Ask with it, or tune another base."
            ) from error


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No progress bars and warnings of the library's own between ours."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)


@contextmanager
def _cached_name_maps() -> Iterator[None]:
    """transformers asks gguf for the same table of tensor names once per module: 400 times."""
    import gguf

    original = gguf.get_tensor_name_map
    gguf.get_tensor_name_map = cache(original)
    try:
        yield
    finally:
        gguf.get_tensor_name_map = original


def _places(model: Any, header: Header) -> dict[str, Place]:
    torch = import_torch()
    layers = int(header.of_architecture("block_count", 0))
    tensor_of = tensor_name_map(header.architecture, layers)
    output = model.get_output_embeddings()
    places: dict[str, Place] = {}
    for name, module in model.named_modules():
        if not isinstance(module, torch.nn.Linear) or module is output:
            continue
        tensor = tensor_of(name)
        if tensor is not None and tensor in header.tensors:
            places[name] = Place(tensor, _is_permuted(header, tensor, module.weight))
    if not places:
        raise UnsupportedModel(
            "None of this model's matrices can be found in its file: choose another base."
        )
    return places


def _is_permuted(header: Header, tensor: str, weight: Any) -> bool:
    stored = header.tensors[tensor]
    if stored.shape != tuple(weight.shape):
        raise UnsupportedModel(
            f"The tensor {tensor} has another shape in torch: choose another base."
        )
    heads = heads_in(header, stored.shape[0])
    theirs, ours = dequantized(header, stored), weight.detach().float().numpy()
    return row_order(theirs, ours, heads) == "permuted"
