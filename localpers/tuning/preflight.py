"""Before anything is computed: will this run fit, how long will it take, what speaks against it?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from localpers.datatypes import ModelInfo, StoredDocument
from localpers.encryption.memory import MEMORY
from localpers.errors import LocalpersError, UnsupportedModel
from localpers.profile import Profile
from localpers.threads import threads
from localpers.tuning.device import Device
from localpers.tuning.examples import require_enough
from localpers.tuning.torch_base import needs_checkpointing
from localpers.weights.gguf_file import read_metadata
from localpers.weights.quantize import check_type
from localpers.weights.suitability import trainable

FOREIGN_SHARE = 0.2
"""Of the text, in languages that the base does not state; beyond it the user is warned."""
REFERENCE_BYTES = 300_000_000
_CPU_TOKENS = 120
_GPU_TOKENS = 20_000
_STARTER = 135e6
"""The speed at which a core or a GPU trains a model of so many parameters, in tokens a second: a
first guess for --dry-run; a run measures its own before it plans its steps."""


@dataclass(frozen=True, slots=True)
class Preflight:
    """What is known before the first step. `warnings` are for the user; none of them is fatal."""

    base: ModelInfo
    device: Device
    checkpointing: bool
    documents: int
    words: int
    warnings: tuple[str, ...]


def check(
    profile: Profile,
    base: ModelInfo,
    device: Device,
    quantization: str,
    documents: Sequence[StoredDocument],
    languages: Mapping[str, float],
) -> Preflight:
    """Raises what speaks against the run: TooLittleText, UnsupportedModel, OutOfMemory, and
    LocalpersError for a full disk or an impossible quantization.
    """
    check_type(quantization)
    words = require_enough(documents)
    info = read_metadata(base.path)
    if reason := trainable(info):
        raise UnsupportedModel(
            f"{base.name} cannot be tuned: {reason}. Ask with it, or tune another base "
            "(localpers models list)."
        )
    needed = base.bytes + 2 * base.parameters + base.bytes + REFERENCE_BYTES
    free = profile.free_bytes()
    if free < needed:
        kind, variable = ("memory", MEMORY) if profile.vault else ("disk", "LOCALPERS_HOME")
        raise LocalpersError(
            f"Tuning {base.name} needs {needed / 1e9:.1f} GB of {kind} for a while and "
            f"{free / 1e9:.1f} GB are free at {profile.files}: free some, or set {variable}."
        )
    return Preflight(
        base=base,
        device=device,
        checkpointing=needs_checkpointing(base, device),
        documents=len(documents),
        words=words,
        warnings=_warnings(base, languages),
    )


def guess_seconds(base: ModelInfo, device: Device, tokens: int) -> float:
    """How long training on `tokens` takes, prompts included: an order of magnitude."""
    rate = _CPU_TOKENS * threads() if device.name == "cpu" else _GPU_TOKENS
    return tokens / (rate * _STARTER / max(base.parameters, 1))


def most_tokens(base: ModelInfo, device: Device, seconds: float) -> float:
    """More tokens than the device could learn from in `seconds`: no need to make more examples."""
    generous = 3.0
    return generous * seconds / guess_seconds(base, device, 1)


def _warnings(base: ModelInfo, languages: Mapping[str, float]) -> tuple[str, ...]:
    known = set(base.languages)
    foreign = {name: share for name, share in languages.items() if name and name not in known}
    if not known or sum(foreign.values()) <= FOREIGN_SHARE:
        return ()
    named = ", ".join(f"{name} {share:.0%}" for name, share in sorted(foreign.items()))
    return (
        f"{base.name} was made for {', '.join(base.languages)}, and your notes are partly in other "
        f"languages ({named}): a base that speaks them will write better "
        "('localpers models list').",
    )
