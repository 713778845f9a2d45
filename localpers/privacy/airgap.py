"""No way out: after `seal`, nothing in this process can reach another machine.

On Linux the kernel refuses it, to native code and to children as well (kernel_filter). Everywhere
an audit hook (PEP 578) refuses it to Python code, with a message that says who refused; where there
is no filter, native code is beyond its sight: docs/privacy.md says what that means.
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
"""What the libraries read to stay offline, to report to nobody, and to keep off the terminal."""

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
    serving: bool = False
    unfiltered_because: str = ""


_state = _State()


def seal(serving: bool = False) -> None:
    """Refuse every way to another machine, for the rest of this process and its children.

    A server binds and listens first and then calls this with `serving`: accepting, and answering
    on what it accepted, goes on working; no socket can be made, bound or connected any more.
    Where the kernel cannot refuse, Python's own connections are refused all the same, and
    `unfiltered_because` says why.
    """
    os.environ.update(OFFLINE)
    _state.serving = serving
    if not _state.hooked:
        sys.addaudithook(_refuse)
        _state.hooked = True
    if not _state.filtered or serving:
        try:
            install(serving)
            _state.filtered = True
        except FilterUnavailable as error:
            _state.unfiltered_because = str(error)


def is_filtered() -> bool:
    """Whether the kernel refuses for this process."""
    return _state.filtered


def unfiltered_because() -> str:
    """Why the kernel does not refuse for this sealed process; empty where it does."""
    return "" if _state.filtered else _state.unfiltered_because


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if not event.startswith("socket."):
        return
    if event == "socket.__new__":
        # A wrapper around an accepted connection is made by the same call as a new socket; -1 is
        # one around a descriptor.
        refused = not _state.serving and arguments[1] not in (_AF_UNIX, -1)
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
