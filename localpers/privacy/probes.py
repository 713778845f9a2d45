"""Network probes that the audit runs in child processes, sealed and not sealed.

Uses only the standard library, so that `python -I probes.py [lookup]` shows what the kernel alone
refuses. Nothing is sent: sockets are created and closed, and the only connection goes to a local
name without a listener. `lookup` also resolves a name; use it only where the kernel refuses.
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
_NAME = b"localpers.invalid"
_CLASS_INTERNET, _TYPE_A = 1, 1
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
    """Attempt → outcome: MADE, the name of an error, or NOT_HERE."""
    found = {name: _python_socket(*family) for name, family in _FAMILIES.items()}
    found["local connection"] = _outcome(_connect_locally)
    found["native call"] = native_socket()
    if sys.platform == "linux":
        found["io_uring"] = _system_call(_IO_URING_SETUP, 1, None)
        if os.uname().machine == "x86_64":
            found["x32 call"] = _system_call(_X32 | _X86_64_SOCKET, socket.AF_INET, _STREAM, 0)
    if lookup:
        found["name lookup"] = _native_lookup()
    return found


def python_lookup() -> str:
    """Outcome of a name lookup in Python; call it only where lookups are refused."""
    return _outcome(lambda: socket.getaddrinfo(_NAME.decode(), 80))


def native_socket() -> str:
    """Outcome of socket() in the C library, called without Python's socket module."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.socket(int(socket.AF_INET), _STREAM, 0)
    return _native_outcome(descriptor)


def _native_lookup() -> str:
    """Outcome of res_query, which getaddrinfo uses too, but without exposing the socket error
    (resolver(3)).
    """
    for library in (None, "libresolv.so.2"):  # glibc before 2.34.
        with contextlib.suppress(OSError, AttributeError):
            query = ctypes.CDLL(library, use_errno=True).res_query
            answer = ctypes.create_string_buffer(512)
            ctypes.set_errno(0)
            length = query(_NAME, _CLASS_INTERNET, _TYPE_A, answer, len(answer))
            return MADE if length >= 0 else errno.errorcode.get(ctypes.get_errno(), "unknown")
    return NOT_HERE


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
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "unknown")
    return MADE


if __name__ == "__main__":
    sys.stdout.write(json.dumps(probe_all("lookup" in sys.argv[1:])))
