"""llama.cpp as a library: loaded once, silent on the terminal, its last error kept."""

from __future__ import annotations

import os
from collections import deque
from functools import cache
from typing import Any

_ERROR_LEVEL = 4
"""`GGML_LOG_LEVEL_ERROR` of ggml.h (llama-cpp-python's own table is off by one)."""

THREADS = "LOCALPERS_THREADS"

_errors: deque[str] = deque(maxlen=8)
_keep_alive: list[Any] = []
"""A callback that Python collects while C still holds it crashes the process."""


@cache
def llama_cpp() -> Any:
    """The module `llama_cpp`, its native log routed away from stderr and its backends ready."""
    import llama_cpp as module

    def listen(level: int, text: bytes, _: Any) -> None:
        if level == _ERROR_LEVEL:
            _errors.append(" ".join(text.decode("utf-8", "replace").split()))

    callback = module.llama_log_callback(listen)
    _keep_alive.append(callback)
    module.llama_log_set(callback, None)
    module.llama_backend_init()
    return module


def threads() -> int:
    """The physical cores that this process may use; hyperthreads slow matrix products down.

    THREADS overrules it: processes that work side by side each take their part.
    """
    import psutil

    if (stated := os.environ.get(THREADS, "")).isdigit() and int(stated):
        return int(stated)
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return int(min(cores, allowed))


def forget_errors() -> None:
    """Forget what llama.cpp has complained about; call before the call to be explained."""
    _errors.clear()


def last_error() -> str:
    """Why llama.cpp failed, in its own words and without its function names, or empty."""
    reasons = [line.split("error", 1)[-1].lstrip(": ") for line in _errors if "error" in line]
    return reasons[0] if reasons else (_errors[0] if _errors else "")
