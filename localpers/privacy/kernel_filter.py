"""The seccomp filter that blocks network access of this process, its threads and its children.

It refuses with EPERM: all sockets except local stream sockets, connecting, io_uring as a way around
both, and ways to control, or use a socket of, a process that is not sealed. Local stream sockets
are allowed, because asyncio, multiprocessing and GPU drivers create them, but cannot be connected.
System calls of other architectures (32-bit, x32) are refused.

A filter cannot refuse files on network drives, nor /proc/PID/mem of the same user's processes on
systems without Yama. See seccomp(2), socket(2), unix(7), ioctl_tty(2).
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
"""Local datagrams reach any named socket (a logger, a resolver) without a connection; the kernel
treats local raw sockets as datagram sockets."""
_INT = 0xFFFFFFFF
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
"""These insert input into the terminal, which the user's shell would run."""

_CONNECTING: tuple[str | int, ...] = ("connect",)
_MESSAGES: tuple[str | int, ...] = ("sendmsg", "sendmmsg", "recvmsg", "recvmmsg")
"""A filter cannot see their addresses, which are behind a pointer; they can also pass sockets."""
_IO_URING: tuple[str | int, ...] = (425, 426, 427)
_PIDFD_GETFD = 438
"""Numbers, the same on all architectures: older libseccomp does not know the names."""
_BORROWING: tuple[str | int, ...] = (
    _PIDFD_GETFD,
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "bpf",
    # For keys of type dns_resolver the kernel runs a helper outside of the filter.
    "request_key",
)


class FilterUnavailable(LocalpersError):
    """No filter can be installed; the message tells why and what to install."""


def install() -> None:
    """Install the filter permanently in every thread of this process; children inherit it.

    Raises FilterUnavailable, in which case nothing is refused.
    """
    seccomp = _seccomp()
    try:
        refuse = seccomp.ERRNO(errno.EPERM)
        filter = seccomp.SyscallFilter(seccomp.ALLOW)
        filter.set_attr(seccomp.Attr.ACT_BADARCH, refuse)
        filter.set_attr(seccomp.Attr.CTL_NNP, 1)
        filter.set_attr(seccomp.Attr.CTL_TSYNC, 1)
        with contextlib.suppress(OSError):
            # Kernels before 5.16 would enable a speculation mitigation that slows down all code.
            filter.set_attr(seccomp.Attr.CTL_SSB, 1)
        for call in (*_CONNECTING, *_MESSAGES, *_IO_URING, *_BORROWING):
            filter.add_rule(refuse, call)
        _refuse_by_arguments(seccomp, filter, refuse)
        filter.load()
    except OSError as error:
        raise FilterUnavailable(
            f"The kernel rejected the seccomp filter ({error.strerror}): run localpers on Linux "
            "4.14 or newer, in a container that allows seccomp."
        ) from None


def _refuse_by_arguments(seccomp: Any, filter: Any, refuse: int) -> None:
    arg, add = seccomp.Arg, filter.add_rule
    for call in ("socket", "socketpair"):
        add(refuse, call, arg(0, seccomp.NE, _AF_UNIX))
        for kind in (_SOCK_DGRAM, _SOCK_RAW):
            add(refuse, call, arg(1, seccomp.MASKED_EQ, _SOCK_TYPES, kind))
    add(refuse, "sendto", arg(4, seccomp.NE, 0))
    for request in (_TIOCSTI, _TIOCLINUX):
        add(refuse, "ioctl", arg(1, seccomp.MASKED_EQ, _INT, request))


def why_unavailable() -> str | None:
    """Why this system does not support the filter, None if it does."""
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
            f"{sys.platform} has no seccomp: only Python's own connections are refused."
        )
    # pyseccomp runs ldconfig twice to find its libraries, which takes longer than the rest of the
    # start; their names are fixed.
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
