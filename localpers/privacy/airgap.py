"""Airgap: after `seal`, this process cannot reach another machine.

On Linux the kernel refuses connections of native code and child processes too (kernel_filter). On
all systems an audit hook (PEP 578) refuses connections of Python code with a clear message. Without
a kernel filter, native code is not restricted: see docs/privacy.md.
"""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass
from typing import Any

from localpers.privacy.kernel_filter import FilterUnavailable, install

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "HF_HUB_DISABLE_XET": "1",
    "USE_HUB_KERNELS": "0",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "WANDB_MODE": "disabled",
    "COMET_MODE": "disabled",
    "SWANLAB_MODE": "disabled",
    "DISABLE_MLFLOW_INTEGRATION": "TRUE",
    "DISABLE_KUBEFLOW_INTEGRATION": "TRUE",
    "ACCELERATE_DISABLE_RICH": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}
"""Environment variables that keep libraries offline, without telemetry, and off the terminal."""

_REFUSAL = "localpers does not open connections to other machines"
_AF_UNIX = 1
_RESOLVING = frozenset(
    {
        "socket.getaddrinfo",
        "socket.gethostbyname",
        "socket.gethostbyaddr",
        "socket.getnameinfo",
    }
)


@dataclass(slots=True)
class _State:
    hooked: bool = False
    filtered: bool = False
    unfiltered_because: str = ""


_state = _State()


def seal() -> None:
    """Refuse all connections to other machines for the rest of this process and its children.

    Without a kernel filter only Python's own connections are refused; `unfiltered_because` tells
    why.
    """
    os.environ.update(OFFLINE)
    if not _state.hooked:
        sys.addaudithook(_refuse)
        _state.hooked = True
    if not _state.filtered:
        try:
            install()
            _state.filtered = True
        except FilterUnavailable as error:
            _state.unfiltered_because = str(error)


def is_filtered() -> bool:
    """Whether the kernel filter is installed."""
    return _state.filtered


def unfiltered_because() -> str:
    """Why this sealed process has no kernel filter; empty if it has one."""
    return "" if _state.filtered else _state.unfiltered_because


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event == "socket.__new__":
        # -1: a wrapper around an existing descriptor.
        refused = arguments[1] not in (_AF_UNIX, -1)
    elif event in ("socket.connect", "socket.sendto"):
        refused = True
    elif event == "socket.sendmsg":
        refused = arguments[1] is not None
    elif event == "socket.bind":
        refused = isinstance(arguments[1], tuple)
    else:
        refused = event in _RESOLVING
    if refused:
        raise PermissionError(errno.EPERM, _REFUSAL)
