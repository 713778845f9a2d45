"""Where to train: the device, the number type it is fast in, and the memory it has left."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from localpers.errors import LocalpersError, MissingExtra
from localpers.threads import stated_threads, threads, wait_asleep

DEVICES = ("cuda", "mps", "xpu", "cpu")
DType = Literal["bfloat16", "float32"]


@dataclass(frozen=True, slots=True)
class Device:
    """`free_bytes` is the memory that a model could take now; `dtype` that of the frozen base."""

    name: str
    description: str
    dtype: DType
    free_bytes: int


@cache
def import_torch() -> Any:
    """The module torch, on no more cores than this process may use. Raises MissingExtra where it
    is not installed.
    """
    wait_asleep()
    try:
        import torch
    except ImportError as error:
        raise MissingExtra(
            "Tuning needs torch, transformers and peft: run pip install 'localpers[tune]'."
        ) from error
    torch.set_num_threads(stated_threads() or min(torch.get_num_threads(), threads()))
    return torch


def choose_device(wanted: str = "auto") -> Device:
    """The device called `wanted`, or for `auto` the fastest one that is there.

    Raises LocalpersError for one that is not there, MissingExtra without torch.
    """
    torch = import_torch()
    there = [name for name in DEVICES if _is_there(torch, name)]
    if wanted != "auto" and wanted not in there:
        known = "is not available here" if wanted in DEVICES else "is no device"
        raise LocalpersError(f"'{wanted}' {known}: choose one of auto, {', '.join(there)}.")
    return _describe(torch, there[0] if wanted == "auto" else wanted)


def _is_there(torch: Any, name: str) -> bool:
    if name == "cpu":
        return True
    backend = torch.backends.mps if name == "mps" else getattr(torch, name, None)
    return bool(backend is not None and backend.is_available())


def _describe(torch: Any, name: str) -> Device:
    import psutil

    memory = int(psutil.virtual_memory().available)
    if name == "cuda":
        free, _ = torch.cuda.mem_get_info()
        bf16 = torch.cuda.is_bf16_supported()
        description = torch.cuda.get_device_name()
        return Device(name, description, "bfloat16" if bf16 else "float32", int(free))
    if name == "xpu":
        properties = torch.xpu.get_device_properties(0)
        return Device(name, properties.name, "bfloat16", int(properties.total_memory * 0.9))
    if name == "mps":
        return Device(name, f"Apple {platform.machine()}", "float32", memory)
    threads = torch.get_num_threads()
    fast = _has_bf16(torch)
    description = f"{threads} threads" + (", bfloat16 in hardware" if fast else "")
    return Device(name, description, "bfloat16" if fast else "float32", memory)


def _has_bf16(torch: Any) -> bool:
    """Whether the processor multiplies bfloat16 matrices itself; emulated, it is slower."""
    able = torch.cpu.get_capabilities()
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
