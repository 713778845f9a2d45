"""The layers below the lowest adapted one: what they compute never changes, so it is kept.

A causal layer's output depends on the example alone. It is computed once per example, by itself
(so that it has the same bits in whichever batch and after whichever resumption it is needed), and
read back in every later pass. The model's own forward still runs, masks and positions included;
only these layers hand on what they are given instead of computing it. No architecture is known
here by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers.datatypes import TokenizedExample
from localpers.tuning.device import import_torch
from localpers.tuning.scratch import ScratchFile

TOLERANCE = 1e-2
"""Of the logits' spread, between a forward that reuses and one that computes."""


def decoder_layers(model: Any) -> tuple[str, Sequence[Any]]:
    """(name, layers) of the stack of layers; ("", ()) where there is none of the stated length."""
    torch = import_torch()
    wanted = getattr(model.config, "num_hidden_layers", 0)
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.ModuleList) and len(module) == wanted:
            return name, list(module)
    return "", ()


@contextmanager
def passing_on(layers: Sequence[Any], hidden: Any = None) -> Iterator[None]:
    """Within, `layers` compute nothing: they return `hidden`, or without it what they are given."""

    def forward(given: Any, *_: Any, **__: Any) -> Any:
        return given if hidden is None else hidden

    for layer in layers:
        layer.forward = forward
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _lowest_trained(model: Any, layers: Sequence[Any]) -> int:
    """The number of layers below every trainable parameter; 0 where some lie outside the layers."""
    trained = {id(p) for p in model.parameters() if p.requires_grad}
    inside = [{id(p) for p in layer.parameters()} & trained for layer in layers]
    if not trained or trained - set().union(*inside):
        return 0
    return next(number for number, found in enumerate(inside) if found)


@dataclass(frozen=True, slots=True)
class _Kept:
    offset: int
    shape: tuple[int, int]


class FrozenLayers:
    """Hidden states at the entry of the lowest trained layer, kept in a scratch file in `folder`.

    Examples for which it has no room are computed anew each time. `count` layers are reused; 0
    where there are none below, or where this model's layers need more of each other than hidden
    states.
    """

    def __init__(self, model: Any, device: str, folder: Path) -> None:
        self._torch = import_torch()
        self._model = model
        self._device = device
        _, self._layers = decoder_layers(model)
        self.count = _lowest_trained(model, self._layers)
        self._kept: dict[TokenizedExample, _Kept] = {}
        self._file = ScratchFile(folder)
        if self.count and not self._can_be_reused():
            self.count = 0

    def hidden(self, group: Sequence[TokenizedExample], width: int) -> Any:
        """(len(group), width, hidden size), zeros where an example has ended."""
        rows = [self._of(example) for example in group]
        together = rows[0].new_zeros(len(rows), width, rows[0].shape[-1])
        for row, found in zip(together, rows, strict=True):
            row[: len(found)] = found
        return together.to(self._device)

    @contextmanager
    def reused(self, hidden: Any) -> Iterator[None]:
        """Within, the model's forward begins at the lowest trained layer, with `hidden`."""
        with passing_on(self._layers[: self.count], hidden):
            yield

    def forget(self) -> None:
        """Let go of what is kept; it is computed anew if asked for."""
        self._kept.clear()
        self._file.forget()

    def _of(self, example: TokenizedExample) -> Any:
        kept = self._kept.get(example)
        if kept is not None:
            return self._read(kept)
        hidden = self._compute([*example.prompt, *example.completion])
        self._keep(example, hidden)
        return hidden

    def _compute(self, tokens: Sequence[int]) -> Any:
        """(tokens, hidden size) on the CPU."""
        torch = self._torch
        found: list[Any] = []
        watch = self._layers[self.count - 1].register_forward_hook(
            lambda _module, _given, output: found.append(output)
        )
        ids = torch.tensor([tokens], device=self._device)
        try:
            with torch.no_grad(), passing_on(self._layers[self.count :]):
                self._model(input_ids=ids, logits_to_keep=1, use_cache=False)
        finally:
            watch.remove()
        return found[0][0].cpu()

    def _keep(self, example: TokenizedExample, hidden: Any) -> None:
        offset = self._file.append([hidden.contiguous().view(self._torch.uint8).numpy()])
        if offset is not None:
            self._kept[example] = _Kept(offset, tuple(hidden.shape))

    def _read(self, kept: _Kept) -> Any:
        dtype = self._model.dtype
        content = self._file.read(kept.offset, kept.shape[0] * kept.shape[1] * dtype.itemsize)
        return self._torch.frombuffer(content, dtype=dtype).view(kept.shape)

    def _can_be_reused(self) -> bool:
        """Whether the rest of the model, given the hidden states, computes what the whole does.

        Not so where upper layers also read keys or embeddings of lower ones.
        """
        tokens = list(range(2, 18))
        ids = self._torch.tensor([tokens], device=self._device)
        with self._torch.no_grad():
            whole = self._model(input_ids=ids, use_cache=False).logits.float()
            try:
                hidden = self._compute(tokens)[None].to(self._device)
                with self.reused(hidden):
                    part = self._model(input_ids=ids, use_cache=False).logits.float()
            except (AttributeError, TypeError, ValueError, RuntimeError, IndexError):
                return False
        return bool((whole - part).abs().max() <= TOLERANCE * whole.std())
