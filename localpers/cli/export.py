"""`localpers export`: the tuned model for other runtimes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from localpers.cli.console import Json, notice, print_json, say


def export(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A new folder for the files.")],
    run: Annotated[
        str | None, typer.Option(help="The run to export; by default the promoted one.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the tuned model as GGUF with a Modelfile, for Ollama, llama.cpp or LM Studio."""
    from localpers.cli.unlocking import open_profile
    from localpers.errors import RunNotFound
    from localpers.inference.served import served_model
    from localpers.prompts import SYSTEM_WITHOUT_NOTES
    from localpers.weights.export import export as export_files

    profile = open_profile(context)
    if run is None and profile.promoted() is None:
        raise RunNotFound(
            "No tuned model is promoted: run 'localpers tune', or name a kept run with --run "
            "('localpers status' lists them)."
        )
    served = served_model(profile, run, use_adapter=True)
    files = export_files(
        served, folder.expanduser(), SYSTEM_WITHOUT_NOTES, lambda name: notice(f"copying {name}")
    )
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "run": served.run,
                "files": [{"name": file.name, "bytes": file.stat().st_size} for file in files],
            }
        )
        return
    for file in files:
        say(f"{file.stat().st_size:>14,}  {file}")
    notice("It holds what the model learned from your notes: share it as you would share them.")
