from __future__ import annotations

import subprocess
import sys

import pytest

ATTEMPTS = {
    "tcp": "socket.create_connection(('192.0.2.1', 80), timeout=2)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
    "dns": "socket.getaddrinfo('example.org', 80)",
    "ipv6": "socket.socket(socket.AF_INET6).connect(('2001:db8::1', 80))",
    "urllib": "__import__('urllib.request').request.urlopen('http://192.0.2.1/', timeout=2)",
}


def run(code: str) -> subprocess.CompletedProcess[str]:
    script = f"import socket\nfrom localpers.privacy.airgap import seal\nseal()\n{code}\n"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_nothing_leaves_the_machine(attempt: str) -> None:
    outcome = run(ATTEMPTS[attempt])
    assert outcome.returncode == 1
    assert "does not open connections" in outcome.stderr


def test_the_machine_itself_stays_reachable() -> None:
    outcome = run(
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\n"
        "print('reached')"
    )
    assert outcome.stdout == "reached\n", outcome.stderr
