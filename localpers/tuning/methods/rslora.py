"""rsLoRA: a scale that keeps high ranks stable (Kalajdzievski, 2023,
https://arxiv.org/abs/2312.03732).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from localpers.tuning.methods.lora import Lora


class RsLora(Lora):
    """W + (alpha / √rank) · B·A."""

    name = "rslora"
    settings: Mapping[str, bool] = {"use_rslora": True}

    def exported_alpha(self, alpha: float, rank: int) -> float:
        return alpha * math.sqrt(rank)
