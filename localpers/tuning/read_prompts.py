"""Prompts that the base alone has read: what an activated adapter begins from.

An adapter that is at work on answers only (Greenewald et al., 2025, https://arxiv.org/abs/2504.12397)
leaves the keys and values of a prompt as the base makes them. They are computed once per prompt,
without gradients, and read back in every later pass, so that a pass costs the answers alone. Where
prompts are long and answers short, as for titles, that is most of the work.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers.datatypes import TokenizedExample
from localpers.tuning.device import import_torch
from localpers.tuning.scratch import ScratchFile

KeysValues = list[tuple[Any, Any]]
"""Per layer (keys, values), each (1, heads, tokens, head size), on the CPU."""


@dataclass(frozen=True, slots=True)
class _Kept:
    offset: int
    shapes: tuple[tuple[int, ...], ...]


class PromptStore:
    """Keys and values of prompts under one base, in a scratch file in `folder`.

    Prompts for which it has no room are read anew each time. What begins a prompt that is there is
    there too.
    """

    def __init__(self, folder: Path) -> None:
        self._torch = import_torch()
        self._kept: dict[tuple[int, ...], _Kept] = {}
        self._file = ScratchFile(folder)

    @property
    def full(self) -> bool:
        """Whether there is no room for more."""
        return self._file.full

    def __contains__(self, prompt: tuple[int, ...]) -> bool:
        return self._found(prompt) is not None

    def missing_share(self, examples: Sequence[TokenizedExample]) -> float:
        """Tokens that are yet to be read for these examples, of those that their prompts have."""
        prompts = [example.prompt[:-1] for example in examples]
        longest = set(longest_of(prompts).values())
        missing = sum(len(prompt) for prompt in longest if prompt not in self)
        return missing / max(sum(map(len, prompts)), 1)

    def put(self, prompt: tuple[int, ...], computed: KeysValues) -> None:
        """Keep them if there is room."""
        parts = [part.contiguous() for layer in computed for part in layer]
        offset = self._file.append([part.view(self._torch.uint8).numpy() for part in parts])
        if offset is not None:
            self._kept[prompt] = _Kept(offset, tuple(tuple(part.shape) for part in parts))

    def get(self, prompt: tuple[int, ...], dtype: Any) -> KeysValues | None:
        """They in `dtype`, which they were kept in; None where the prompt was not kept."""
        kept = self._found(prompt)
        if kept is None:
            return None
        offset = kept.offset
        parts = []
        for shape in kept.shapes:
            content = self._file.read(offset, dtype.itemsize * math.prod(shape))
            part = self._torch.frombuffer(content, dtype=dtype).view(shape)
            parts.append(part[:, :, : len(prompt)])
            offset += len(content)
        return list(zip(parts[::2], parts[1::2], strict=True))

    def _found(self, prompt: tuple[int, ...]) -> _Kept | None:
        if prompt not in self._kept:
            for longer, kept in self._kept.items():
                # A layer with a sliding window keeps only the end of a long prompt.
                whole = all(shape[2] == len(longer) for shape in kept.shapes)
                if whole and longer[: len(prompt)] == prompt:
                    self._kept[prompt] = kept
                    break
        return self._kept.get(prompt)

    def forget(self) -> None:
        """Let go of everything."""
        self._kept.clear()
        self._file.forget()


def longest_of(
    prompts: Iterable[tuple[int, ...]],
) -> dict[tuple[int, ...], tuple[int, ...]]:
    """For each prompt one of them that begins with it and begins no other, itself if none does."""
    found: dict[tuple[int, ...], tuple[int, ...]] = {}
    following: tuple[int, ...] | None = None
    # In this order a prompt's next one begins with it, if any does.
    for prompt in sorted(prompts, reverse=True):
        begins = following is not None and following[: len(prompt)] == prompt
        found[prompt] = found[following] if begins and following is not None else prompt
        following = prompt
    return found


class ReadPrompts:
    """Prompts as the base reads them, and a model's answers to them.

    The last token of a prompt belongs to the answer: it is the first that the adapter sees. What
    others have read into `store`, which must be of the same base, is not read again.
    """

    def __init__(
        self,
        model: Any,
        device: str,
        store: PromptStore,
        examples: Sequence[TokenizedExample] = (),
    ) -> None:
        """`examples` are those to come: prompts that begin another one's are read with it."""
        self._torch = import_torch()
        self._model = model
        self._device = device
        self._store = store
        self._longest = longest_of(example.prompt[:-1] for example in examples)

    def read(self, group: Sequence[TokenizedExample]) -> None:
        """Read the prompts of the group that were not read yet, if what is read can be kept."""
        for example in group:
            prompt = example.prompt[:-1]
            for wanted in (self._longest.get(prompt, prompt), prompt):
                if prompt not in self._store and not self._store.full:
                    self._store.put(wanted, self._compute(wanted))

    def compute(self, group: Sequence[TokenizedExample]) -> None:
        """Read the prompts of the group, whatever is kept, and keep nothing."""
        for example in group:
            self._compute(example.prompt[:-1])

    def answers(self, group: Sequence[TokenizedExample]) -> Any:
        """Logits (len(group), longest completion, vocabulary) at the completions' positions.

        Rows are padded at the end; prompts are aligned at their ends.
        """
        torch = self._torch
        read = [self._of(example.prompt[:-1]) for example in group]
        lengths = [len(example.prompt) - 1 for example in group]
        width, longest = max(lengths), max(len(example.completion) for example in group)
        ids = torch.zeros((len(group), longest), dtype=torch.long)
        mask = torch.ones((len(group), width + longest), dtype=torch.long)
        positions = torch.zeros((len(group), longest), dtype=torch.long)
        for row, example in enumerate(group):
            tokens = torch.tensor([example.prompt[-1], *example.completion[:-1]])
            ids[row, : len(tokens)] = tokens
            mask[row, : width - lengths[row]] = 0
            positions[row] = torch.arange(lengths[row], lengths[row] + longest)
        return self._model(
            input_ids=ids.to(self._device),
            attention_mask=mask.to(self._device),
            position_ids=positions.to(self._device),
            past_key_values=self._cache(read, width),
            use_cache=True,
        ).logits

    def forget(self) -> None:
        """Let go of what is kept; it is computed anew if asked for."""
        self._store.forget()

    def _cache(self, read: Sequence[KeysValues], width: int) -> Any:
        """One cache of all prompts, zeros before the beginnings of the shorter ones."""
        from transformers import DynamicCache

        cache = DynamicCache()
        for layer in range(len(read[0])):
            both = []
            for part in (0, 1):
                first = read[0][layer][part]
                together = first.new_zeros(len(read), first.shape[1], width, first.shape[3])
                for row, prompt in zip(together, read, strict=True):
                    found = prompt[layer][part][0]
                    row[:, width - found.shape[1] :] = found
                both.append(together.to(self._device))
            cache.update(both[0], both[1], layer)
        return cache

    def _of(self, prompt: tuple[int, ...]) -> KeysValues:
        return self._store.get(prompt, self._model.dtype) or self._compute(prompt)

    def _compute(self, prompt: tuple[int, ...]) -> KeysValues:
        torch = self._torch
        ids = torch.tensor([prompt], device=self._device)
        bare = getattr(self._model, "disable_adapter", nullcontext)
        with torch.no_grad(), bare():
            cache = self._model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
        return [(layer.keys.cpu(), layer.values.cpu()) for layer in cache.layers]
