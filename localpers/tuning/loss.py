"""Cross-entropy of completions that keeps no float32 copy of the logits.

With a vocabulary of 50,000 to 260,000 words the logits of a few hundred tokens outweigh all other
activations, and torch keeps three such tensors in float32 (the copy, its log-softmax, their
gradient). Here the gradient is known when the loss is: softmax less one at the target, computed a
few rows at a time, in the logits' own precision (as in Liger Kernel; Hsu et al., 2024,
https://arxiv.org/abs/2410.10989).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from localpers.datatypes import TokenizedExample
from localpers.tuning.device import import_torch

IGNORED = -100
"""The target of a position that is not learned (torch's convention)."""
AT_ONCE_BYTES = 16 << 20
"""Of float32 logits."""


def completion_targets(group: Sequence[TokenizedExample], begins: Sequence[int]) -> tuple[Any, int]:
    """(targets, first): row n holds what is to be learned at the positions `first` … of example n
    without its `begins`[n] first tokens, IGNORED where that is nothing. At `first` one of the
    completions begins.
    """
    torch = import_torch()
    starts = [len(e.prompt) - 1 - begin for e, begin in zip(group, begins, strict=True)]
    ends = [start + len(e.completion) for e, start in zip(group, starts, strict=True)]
    targets = torch.full((len(group), max(ends)), IGNORED, dtype=torch.long)
    for row, start, end, example in zip(targets, starts, ends, group, strict=True):
        row[start:end] = torch.tensor(example.completion)
    return targets[:, min(starts) :], min(starts)


def loss_and_gradient(logits: Any, targets: Any) -> tuple[float, Any]:
    """Sum of nats over the targets (…) that are not IGNORED, and what it is differentiated by the
    logits (…, vocabulary), of their shape and type.
    """
    torch = import_torch()
    flat = logits.detach().flatten(0, -2)
    rows = max(1, AT_ONCE_BYTES // (4 * flat.shape[1]))
    gradient = torch.empty_like(flat)
    nats = flat.new_zeros((), dtype=torch.float32)
    for some, into, wanted in zip(
        flat.split(rows), gradient.split(rows), targets.flatten().split(rows), strict=True
    ):
        ignored = (wanted == IGNORED)[:, None]
        target = wanted.clamp(min=0)[:, None]
        scores = some.float().log_softmax(-1)
        nats -= scores.gather(1, target).masked_fill(ignored, 0).sum()
        scores.exp_().scatter_add_(1, target, scores.new_full(target.shape, -1.0))
        into.copy_(scores.masked_fill_(ignored, 0))
    return float(nats), gradient.view_as(logits)
