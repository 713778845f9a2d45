"""Can a GGUF file be served, and can it be tuned? Each refusal says which and why."""

from __future__ import annotations

from pathlib import Path

from localpers.errors import UnsupportedModel
from localpers.weights.gguf_file import GGUFInfo, Header, read_header, read_metadata
from localpers.weights.tokenizer import Tokenizer, open_vocabulary

_ADVICE = "choose a text-generation or embedding model in one GGUF file."
_RANKS = 4
"""`LLAMA_POOLING_TYPE_RANK`."""


def check_servable(path: Path) -> None:
    """Raises UnsupportedModel if llama.cpp could neither answer nor embed with this file,
    ModelNotFound if it is not there.

    Reads header and vocabulary; an architecture that llama.cpp does not know fails in the latter.
    """
    header = read_header(path)
    if reason := _unservable(header):
        raise UnsupportedModel(f"{path.name} cannot be used: {reason}; {_ADVICE}")
    if read_metadata(path).embeds:
        open_vocabulary(path).close()
    else:
        Tokenizer.open(path)


def trainable(info: GGUFInfo) -> str | None:
    """Why this model cannot be tuned, None where its header speaks against nothing.

    The trainer's own library may still not know the architecture.
    """
    from gguf import MODEL_ARCH_NAMES

    if info.embeds:
        return "it embeds texts and writes none"
    if info.architecture not in MODEL_ARCH_NAMES.values():
        return f"the tensor names of the architecture '{info.architecture}' are not known"
    opaque = sorted(name for name in info.tensor_types if not _dequantizable(name))
    if opaque:
        return f"weights stored as {', '.join(opaque)} cannot be turned back into numbers"
    if info.rope_scaling:
        # (measured) transformers drops it on loading: 3.7 nats of KL against llama.cpp.
        return f"it rescales rotary positions ({info.rope_scaling}), which training would miss"
    return None


def _unservable(header: Header) -> str | None:
    kind = str(header.values.get("general.type", "model"))
    if kind != "model":
        return f"it is of the type '{kind}', not a model"
    if header.values.get("split.count", 0) not in (0, 1):
        return "it is one part of a model split over several files (merge them by gguf-split)"
    if "token_embd.weight" not in header.tensors:
        return "it holds no language model (a vision part, a vocabulary or an importance matrix)"
    if not header.array("tokenizer.ggml.tokens"):
        return "it holds no vocabulary"
    if any(name.startswith("enc.") for name in header.tensors):
        return "it is an encoder with a decoder, which neither answers nor embeds"
    pooling = header.of_architecture("pooling_type", 0)
    return "it ranks pairs of texts (a cross-encoder)" if pooling == _RANKS else None


def _dequantizable(type_name: str) -> bool:
    import numpy as np
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    kind = GGMLQuantizationType[type_name]
    if kind in (GGMLQuantizationType.F32, GGMLQuantizationType.F16):
        return True
    try:
        dequantize(np.zeros((1, GGML_QUANT_SIZES[kind][1]), np.uint8), kind)
    except NotImplementedError:
        return False
    return True
