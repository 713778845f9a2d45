"""Export the model for other runtimes: the GGUF files and an Ollama Modelfile."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from localpers.datatypes import ServedModel
from localpers.errors import LocalpersError
from localpers.profile import make_private, write_atomically

_README = """\
This folder holds a language model tuned on one person's writing. It can repeat what it learned:
treat it like the writing itself.

Ollama:     ollama create NAME -f Modelfile
llama.cpp:  llama-cli -m {model}{adapter}
LM Studio:  load {model} from this folder.
"""


def export(
    served: ServedModel,
    folder: Path,
    system: str,
    on_progress: Callable[[str], None] | None = None,
) -> list[Path]:
    """Copy the served files into `folder` (new or empty) with a Modelfile; returns them.

    The chat template is inside the GGUF file. Raises LocalpersError, leaving nothing behind, if the
    folder is not empty or the disk is full.
    """
    if served.base_reads_prompt:
        raise LocalpersError(
            "Other runtimes would apply this adapter to the prompt, too: export a run of "
            "'localpers tune --method lora'."
        )
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LocalpersError(f"{folder} is not an empty folder: name a new one.")
    if '"""' in system:
        raise LocalpersError('The system prompt may not contain """, which ends it in a Modelfile.')
    needed = sum(file.stat().st_size for file in (served.model, served.adapter) if file)
    parent = next(path for path in folder.absolute().parents if path.exists())
    if shutil.disk_usage(parent).free < needed * 1.05:
        raise LocalpersError(
            f"{folder} needs {needed / 1e6:,.0f} MB, more than its disk has free: make room."
        )
    building = folder.with_name(f".{folder.name}.{os.getpid()}")
    make_private(building)
    try:
        lines = []
        for file, verb, name in (
            (served.model, "FROM", _model_name(served)),
            (served.adapter, "ADAPTER", "adapter.gguf"),
        ):
            if file is None:
                continue
            if on_progress:
                on_progress(name)
            shutil.copyfile(file, building / name)
            lines.append(f"{verb} ./{name}")
        model = lines[0].removeprefix("FROM ./")
        write_atomically(
            building / "Modelfile", "\n".join([*lines, f'SYSTEM """{system}"""']) + "\n"
        )
        adapter = " --lora adapter.gguf" if served.adapter else ""
        write_atomically(building / "README.txt", _README.format(model=model, adapter=adapter))
        if folder.exists():
            folder.rmdir()
        building.replace(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return sorted(folder.iterdir())


def _model_name(served: ServedModel) -> str:
    name = (
        served.base.name
        if served.run is None or served.adapter
        else (f"{served.base.name}-{served.model.stem.removeprefix('model-')}-tuned")
    )
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in name) + ".gguf"
