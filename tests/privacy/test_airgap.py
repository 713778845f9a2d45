"""What a sealed process can and cannot do, each time beside one that is not sealed."""

from __future__ import annotations

import platform

import pytest

from tests.privacy.conftest import Script, needs_filter

ATTEMPTS = {
    "tcp": "socket.create_connection(('192.0.2.1', 80), timeout=2)",
    "loopback": "socket.create_connection(('127.0.0.1', 80), timeout=2)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "dns": "socket.getaddrinfo('example.org', 80)",
    "reverse dns": "socket.gethostbyaddr('192.0.2.1')",
    "ipv6": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "local": "socket.socket(socket.AF_UNIX).connect('/run/dbus/system_bus_socket')",
    "urllib": "__import__('urllib.request').request.urlopen('http://192.0.2.1/', timeout=2)",
}
NO_LIBRARY = """
import ctypes
class CDLL(ctypes.CDLL):
    def __init__(self, name, *rest, **more):
        if name and "seccomp" in str(name):
            raise OSError("no such library")
        super().__init__(name, *rest, **more)
ctypes.CDLL = CDLL
"""
SEAL = """
import json, socket
from localpers.privacy import airgap
airgap.seal()
"""
TRY = f"""
found = {{}}
for name, attempt in {ATTEMPTS!r}.items():
    try:
        eval(attempt)
        found[name] = "done"
    except Exception as error:
        error = getattr(error, "reason", error)
        found[name] = [getattr(error, "errno", None), str(error)]
print(json.dumps({{"found": found, "because": airgap.unfiltered_because()}}))
"""


@needs_filter
@pytest.mark.parametrize("before", ["", NO_LIBRARY], ids=["kernel", "without libseccomp"])
def test_python_code_is_refused_with_a_clear_message(script: Script, before: str) -> None:
    outcome = script(before + SEAL + TRY)
    for name, (number, message) in outcome["found"].items():
        assert number == 1 and "does not open connections" in message, name
    assert ("libseccomp2" in outcome["because"]) == bool(before)


CALLS = {
    "socket": (41, 198, "2, 1, 0"),
    "local datagrams": (41, 198, "1, 2, 0"),
    "cluster socketpair": (53, 199, "30, 5, 0, 0"),
    "datagram socketpair": (53, 199, "1, 2, 0, 0"),
    "connect": (42, 203, "-1, 0, 0"),
    "sendto an address": (44, 206, "-1, 0, 0, 0, 4096, 16"),
    "sendmsg": (46, 211, "-1, 0, 0"),
    "sendmmsg": (307, 269, "-1, 0, 0, 0"),
    "recvmsg": (47, 212, "-1, 0, 0"),
    "io_uring_setup": (425, 425, "1, 0"),
    "io_uring_enter": (426, 426, "-1, 0, 0, 0, 0, 0"),
    "io_uring_register": (427, 427, "-1, 0, 0, 0"),
    "pidfd_getfd": (438, 438, "-1, 0, 0"),
    "ptrace": (101, 117, "16, 2147483647, 0, 0"),
    "process_vm_readv": (310, 270, "2147483647, 0, 0, 0, 0, 0"),
    "process_vm_writev": (311, 271, "2147483647, 0, 0, 0, 0, 0"),
    "request_key": (249, 218, "0, 0, 0, 0"),
    "TIOCSTI": (16, 29, "-1, 0x5412, 0"),
    "TIOCSTI with a high half": (16, 29, "-1, (7 << 32) | 0x5412, 0"),
}
"""Numbers on x86-64 and arm64, and arguments that an unsealed kernel answers by another error."""
KEPT = {
    "local stream": (41, 198, "1, 1, 0"),
    "sendto a connection": (44, 206, "-1, 0, 0, 0, 0, 0"),
    "other ioctl": (16, 29, "-1, 0x5401, 0"),
}
RAW_CALLS = """
import ctypes, json
from localpers.privacy.airgap import seal
library = ctypes.CDLL(None, use_errno=True)
def errors():
    found = {}
    for name, arguments in CALLS.items():
        ctypes.set_errno(0)
        library.syscall(*(ctypes.c_long(argument) for argument in arguments))
        found[name] = ctypes.get_errno()
    return found
before = errors()
seal()
print(json.dumps([before, errors()]))
"""


@needs_filter
def test_the_kernel_refuses_native_code_each_way_out(script: Script) -> None:
    column = {"x86_64": 0, "aarch64": 1}.get(platform.machine())
    if column is None:
        pytest.skip(f"no table of system calls for {platform.machine()}")
    calls = {
        name: eval(f"[{call[column]}, {call[2]}]")  # the constants above
        for name, call in (CALLS | KEPT).items()
    }
    before, after = script(f"CALLS = {calls!r}\n{RAW_CALLS}")
    assert {name for name in CALLS if before[name] == 1} == set()
    assert {name for name in CALLS if after[name] != 1} == set()
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}


INT_80 = """
import ctypes, errno, json, mmap
from localpers.privacy.airgap import seal
# push rbx; mov eax, 359 (socket of i386); mov ebx, 2; mov ecx, 1; xor edx, edx; int 0x80; pop rbx
code = bytes.fromhex("53 b867010000 bb02000000 b901000000 31d2 cd80 5b c3")
page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(code)
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
before = call()
seal()
print(json.dumps([before, call()]))
"""


@needs_filter
@pytest.mark.skipif(platform.machine() != "x86_64", reason="int 0x80 is x86's")
def test_the_32_bit_calls_are_closed(script: Script) -> None:
    before, after = script(INT_80)
    if before == -38:
        pytest.skip("this kernel has no 32-bit calls")
    assert before >= 0 and after == -1


STILL_WORKS = (
    SEAL
    + """
import asyncio, multiprocessing, subprocess, sys, tempfile
from pathlib import Path

def double(number):
    return 2 * number

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        doubled = pool.map(double, [1, 2])
    one, other = socket.socketpair()
    one.sendall(b"x")
    said = asyncio.run(asyncio.sleep(0, "slept"))
    child = subprocess.run([sys.executable, "-Ic", "print(3)"], capture_output=True, text=True)
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(folder + "/s")
            server.listen()
    print(json.dumps([doubled, other.recv(1).decode(), said, child.stdout]))
"""
)


@needs_filter
def test_what_stays_in_the_machine_goes_on_working(script: Script, tmp_path) -> None:
    (tmp_path / "works.py").write_text(STILL_WORKS)
    run = f"import runpy; runpy.run_path({str(tmp_path / 'works.py')!r}, run_name='__main__')"
    assert script(run) == [[2, 4], "x", "slept", "3\n"]
