"""No way out: after `seal`, Python code in this process cannot reach another machine.

An audit hook (PEP 578) sees every connection that Python code opens and refuses those that leave
the machine; it cannot be taken out again. Native code is beyond its sight: docs/privacy.md says
what that means.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import sys
from typing import Any

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "DO_NOT_TRACK": "1",
    "ACCELERATE_DISABLE_RICH": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TQDM_DISABLE": "1",
}
"""What the libraries read to stay offline, and off the terminal."""

_CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_RESOLVING = frozenset({"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"})

_sealed = False


def seal() -> None:
    """Refuse every connection that leaves the machine, for the rest of the process."""
    global _sealed
    os.environ.update(OFFLINE)
    if not _sealed:
        sys.addaudithook(_refuse)
        _sealed = True


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CONNECTING:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) else None
    elif event in _RESOLVING:
        host = arguments[0]
    else:
        return
    if host is not None and not _is_here(host):
        raise PermissionError(errno.EPERM, "localpers does not open connections to other machines")


def _is_here(host: Any) -> bool:
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(name.split("%")[0]).is_loopback
    except ValueError:
        return False
