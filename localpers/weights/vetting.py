"""Load a new model file in a child process first, with limits on memory and time.

llama.cpp aborts the whole process on some malformed files (`GGML_ASSERT`), and may crash. So before
a file enters the models folder, a child reads its vocabulary, renders its template and computes one
token.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from localpers.confinement import confine
from localpers.datatypes import Message
from localpers.errors import LocalpersError, UnsupportedModel
from localpers.weights.gguf_file import read_metadata

CPU_SECONDS = 300
MEMORY = 4 << 30
"""Bytes of address space on top of three times the file: mapped, and copied by llama.cpp."""
WALL_FACTOR = 5
_CONTEXT = 64
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from localpers.weights.vetting import main; main(sys.argv[2])"
)


def vet(path: Path) -> None:
    """Load the model at `path` in a child process.

    Raises ModelNotFound, or UnsupportedModel if suitability.check_servable or llama.cpp refuses it.
    """
    read_metadata(path)  # Fails at once on other files.
    package = Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", _START, str(package), os.fsencode(path).hex()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=WALL_FACTOR * CPU_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _failed(path, "takes llama.cpp too long to load") from None
    if done.returncode == -signal.SIGXCPU:
        raise _failed(path, "takes llama.cpp too long to load")
    try:
        reason = json.loads(done.stdout)["refused"]
    except (ValueError, KeyError, TypeError):
        raise _failed(path, "crashes llama.cpp or exceeds the memory limit") from None
    if reason is not None:
        raise UnsupportedModel(" ".join(str(reason).split())[:400])


def _failed(path: Path, what: str) -> UnsupportedModel:
    return UnsupportedModel(
        f"{path.name} {what}: it is damaged or malicious; get the model from another place."
    )


def main(path_as_hex: str) -> None:
    """The child process: prints {"refused": null or the reason}."""
    answer = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    path = Path(os.fsdecode(bytes.fromhex(path_as_hex)))
    confine(MEMORY + 3 * path.stat().st_size, cpu_seconds=CPU_SECONDS)
    try:
        _load(path)
        refused = None
    except LocalpersError as error:
        refused = str(error)
    os.write(answer, json.dumps({"refused": refused}).encode())


def _load(path: Path) -> None:
    from localpers.weights.native import llama_cpp, open_model
    from localpers.weights.suitability import check_servable
    from localpers.weights.tokenizer import Tokenizer

    check_servable(path)
    library = llama_cpp()
    try:  # Repacking into an extra buffer type would copy all weights.
        model = open_model(path, gpu_layers=0, use_extra_bufts=False)
    except UnsupportedModel as error:
        raise _failed(path, "cannot be loaded by llama.cpp") from error
    if read_metadata(path).embeds:
        return
    ids = Tokenizer.open(path).prompt_ids([Message("system", "Be brief."), Message("user", "Hi")])
    settings = library.llama_context_default_params()
    settings.n_ctx = settings.n_batch = settings.n_ubatch = _CONTEXT
    settings.n_threads = settings.n_threads_batch = 1
    context = library.llama_init_from_model(model, settings)
    if not context:
        raise _failed(path, "cannot be given a context by llama.cpp")
    first = (library.llama_token * 1)(ids[0])
    if library.llama_decode(context, library.llama_batch_get_one(first, 1)):
        raise _failed(path, "cannot be computed by llama.cpp")
