"""Quantizing a merged F16 file with llama.cpp's own code."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from localpers.atomic import replacing
from localpers.errors import LocalpersError
from localpers.runs.records import QuantizationReport
from localpers.threads import threads
from localpers.weights.gguf_file import read_metadata
from localpers.weights.native import forget_errors, last_error, llama_cpp

TYPES = (
    *("f16", "bf16", "q8_0", "q6_k", "q5_k_m", "q5_k_s", "q5_1", "q5_0"),
    *("q4_k_m", "q4_k_s", "q4_1", "q4_0", "iq4_nl", "iq4_xs"),
    *("q3_k_l", "q3_k_m", "q3_k_s", "iq3_m", "iq3_s", "q2_k"),
)
"""The llama.cpp file types that need no importance matrix and no model made for them."""


def check_type(type: str) -> int:
    """llama.cpp's number of a file type; raises LocalpersError for one that cannot be made."""
    name = type.lower()
    if name in TYPES:
        return int(getattr(llama_cpp(), f"LLAMA_FTYPE_MOSTLY_{name.upper()}"))
    known = hasattr(llama_cpp(), f"LLAMA_FTYPE_MOSTLY_{name.upper()}")
    why = "needs an importance matrix or a model made for it" if known else "is no GGUF type"
    raise LocalpersError(f"'{type}' {why}: choose one of {', '.join(TYPES)}.")


def quantize(source: Path, out_path: Path, type: str = "q4_k_m") -> QuantizationReport:
    """Quantize the F16 file `source` to `out_path` as `type`, one of TYPES.

    Raises LocalpersError for another type, and where llama.cpp fails, with its reason.
    """
    library = llama_cpp()
    parameters = library.llama_model_quantize_default_params()
    parameters.ftype = check_type(type)
    parameters.nthread = threads()
    forget_errors()
    with replacing(out_path) as temporary:
        if library.llama_model_quantize(
            os.fsencode(source), os.fsencode(temporary), ctypes.byref(parameters)
        ):
            raise LocalpersError(
                f"llama.cpp could not quantize {source.name} to {type} ({last_error()}): check the "
                "free disk space, or choose q8_0."
            )
    info = read_metadata(out_path)
    return QuantizationReport(
        type=info.quantization,
        mix=info.mix,
        bits_per_weight=info.bits_per_weight,
        bytes=info.bytes,
    )
