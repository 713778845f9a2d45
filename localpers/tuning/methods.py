"""Parameter-efficient methods behind one seam: each puts trainable weights around a frozen base."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from localpers.errors import LocalpersError
from localpers.tuning.recipe import Recipe
from localpers.tuning.torch_base import LoadedBase

Method = Callable[[LoadedBase, Recipe], Any]


def adapt(base: LoadedBase, recipe: Recipe) -> Any:
    """A peft model over the base by `recipe.method`, its start decided by the seed."""
    from localpers.tuning.device import import_torch

    import_torch().manual_seed(recipe.seed)
    return METHODS[recipe.method](base, recipe)


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
    if recipe.targets == "all-linear":
        return list(base.places)
    chosen = [name for name in base.places if name.rsplit(".", 1)[-1] in recipe.targets]
    if not chosen:
        known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in base.places}))
        raise LocalpersError(
            f"This base has no modules called {', '.join(recipe.targets)}: "
            f"name some of {known} in the recipe's 'targets'."
        )
    return chosen


METHODS: dict[str, Method] = {"lora": _lora}
