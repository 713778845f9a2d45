"""llama.cpp as a library: loaded once, its log kept off the terminal, its errors kept."""

from __future__ import annotations

import os
from collections import deque
from functools import cache
from pathlib import Path
from typing import Any

from localpers.errors import UnsupportedModel
from localpers.threads import wait_asleep

_ERROR_LEVEL = 4
"""`GGML_LOG_LEVEL_ERROR` of ggml.h (llama-cpp-python's own table is off by one)."""

_errors: deque[str] = deque(maxlen=8)
_keep_alive: list[Any] = []
"""Callbacks that C holds: garbage collection of one would crash the process."""


@cache
def llama_cpp() -> Any:
    """The module `llama_cpp`, with its backends initialised."""
    wait_asleep()
    import llama_cpp as module

    def listen(level: int, text: bytes, _: Any) -> None:
        if level == _ERROR_LEVEL:
            _errors.append(" ".join(text.decode("utf-8", "replace").split()))

    callback = module.llama_log_callback(listen)
    _keep_alive.append(callback)
    module.llama_log_set(callback, None)
    module.llama_backend_init()
    return module


def open_model(path: Path, gpu_layers: int | None = None, **options: Any) -> Any:
    """The native handle of the model in the file at `path`; the caller frees it.

    `gpu_layers` None leaves the number to llama.cpp; `options` are fields of llama_model_params.
    Raises UnsupportedModel.
    """
    library = llama_cpp()
    parameters = library.llama_model_default_params()
    if gpu_layers is not None:
        parameters.n_gpu_layers = gpu_layers
    for name, value in options.items():
        setattr(parameters, name, value)
    forget_errors()
    model = library.llama_model_load_from_file(os.fsencode(path), parameters)
    if not model:
        raise UnsupportedModel(
            f"llama.cpp cannot load {path.name} ({last_error()}): check that the file is "
            "whole and fits the memory, or choose another model."
        )
    return model


def open_adapter(path: Path, model: Any) -> Any:
    """The native handle of the LoRA adapter at `path` for a model. Raises UnsupportedModel."""
    adapter = llama_cpp().llama_adapter_lora_init(model, os.fsencode(path))
    if not adapter:
        raise UnsupportedModel(
            f"llama.cpp cannot load the adapter {path.name} ({last_error()}): tune again, or ask "
            "with --no-adapter."
        )
    return adapter


def forget_errors() -> None:
    """Forget earlier errors; call this before a call whose failure last_error should explain."""
    _errors.clear()


def last_error() -> str:
    """Why llama.cpp failed, in its own words without function names, or empty."""
    reasons = [line.split("error", 1)[-1].lstrip(": ") for line in _errors if "error" in line]
    return reasons[0] if reasons else (_errors[0] if _errors else "")
