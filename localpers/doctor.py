"""Checks of this machine, each with its finding and, if it fails, advice."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from localpers.profile import Profile

FREE_DISK = 2_000_000_000
"""Bytes; tuning the starter model takes 0.8 GB."""
TUNE_PACKAGES = ("torch", "transformers", "peft")


@dataclass(frozen=True, slots=True)
class Check:
    """A failed `required` check means that localpers does not work; others limit what works."""

    name: str
    ok: bool
    detail: str
    advice: str = ""
    required: bool = True


def examine(profile: Profile) -> Iterator[Check]:
    """Run the checks, fast ones first."""
    version = platform.python_version()
    yield Check("python", sys.version_info >= (3, 11), version, "Install Python 3.11 or newer.")
    yield _database(profile)
    yield _disk(profile)
    yield _memory()
    yield _airgap()
    yield _engine()
    yield _models()
    yield _encoder()
    yield _tuning()
    if _has(*TUNE_PACKAGES):
        yield _device()


def _database(profile: Profile) -> Check:
    from localpers.errors import LocalpersError
    from localpers.store import Store

    try:
        with Store.open(profile) as store:
            totals = store.documents.totals()
            version = store.sqlite_version()
    except LocalpersError as error:
        return Check("index", False, "damaged", str(error))
    return Check(
        "index",
        True,
        f"{totals.documents} documents in {totals.passages} passages, SQLite {version}",
    )


def _disk(profile: Profile) -> Check:
    free = shutil.disk_usage(profile.root).free
    return Check(
        "disk",
        free >= FREE_DISK,
        f"{free / 1e9:.1f} GB free at {profile.root}",
        "Free disk space, or move LOCALPERS_HOME to another disk.",
        required=False,
    )


def _memory() -> Check:
    import psutil

    memory = psutil.virtual_memory()
    return Check(
        "memory",
        memory.available >= 1_500_000_000,
        f"{memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB available, "
        f"{os.cpu_count()} cores",
        "Close other programs: tuning the starter takes about 2 GB.",
        required=False,
    )


def _airgap() -> Check:
    from localpers.privacy.kernel_filter import library_version, why_unavailable

    missing = why_unavailable()
    return Check(
        "airgap",
        missing is None,
        "only Python's own connections are refused"
        if missing
        else f"the kernel refuses connections (libseccomp {library_version()}); "
        "'localpers audit' proves it",
        missing or "",
        required=False,
    )


def _engine() -> Check:
    from localpers.weights.native import llama_cpp

    try:
        library = llama_cpp()
    except (ImportError, OSError, RuntimeError) as error:
        return Check(
            "llama.cpp",
            False,
            f"cannot be loaded ({type(error).__name__})",
            "Reinstall it: make install, or pip install --force-reinstall llama-cpp-python.",
        )
    system = library.llama_print_system_info().decode().strip()
    gpu = "with GPU support" if library.llama_supports_gpu_offload() else "on the CPU"
    return Check("llama.cpp", True, f"{library.__version__} {gpu} ({system[:100]})")


def _models() -> Check:
    from localpers.weights.catalog import installed, models_folder

    models = [model for model in installed() if not model.embeds]
    names = ", ".join(f"{model.name} ({model.quantization})" for model in models)
    return Check(
        "base models",
        bool(models),
        names or f"none in {models_folder()}",
        "Run 'localpers models pull smollm2-135m-instruct'.",
    )


def _encoder() -> Check:
    from localpers.weights.catalog import encoders, installed

    found = [model.name for model in installed() if model.embeds]
    return Check(
        "embedding model",
        bool(found),
        ", ".join(found) or "none: notes are found by their words alone",
        f"Run 'localpers models pull {encoders()[0].name}' to find notes by meaning too.",
        required=False,
    )


def _tuning() -> Check:
    missing = [name for name in TUNE_PACKAGES if not _has(name)]
    found = ", ".join(
        f"{name} {importlib.metadata.version(name)}" for name in TUNE_PACKAGES if _has(name)
    )
    return Check(
        "tuning",
        not missing,
        f"missing: {', '.join(missing)}" if missing else found,
        "Run pip install 'localpers[tune]'; ingest, search and ask work without it.",
        required=False,
    )


def _device() -> Check:
    from localpers.tuning.device import choose_device

    device = choose_device("auto")
    return Check("training device", True, f"{device.name} ({device.description})")


def _has(*packages: str) -> bool:
    return all(importlib.util.find_spec(package) for package in packages)
