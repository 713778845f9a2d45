"""Cross-entropy of completions that keeps no float32 copy of the logits.

With a vocabulary of 50,000 to 260,000 words the logits of a few hundred tokens outweigh all other
activations, and torch keeps three such tensors in float32 (the copy, its log-softmax, their
gradient). Here the gradient is known when the loss is: softmax less one at the target, computed a
few rows at a time, in the logits' own precision (as in Liger Kernel; Hsu et al., 2024,
https://arxiv.org/abs/2410.10989).
"""

from __future__ import annotations

from functools import cache
from typing import Any

from localpers.tuning.device import import_torch

IGNORED = -100
"""The target of a position that is not learned (torch's convention)."""
AT_ONCE_BYTES = 16 << 20
"""Of float32 logits."""


def summed_loss(logits: Any, targets: Any) -> Any:
    """Sum of nats over the targets (…) that are not IGNORED, given logits (…, vocabulary); a
    float32 scalar to go backward from.
    """
    return _function().apply(logits.flatten(0, -2), targets.flatten())


@cache
def _function() -> Any:
    torch: Any = import_torch()

    class SummedLoss(torch.autograd.Function):  # type: ignore[misc]
        """The loss of (logits [rows, vocabulary], targets [rows])."""

        @staticmethod
        def forward(context: Any, logits: Any, targets: Any) -> Any:
            rows = max(1, AT_ONCE_BYTES // (4 * logits.shape[1]))
            gradient = torch.empty_like(logits)
            total = logits.new_zeros((), dtype=torch.float32)
            for some, into, wanted in zip(
                logits.split(rows), gradient.split(rows), targets.split(rows), strict=True
            ):
                ignored = (wanted == IGNORED)[:, None]
                target = wanted.clamp(min=0)[:, None]
                scores = some.float().log_softmax(-1)
                total -= scores.gather(1, target).masked_fill(ignored, 0).sum()
                scores.exp_().scatter_add_(1, target, scores.new_full(target.shape, -1.0))
                into.copy_(scores.masked_fill_(ignored, 0))
            context.save_for_backward(gradient)
            return total

        @staticmethod
        def backward(context: Any, grad: Any) -> Any:
            (gradient,) = context.saved_tensors
            return gradient.mul_(grad), None

    return SummedLoss
