"""LoRA with fewer passes over memory than peft's, for the time of training; the same numbers.

peft computes the low-rank part beside the frozen one, in float32, and adds it. Here it is
accumulated into the product that is there already, in the base's own precision, and gradients take
the order in which the narrow matrices are read by rows. The weights themselves stay peft's, in
float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from localpers.tuning.device import import_torch


@contextmanager
def fused_lora(model: Any) -> Iterator[None]:
    """Within, forward and backward of the model's plain LoRA modules are fused.

    Those with dropout, several adapters or a variant of LoRA go on as they are.
    """
    modules = [module for module in model.modules() if _is_plain(module)]
    for module in modules:
        module.forward = _forward_of(module)
    try:
        yield
    finally:
        for module in modules:
            del module.forward


def _is_plain(module: Any) -> bool:
    from peft.tuners.lora.layer import Linear

    if not isinstance(module, Linear) or module.merged or module.disable_adapters:
        return False
    names = module.active_adapters
    if len(names) != 1 or names[0] not in module.lora_A or names[0] in module.lora_variant:
        return False
    torch = import_torch()
    plain = isinstance(module.lora_dropout[names[0]], torch.nn.Identity)
    return (
        plain
        and type(module.base_layer) is torch.nn.Linear
        and module.lora_B[names[0]].bias is None
    )


def _forward_of(module: Any) -> Callable[..., Any]:
    (name,) = module.active_adapters
    base, scale = module.base_layer, float(module.scaling[name])
    a, b = module.lora_A[name].weight, module.lora_B[name].weight
    function = _function()

    def forward(x: Any, *_: Any, **__: Any) -> Any:
        if module.disable_adapters:  # As where the base alone reads a prompt.
            return base(x)
        return function.apply(x, base.weight, base.bias, a, b, scale)

    return forward


@cache
def _function() -> Any:
    torch: Any = import_torch()

    class LoraLinear(torch.autograd.Function):  # type: ignore[misc]
        """x·Wᵀ + bias + scale·(x·Aᵀ)·Bᵀ of (x, W, bias, A, B, scale).

        W and bias are frozen; x is (…, in), A (rank, in), B (out, rank).
        """

        @staticmethod
        def forward(
            context: Any, x: Any, weight: Any, bias: Any, a: Any, b: Any, scale: float
        ) -> Any:
            flat = x.reshape(-1, x.shape[-1])
            low = (a.to(x.dtype) @ flat.t()).t()
            y = torch.nn.functional.linear(flat, weight, bias)
            y.addmm_(low, b.to(x.dtype).t(), alpha=scale)
            context.save_for_backward(x, weight, a, b, low)
            context.scale = scale
            return y.view(*x.shape[:-1], -1)

        @staticmethod
        def backward(context: Any, grad: Any) -> Any:
            x, weight, a, b, low = context.saved_tensors
            flat, above = x.reshape(-1, x.shape[-1]), grad.reshape(-1, grad.shape[-1])
            narrow = (above @ b.to(x.dtype)).mul_(context.scale)
            grad_a = (narrow.t() @ flat).to(a.dtype)
            grad_b = (low.t() @ above).t().mul(context.scale).to(b.dtype)
            grad_x = None
            if context.needs_input_grad[0]:
                grad_x = (above @ weight).addmm_(narrow, a.to(x.dtype)).view(x.shape)
            return grad_x, None, None, grad_a, grad_b, None

    return LoraLinear
