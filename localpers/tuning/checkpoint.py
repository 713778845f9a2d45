"""A training run's state on disk, replaced as a whole: one safetensors file, no pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers.atomic import replacing
from localpers.encryption.vault import fetch
from localpers.errors import LocalpersError
from localpers.profile import make_private

_FILE = "state.safetensors"


@dataclass(frozen=True, slots=True)
class TrainingState:
    """Everything that the next step depends on, and what the run has to tell so far.

    `tensors` holds the adapter's parameters, the optimizer's moments and the random state, on the
    CPU; `step` is the number of finished steps; `losses` one mean loss per step, nats per token.
    """

    tensors: dict[str, Any]
    step: int
    tokens: int
    seconds: float
    losses: tuple[float, ...]


def save(state: TrainingState, folder: Path) -> None:
    from safetensors.torch import save_file

    make_private(folder)
    facts = {
        "step": state.step,
        "tokens": state.tokens,
        "seconds": state.seconds,
        "losses": state.losses,
    }
    with replacing(folder / _FILE) as temporary:
        save_file(state.tensors, temporary, metadata={"state": json.dumps(facts)})


def load(folder: Path) -> TrainingState | None:
    """The state last saved, None where there is none. Raises LocalpersError for a damaged one."""
    from safetensors import SafetensorError, safe_open

    path = fetch(folder / _FILE)
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise LocalpersError(
            f"The checkpoint {path} is damaged: tune again without --resume."
        ) from error
    return TrainingState(
        tensors, facts["step"], facts["tokens"], facts["seconds"], tuple(facts["losses"])
    )
