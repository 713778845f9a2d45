"""What a process can do about the network: run by the audit as a child, sealed and not sealed.

The standard library alone, so that `python -I probes.py [lookup]` shows what the kernel refuses and
nothing else does. Nothing is sent: sockets are made and closed, and the one connection goes to a
name in this machine that nobody listens on. `lookup` asks for a name as well, which is only done
where the sockets that it takes are refused.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import socket
import sys
from collections.abc import Callable

MADE = "made"
NOT_HERE = "not here"
_IO_URING_SETUP = 425
_X32 = 0x40000000
_X86_64_SOCKET = 41
_STREAM, _DATAGRAM, _RAW = 1, 2, 3
_FAMILIES = {
    "tcp": ("AF_INET", _STREAM, 0),
    "tcp over IPv6": ("AF_INET6", _STREAM, 0),
    "udp": ("AF_INET", _DATAGRAM, 0),
    "raw": ("AF_INET", _RAW, 255),
    "packet": ("AF_PACKET", _RAW, 0),
    "netlink": ("AF_NETLINK", _RAW, 0),
    "vsock": ("AF_VSOCK", _STREAM, 0),
    "bluetooth": ("AF_BLUETOOTH", _STREAM, 3),
    "local datagram": ("AF_UNIX", _DATAGRAM, 0),
}


def probe_all(lookup: bool = False) -> dict[str, str]:
    """What came of each attempt: `MADE`, the name of an error, or `NOT_HERE`."""
    found = {name: _python_socket(*family) for name, family in _FAMILIES.items()}
    found["local connection"] = _outcome(_connect_locally)
    found["native call"] = native_socket()
    if sys.platform == "linux":
        found["io_uring"] = _system_call(_IO_URING_SETUP, 1, None)
        if os.uname().machine == "x86_64":
            found["x32 call"] = _system_call(_X32 | _X86_64_SOCKET, socket.AF_INET, _STREAM, 0)
    if lookup:
        found["name lookup"] = _outcome(lambda: socket.getaddrinfo("localpers.invalid", 80))
    return found


def native_socket() -> str:
    """What comes of the C library's own socket(), called past Python."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.socket(int(socket.AF_INET), _STREAM, 0)
    return _native_outcome(descriptor)


def _system_call(number: int, *arguments: int | None) -> str:
    library = ctypes.CDLL(None, use_errno=True)
    return _native_outcome(library.syscall(number, *arguments))


def _native_outcome(descriptor: int) -> str:
    if descriptor < 0:
        return errno.errorcode.get(ctypes.get_errno(), "unknown")
    os.close(descriptor)
    return MADE


def _python_socket(family: str, kind: int, protocol: int) -> str:
    number = getattr(socket, family, None)
    if number is None:
        return NOT_HERE
    return _outcome(lambda: socket.socket(number, kind, protocol).close())


def _connect_locally() -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX, _STREAM)) as one:
        one.connect(f"\0localpers-audit-{os.getpid()}")


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except socket.gaierror as error:
        return "no answer" if error.errno != socket.EAI_SYSTEM else "EAI_SYSTEM"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "unknown")
    return MADE


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe_all("lookup" in sys.argv[1:])))
