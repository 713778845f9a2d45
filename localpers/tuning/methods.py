"""Parameter-efficient methods behind one seam: each puts trainable weights around a frozen base."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from localpers.errors import LocalpersError
from localpers.tuning.device import import_torch
from localpers.tuning.recipe import Recipe
from localpers.tuning.torch_base import LoadedBase

Method = Callable[[LoadedBase, Recipe], Any]


def adapt(base: LoadedBase, recipe: Recipe) -> Any:
    """A peft model over the base by `recipe.method`, its start decided by the seed."""
    import_torch().manual_seed(recipe.seed)
    return METHODS[recipe.method](base, recipe)


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


def _lora(base: LoadedBase, recipe: Recipe) -> Any:
    """Low-rank adaptation (Hu et al., 2021) of every linear module, or of those named."""
    from peft import LoraConfig, get_peft_model

    targets = _targets(base, recipe)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=targets,
        bias="none",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(base.model, config)


def _targets(base: LoadedBase, recipe: Recipe) -> list[str]:
    places = _upper(base, 1.0 if recipe.method == "activated" else recipe.layers)
    if recipe.targets == "all-linear":
        return places
    chosen = [name for name in places if name.rsplit(".", 1)[-1] in recipe.targets]
    if not chosen:
        known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in base.places}))
        raise LocalpersError(
            f"This base has no modules called {', '.join(recipe.targets)}: "
            f"name some of {known} in the recipe's 'targets'."
        )
    return chosen


def _decoder_layers(model: Any) -> tuple[str, Sequence[Any]]:
    """(name, layers) of the stack of layers; ("", ()) where there is none of the stated length."""
    torch = import_torch()
    wanted = getattr(model.config, "num_hidden_layers", 0)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == wanted:
            return name, list(module)
    return "", ()


def _upper(base: LoadedBase, share: float) -> list[str]:
    """The linear modules in the upper `share` of the layers, at least in the last one."""
    stack, layers = _decoder_layers(base.model)
    first = len(layers) - max(1, round(share * len(layers)))
    if not layers or first == 0:
        return list(base.places)
    above = tuple(f"{stack}.{number}." for number in range(first, len(layers)))
    return [name for name in base.places if name.startswith(above)]


METHODS: dict[str, Method] = {"lora": _lora, "activated": _lora}
