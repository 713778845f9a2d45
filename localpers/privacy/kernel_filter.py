"""What the Linux kernel refuses this process, its threads and its children: a seccomp filter.

Refused is what leaves the machine, with EPERM at the first call: every socket but a local stream,
connecting, io_uring's way around both, and the ways to borrow a socket, or a hand, of a process
that is not sealed. Local stream sockets stay, because asyncio, multiprocessing and GPU drivers make
them; nothing can be connected to one from here. System calls of another architecture (32-bit and
x32) are refused altogether.

Not refused, because no filter can see it: files on network drives, and /proc/PID/mem of the same
user's processes where the system has no Yama. See seccomp(2), socket(2), unix(7), ioctl_tty(2).
"""

from __future__ import annotations

import contextlib
import ctypes.util
import errno
import sys
from typing import Any

from localpers.errors import LocalpersError

LIBRARY = "libseccomp.so.2"
_SONAMES = {"c": "libc.so.6", "seccomp": LIBRARY}

_AF_UNIX = 1
_SOCK_TYPES = 0xF
_SOCK_DGRAM, _SOCK_RAW = 2, 3
"""Local datagrams go to any socket by its name (a logger's, a resolver's) without a connection; the
kernel makes a local raw socket one of them."""
_INT = 0xFFFFFFFF
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
"""Typing into the terminal what the user's shell then runs."""

_CONNECTING: tuple[str | int, ...] = ("connect",)
_MESSAGES: tuple[str | int, ...] = ("sendmsg", "sendmmsg", "recvmsg", "recvmmsg")
"""Their addresses stand behind a pointer, and they carry sockets of other processes."""
_IO_URING: tuple[str | int, ...] = (425, 426, 427)
_PIDFD_GETFD = 438
"""By number, the same on every architecture: older libseccomp does not know the names."""
_BORROWING: tuple[str | int, ...] = (
    _PIDFD_GETFD,
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "bpf",
    # The kernel asks a helper outside to resolve a key of type dns_resolver.
    "request_key",
)
_SERVED: tuple[str | int, ...] = ("socket", "bind", "listen")
"""What a server has done before it is sealed. It needs messages: asyncio writes by sendmsg."""


class FilterUnavailable(LocalpersError):
    """The kernel cannot be asked to refuse; the message says why and what to install."""


def install(serving: bool = False) -> None:
    """Install the filter in every thread of this process, for good; children inherit it.

    `serving` leaves messages on connections that are accepted, and takes every new socket and
    every bind and listen. A second filter can only refuse more. Raises FilterUnavailable; then
    nothing is refused.
    """
    seccomp = _seccomp()
    try:
        refuse = seccomp.ERRNO(errno.EPERM)
        filter = seccomp.SyscallFilter(seccomp.ALLOW)
        filter.set_attr(seccomp.Attr.ACT_BADARCH, refuse)
        filter.set_attr(seccomp.Attr.CTL_NNP, 1)
        filter.set_attr(seccomp.Attr.CTL_TSYNC, 1)
        with contextlib.suppress(OSError):
            # Kernels before 5.16 would slow all computing down as if we ran a stranger's code.
            filter.set_attr(seccomp.Attr.CTL_SSB, 1)
        for call in (*_CONNECTING, *_IO_URING, *_BORROWING, *(_SERVED if serving else _MESSAGES)):
            filter.add_rule(refuse, call)
        _refuse_by_arguments(seccomp, filter, refuse, () if serving else ("socket",))
        filter.load()
    except OSError as error:
        raise FilterUnavailable(
            f"The kernel took no seccomp filter ({error.strerror}): run localpers on Linux 4.14 or "
            "newer, in a container that allows seccomp."
        ) from None


def _refuse_by_arguments(seccomp: Any, filter: Any, refuse: int, making: tuple[str, ...]) -> None:
    arg, add = seccomp.Arg, filter.add_rule
    for call in (*making, "socketpair"):
        add(refuse, call, arg(0, seccomp.NE, _AF_UNIX))
        for kind in (_SOCK_DGRAM, _SOCK_RAW):
            add(refuse, call, arg(1, seccomp.MASKED_EQ, _SOCK_TYPES, kind))
    add(refuse, "sendto", arg(4, seccomp.NE, 0))
    for request in (_TIOCSTI, _TIOCLINUX):
        add(refuse, "ioctl", arg(1, seccomp.MASKED_EQ, _INT, request))


def why_unavailable() -> str | None:
    """Why this system cannot have the filter, or None where its library is there."""
    try:
        _seccomp()
    except FilterUnavailable as error:
        return str(error)
    return None


def library_version() -> str:
    """The version of libseccomp. Raises FilterUnavailable."""
    _seccomp()
    version = ctypes.CDLL(LIBRARY).seccomp_version
    version.restype = ctypes.POINTER(ctypes.c_uint * 3)
    return ".".join(str(part) for part in version().contents)


def _seccomp() -> Any:
    if sys.platform != "linux":
        raise FilterUnavailable(
            f"{sys.platform} has no seccomp: only Python's own connections are refused here."
        )
    # pyseccomp looks its libraries up by running ldconfig twice, which takes longer than the rest
    # of the start; their names are fixed.
    searched = ctypes.util.find_library
    ctypes.util.find_library = _known_name
    try:
        import pyseccomp
    except (ImportError, OSError, RuntimeError, AttributeError):
        raise FilterUnavailable(
            f"The system library {LIBRARY} is missing: install libseccomp2 (Debian, Ubuntu) or "
            "libseccomp (Fedora, Arch, Alpine), so that the kernel refuses connections."
        ) from None
    finally:
        ctypes.util.find_library = searched
    return pyseccomp


def _known_name(name: str) -> str | None:
    return _SONAMES.get(name)
