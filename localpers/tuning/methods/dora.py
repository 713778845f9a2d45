"""DoRA: direction and magnitude of the weights apart (Liu et al., 2024,
https://arxiv.org/abs/2402.09353).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localpers.tuning.methods.lora import Lora


class Dora(Lora):
    """m · (W + s·B·A) / ‖W + s·B·A‖, the norm by output row and m learned.

    Served merged only: a llama.cpp adapter is a plain sum.
    """

    name = "dora"
    loadable = False
    settings: Mapping[str, bool] = {"use_dora": True}

    def magnitude(self, module: Any) -> Any:
        weight = module.lora_magnitude_vector["default"].weight
        return weight.detach().float().cpu().numpy()
