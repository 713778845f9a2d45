"""LoRA: low-rank adaptation (Hu et al., 2021, https://arxiv.org/abs/2106.09685)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from localpers.errors import LocalpersError
from localpers.tuning.device import import_torch

if TYPE_CHECKING:
    from localpers.tuning.recipe import Recipe
    from localpers.tuning.torch_base import LoadedBase
    from localpers.weights.adapter import LoraAdapter


class Lora:
    """W + (alpha / rank) · B·A for every linear module, or for those that the recipe names."""

    name = "lora"
    mergeable = True
    loadable = True
    base_reads_prompt = False
    settings: Mapping[str, bool] = {}
    """Of peft's LoraConfig, for variants."""

    def build(self, base: LoadedBase, recipe: Recipe) -> Any:
        from peft import LoraConfig, get_peft_model

        config = LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            lora_dropout=recipe.dropout,
            target_modules=_targets(base, recipe, self.layers(recipe)),
            bias="none",
            task_type="CAUSAL_LM",
            **self.settings,
        )
        return get_peft_model(base.model, config)

    def layers(self, recipe: Recipe) -> float:
        """Share of the layers that are adapted, the upper ones."""
        return recipe.layers

    def export(self, model: Any, base: LoadedBase, base_sha256: str) -> LoraAdapter:
        from localpers.weights.adapter import LoraAdapter, LoraTensor

        config = model.peft_config["default"]
        tensors = tuple(
            LoraTensor(
                module=base.places[name].tensor,
                a=_numbers(module.lora_A["default"].weight),
                b=_numbers(module.lora_B["default"].weight),
                permuted=base.places[name].permuted,
                magnitude=self.magnitude(module),
            )
            for name, module in model.get_base_model().named_modules()
            if name in base.places and hasattr(module, "lora_A")
        )
        alpha = self.exported_alpha(config.lora_alpha, config.r)
        return LoraAdapter(tensors, float(alpha), int(config.r), base_sha256)

    def exported_alpha(self, alpha: float, rank: int) -> float:
        """The alpha whose ratio to the rank is the scale: what GGUF and llama.cpp expect."""
        return alpha

    def magnitude(self, module: Any) -> Any:
        """Lengths of the adapted matrix's rows, float32 [out]; None where they are not learned."""
        return None


def _numbers(parameter: Any) -> Any:
    return parameter.detach().float().cpu().numpy()


def _targets(base: LoadedBase, recipe: Recipe, layers: float) -> list[str]:
    places = _upper(base, layers)
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


def _upper(base: LoadedBase, share: float) -> list[str]:
    """The linear modules in the upper `share` of the layers, at least in the last one."""
    stack, layers = _decoder_layers(base.model)
    first = len(layers) - max(1, round(share * len(layers)))
    if not layers or first == 0:
        return list(base.places)
    above = tuple(f"{stack}.{number}." for number in range(first, len(layers)))
    return [name for name in base.places if name.startswith(above)]


def _decoder_layers(model: Any) -> tuple[str, Sequence[Any]]:
    """(name, layers) of the stack of layers; ("", ()) where there is none of the stated length."""
    torch = import_torch()
    expected = getattr(model.config, "num_hidden_layers", 0)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == expected:
            return name, list(module)
    return "", ()
