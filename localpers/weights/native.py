"""llama.cpp as a library: loaded once, its log kept off the terminal, its errors kept."""

from __future__ import annotations

from collections import deque
from functools import cache
from typing import Any

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


def forget_errors() -> None:
    """Forget earlier errors; call this before a call whose failure last_error should explain."""
    _errors.clear()


def last_error() -> str:
    """Why llama.cpp failed, in its own words without function names, or empty."""
    reasons = [line.split("error", 1)[-1].lstrip(": ") for line in _errors if "error" in line]
    return reasons[0] if reasons else (_errors[0] if _errors else "")
