"""The KV cache of one llama.cpp context: several sequences, and what is computed of each.

A prompt is computed from where it differs from a sequence that is there, so that prompts which
take turns are read once each. Sequences that begin alike share their cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from localpers.errors import OutOfMemory
from localpers.inference.loading import SEQUENCES, LoadedModel
from localpers.weights.native import llama_cpp


@dataclass(frozen=True, slots=True)
class PromptSequence:
    """A prompt but its last token, and whether the adapter takes part in what follows it."""

    tokens: tuple[int, ...]
    adapted: bool


@dataclass(slots=True)
class _Held:
    """What the cache holds of one sequence; the first `read` tokens were read by the base alone."""

    tokens: list[int] = field(default_factory=list)
    read: int = 0
    adapted: bool = False
    used: int = 0
    """When it was last asked for, by a counter."""


class KeyValueCache:
    """Sequences by number, at most SEQUENCES at once."""

    def __init__(self, loaded: LoadedModel, activated: bool) -> None:
        """With `activated` the base alone reads prompts (see ServedModel)."""
        self._loaded = loaded
        self._activated = activated
        self._library = llama_cpp()
        self._held = [_Held() for _ in range(SEQUENCES)]
        self._clock = 0
        self._batch = self._library.llama_batch_init(loaded.step, 0, 1)
        model = loaded.model
        # A recurrent state is that of a whole sequence.
        self._sharing = not (
            self._library.llama_model_is_recurrent(model)
            or self._library.llama_model_is_hybrid(model)
        )
        self._sliding_window = self._library.llama_model_n_swa(model)

    def close(self) -> None:
        """Give the native memory back."""
        self._library.llama_batch_free(self._batch)

    @property
    def context(self) -> Any:
        """llama.cpp's own."""
        return self._loaded.context

    def open(self, readings: Sequence[PromptSequence], room: int) -> list[int]:
        """The numbers of sequences that hold these readings and nothing more, computed where they
        are not there yet; each has room for `room` tokens more.
        """
        self._reserve(sum(len(reading.tokens) + room for reading in readings))
        self._clock += 1
        taken: list[int] = []
        for reading in readings:
            number = self._nearest(reading, taken)
            self._held[number].used = self._clock
            self._share(reading, number)
            taken.append(number)
            self._make_room(taken, sum(len(one.tokens) + room for one in readings))
            self._advance(reading, number)
        return taken

    def append(self, number: int, tokens: Sequence[int], outputs: int) -> None:
        """Compute `tokens` after sequence `number`; the last `outputs` of them get logits."""
        held = self._held[number]
        self._loaded.switch_adapter(held.adapted)
        first = len(tokens) - outputs
        for start in range(0, len(tokens), self._loaded.step):
            part = tokens[start : start + self._loaded.step]
            rows = [(number, token, start + at >= first) for at, token in enumerate(part)]
            self._decode(rows)

    def append_each(self, numbers: Sequence[int], tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """Compute one token after each sequence: the logits that follow, [numbers, vocabulary]."""
        found: dict[int, npt.NDArray[np.float32]] = {}
        # The adapter is switched once a token: each switch makes llama.cpp plan its graph again.
        for adapted in (self._loaded.adapted, not self._loaded.adapted):
            rows = [
                (number, token, True)
                for number, token in zip(numbers, tokens, strict=True)
                if self._held[number].adapted is adapted
            ]
            if rows:
                self._loaded.switch_adapter(adapted)
                self._decode(rows)
                group = [number for number, _, _ in rows]
                found.update(zip(group, self.logits(len(group)), strict=True))
        return np.stack([found[number] for number in numbers])

    def logits(self, rows: int) -> npt.NDArray[np.float32]:
        """A copy of the `rows` rows of logits of the last step, [rows, vocabulary]."""
        vocabulary = self._library.llama_vocab_n_tokens(self._loaded.vocab)
        pointer = self._library.llama_get_logits(self._loaded.context)
        return np.ctypeslib.as_array(pointer, shape=(rows, vocabulary)).copy()

    def forget(self) -> None:
        """Empty the cache."""
        for number in range(SEQUENCES):
            self._cut(number, 0)

    def _nearest(self, reading: PromptSequence, taken: Sequence[int]) -> int:
        """The sequence not taken that begins most like `reading`, if that keeps more of it than it
        loses, else the one longest unused: all prompts begin alike for a little.
        """
        free = [number for number in range(SEQUENCES) if number not in taken]
        nearest = max(free, key=lambda number: self._common(reading, number))
        common, held = self._common(reading, nearest), self._held[nearest]
        reusable = held.read if self._activated else len(held.tokens)
        if common > reusable - common:
            return nearest
        return min(free, key=lambda number: self._held[number].used)

    def _common(self, reading: PromptSequence, number: int) -> int:
        """How many of the reading's first tokens sequence `number` holds as they are wanted."""
        held = self._held[number]
        usable = held.tokens
        if self._activated:
            usable = held.tokens[: held.read]
        elif self._loaded.adapter and held.adapted is not reading.adapted:
            return 0
        common = 0
        for cached, token in zip(usable, reading.tokens, strict=False):
            if cached != token:
                break
            common += 1
        return common

    def _share(self, reading: PromptSequence, number: int) -> None:
        """Let sequence `number` begin with what another one holds of the reading."""
        other = max(range(SEQUENCES), key=lambda other: self._common(reading, other))
        common = self._common(reading, other)
        if not self._sharing or common <= self._common(reading, number):
            return
        if not self._is_whole(other, common):
            return
        self._cut(number, 0)
        memory = self._library.llama_get_memory(self._loaded.context)
        self._library.llama_memory_seq_cp(memory, other, number, 0, common)
        source, held = self._held[other], self._held[number]
        held.tokens = source.tokens[:common]
        held.read = min(source.read, common)
        held.adapted = source.adapted

    def _advance(self, reading: PromptSequence, number: int) -> None:
        held = self._held[number]
        self._cut(number, self._common(reading, number))
        held.adapted = reading.adapted and not self._activated
        self.append(number, reading.tokens[len(held.tokens) :], outputs=0)
        if self._activated:
            held.read = len(held.tokens)
        held.adapted = reading.adapted

    def _reserve(self, tokens: int) -> None:
        if self._loaded.reserve(tokens):
            self._held = [_Held() for _ in range(SEQUENCES)]

    def _make_room(self, taken: Sequence[int], tokens: int) -> None:
        """Forget sequences, the longest unused first, until `tokens` fit beside the others."""
        others = [number for number in range(SEQUENCES) if number not in taken]
        for number in sorted(others, key=lambda number: self._held[number].used):
            kept = sum(len(self._held[other].tokens) for other in others)
            if kept + tokens <= self._loaded.window:
                break
            self._cut(number, 0)

    def _cut(self, number: int, length: int) -> None:
        """Keep only the first `length` tokens of a sequence, or none where it can't be cut."""
        held = self._held[number]
        if length >= len(held.tokens):
            return
        memory = self._library.llama_get_memory(self._loaded.context)
        # A recurrent model cannot take a part back.
        removed = self._library.llama_memory_seq_rm(memory, number, length, -1)
        if not removed or not self._is_whole(number, length):
            self._library.llama_memory_seq_rm(memory, number, -1, -1)
            length = 0
        del held.tokens[length:]
        held.read = min(held.read, length)

    def _is_whole(self, number: int, length: int) -> bool:
        """Whether all is there that a token after the first `length` of a sequence looks at: cells
        that have left a sliding window may have been given to other sequences.
        """
        if not self._sliding_window or not length:
            return True
        memory = self._library.llama_get_memory(self._loaded.context)
        first = self._library.llama_memory_seq_pos_min(memory, number)
        return bool(0 <= first <= max(0, length - self._sliding_window))

    def _decode(self, rows: Sequence[tuple[int, int, bool]]) -> None:
        """One step of (sequence, token, whether it gets logits)."""
        added = [0] * SEQUENCES
        self._batch.n_tokens = len(rows)
        for at, (number, token, output) in enumerate(rows):
            self._batch.token[at] = token
            self._batch.pos[at] = len(self._held[number].tokens) + added[number]
            self._batch.n_seq_id[at] = 1
            self._batch.seq_id[at][0] = number
            self._batch.logits[at] = output
            added[number] += 1
        status = self._library.llama_decode(self._loaded.context, self._batch)
        if status:
            self.forget()
            raise OutOfMemory(
                f"llama.cpp could not compute the next step (status {status}): close other "
                "programs, or set LOCALPERS_GPU_LAYERS=0, and try again."
            )
        for number, token, _ in rows:
            self._held[number].tokens.append(token)
