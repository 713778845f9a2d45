"""Tuning methods: each puts trainable weights around a frozen base, and says how it is served.

To add one, write its class in a file of its own and add an instance to METHODS.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from localpers.tuning.device import import_torch
from localpers.tuning.methods.activated import Activated
from localpers.tuning.methods.dora import Dora
from localpers.tuning.methods.lora import Lora
from localpers.tuning.methods.rslora import RsLora

if TYPE_CHECKING:
    from localpers.tuning.recipe import Recipe
    from localpers.tuning.torch_base import LoadedBase
    from localpers.weights.adapter import LoraAdapter


class Method(Protocol):
    """How one method is trained, exported and served."""

    name: str
    mergeable: bool
    """Whether it can be merged into the base, and quantized."""
    loadable: bool
    """Whether llama.cpp loads it as an adapter beside the base, at any scale."""
    base_reads_prompt: bool
    """Whether prompts are read by the base alone, in training and in serving."""

    def build(self, base: LoadedBase, recipe: Recipe) -> Any:
        """A peft model over the base. Raises LocalpersError where the recipe does not fit it."""

    def export(self, model: Any, base: LoadedBase, base_sha256: str) -> LoraAdapter:
        """The trained matrices, each with the GGUF tensor that it belongs to."""


METHODS: dict[str, Method] = {
    method.name: method for method in (Lora(), Activated(), Dora(), RsLora())
}


def adapt(base: LoadedBase, recipe: Recipe) -> Any:
    """A peft model over the base by `recipe.method`, initialized from the seed."""
    import_torch().manual_seed(recipe.seed)
    return METHODS[recipe.method].build(base, recipe)


def detach(model: Any) -> Any:
    """Take the adapter off again; returns the bare base that `adapt` was given, ready for another.

    The base is the very object, its weights are untouched, and what training switched on in it
    (gradient checkpointing, hooks) is off.
    """
    base = model.unload()
    if hasattr(base, "peft_config"):
        del base.peft_config
    if getattr(base, "is_gradient_checkpointing", False):
        base.gradient_checkpointing_disable()
        base.disable_input_require_grads()
    base.requires_grad_(True)
    return base.eval()


@contextmanager
def adapted(base: LoadedBase, recipe: Recipe) -> Iterator[Any]:
    """`adapt` for the time of a block: many adapters can be trained on one loaded base."""
    model = adapt(base, recipe)
    try:
        yield model
    finally:
        detach(model)
