"""While the commands work, a native caller, a child and a tracer look for a way out."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from localpers.privacy import probes
from tests.privacy.conftest import environment, localpers, needs_filter

INTRUDER = f"""
import atexit, ctypes, json, os, subprocess, sys, threading, time

found = os.open(os.environ["FOUND"], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
native = ctypes.CDLL(None, use_errno=True)
HEAVY = ("localpers.corpus.sync", "localpers.weights.pull", "llama_cpp", "torch")

def watch():
    last = None
    while True:
        loaded = [name for name in HEAVY if name in sys.modules]
        descriptor = native.socket(2, 1, 0)
        error = ctypes.get_errno() if descriptor < 0 else 0
        if descriptor >= 0:
            os.close(descriptor)
        if (error, loaded) != last:
            last = error, loaded
            os.write(found, json.dumps([error, loaded]).encode() + b"\\n")
        time.sleep(0.002)

def send_a_child():
    command = [sys.executable, "-I", {probes.__file__!r}]
    os.write(found, subprocess.run(command, capture_output=True).stdout + b"\\n")

if not os.environ.get("INTRUDED"):
    os.environ["INTRUDED"] = "1"
    threading.Thread(target=watch, daemon=True).start()
    atexit.register(send_a_child)
"""
"""Runs as sitecustomize, so before localpers: its thread is older than the filter."""
RECIPE = """
rank = 4
learning_rate = 5e-3
epochs = 0.1
batch_tokens = 512
max_length = 768
quantization = "q8_0"
"""
TUNE = ("tune", "--base", "llama", "--budget", "15s", "--recipe")
ASK = ("ask", "river mill", "--base", "llama", "--max-tokens", "4")

Run = Callable[..., str]


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def intrude(tmp_path: Path, tiny_models: Path) -> Callable[..., None]:
    """Run a command with the intruder inside; it must have been shut in before `module` came."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside/sitecustomize.py").write_text(INTRUDER)
    found = tmp_path / "found"

    def run(module: str, *arguments: object, models: Path = tiny_models) -> None:
        found.unlink(missing_ok=True)
        where = {"LOCALPERS_MODELS": str(models), "FOUND": str(found)}
        done = localpers(*arguments, before=str(tmp_path / "inside"), **where)
        assert done.returncode == 0, done.stderr
        *seen, child = (json.loads(line) for line in found.read_text().splitlines())
        assert seen[0] == [0, []], "the intruder could do nothing even before"
        assert any(module in loaded for _, loaded in seen)
        assert {error for error, loaded in seen if loaded} == {1}
        assert child["tcp"] == child["udp"] == child["native call"] == "EPERM"

    return run


@needs_filter
def test_no_native_caller_and_no_child_connects_during_ingest_and_ask(
    intrude: Callable[..., None], diary: Path
) -> None:
    intrude("localpers.corpus.sync", "ingest", diary)
    intrude("llama_cpp", *ASK)


@needs_filter
def test_taking_a_model_from_a_file_is_sealed_too(
    intrude: Callable[..., None], tiny_models: Path, tmp_path: Path
) -> None:
    file = tiny_models / "llama.gguf"
    pull = ("models", "pull", "gemma-3-270m-it", "--offline", file)
    intrude("localpers.weights.pull", *pull, models=tmp_path / "models")


@needs_filter
@pytest.mark.timeout(900)
def test_no_native_caller_and_no_child_connects_during_tune(
    intrude: Callable[..., None], diary: Path, recipe: Path
) -> None:
    pytest.importorskip("torch")
    assert localpers("ingest", diary).returncode == 0
    intrude("torch", *TUNE, recipe)


@pytest.fixture
def trace(tmp_path: Path, tiny_models: Path) -> Run:
    """Run a Python command line under strace; returns every system call on the network."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed: apt install strace")
    log = tmp_path / "trace"

    def run(*arguments: object) -> str:
        strace = ["strace", "-f", "-qq", "-e", "trace=network", "-o", str(log), sys.executable]
        done = subprocess.run(
            [*strace, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment(LOCALPERS_MODELS=str(tiny_models)),
        )
        if "ptrace" in done.stderr and "not permitted" in done.stderr:
            pytest.skip("strace may not trace here")
        assert done.returncode == 0, done.stderr
        return log.read_text()

    return run


@needs_filter
@pytest.mark.timeout(900)
def test_a_trace_of_the_whole_way_shows_no_internet_socket(
    trace: Run, diary: Path, recipe: Path
) -> None:
    assert "socket(AF_INET" in trace("-c", "import socket; socket.socket()"), "strace sees nothing"
    ways = [("ingest", diary), ("search", "river"), ASK]
    if find_spec("torch"):
        ways.append((*TUNE, recipe))
    for way in ways:
        calls = trace("-m", "localpers", *way)
        # Not even a refused attempt; only the C library asks for its cache of users.
        assert "AF_INET" not in calls, calls
        assert set(re.findall(r"connect\(.*= (\S+ \w+)", calls)) <= {"-1 EPERM"}, calls


@needs_filter
def test_a_name_lookup_is_refused_at_its_sockets(trace: Run) -> None:
    code = (
        "from localpers.privacy.kernel_filter import install; install(); import ctypes\n"
        "native = ctypes.CDLL(None)\n"
        "assert native.getaddrinfo(b'example.org', b'80', None, ctypes.byref(ctypes.c_void_p()))"
    )
    calls = trace("-c", code)
    tried = [call for call in calls.splitlines() if "AF_INET" in call or "connect(" in call]
    assert tried and all("= -1 EPERM" in call for call in tried), calls
