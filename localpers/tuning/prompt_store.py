"""Keys and values of prompts that one base has read, kept for later passes and other adapters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers.datatypes import TokenizedExample
from localpers.tuning.device import import_torch
from localpers.tuning.scratch import ScratchFile

KeysValues = list[tuple[Any, Any]]
"""Per layer (keys, values), each (1, heads, tokens, head size)."""


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
        """Tokens that are yet to be read for these examples, of those that their prompts have, for
        an activated adapter: all but the last one of each prompt.
        """
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

    def cut(self, prompt: tuple[int, ...], longer: tuple[int, ...]) -> None:
        """Have `prompt` from `longer`, which begins with it, if that is kept: of several that do,
        each was computed in a length of its own, and may differ in the last bits.
        """
        if longer in self._kept and self._whole(longer):
            self._kept[prompt] = self._kept[longer]

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
                if longer[: len(prompt)] == prompt and self._whole(longer):
                    self._kept[prompt] = kept
                    break
        return self._kept.get(prompt)

    def _whole(self, prompt: tuple[int, ...]) -> bool:
        """A layer with a sliding window keeps only the end of a long prompt."""
        return all(shape[2] >= len(prompt) for shape in self._kept[prompt].shapes)

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
