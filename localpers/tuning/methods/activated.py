"""Activated LoRA: at work on answers alone (Greenewald et al., 2025,
https://arxiv.org/abs/2504.12397). Prompts stay as the base reads them, so they are read once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpers.tuning.methods.lora import Lora

if TYPE_CHECKING:
    from localpers.tuning.recipe import Recipe


class Activated(Lora):
    """Not mergeable: merged into the base, the adapter would read prompts too."""

    name = "activated"
    mergeable = False
    base_reads_prompt = True

    def layers(self, recipe: Recipe) -> float:
        return 1.0
