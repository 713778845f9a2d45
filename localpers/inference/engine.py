"""Engine: llama.cpp over one ServedModel. Token ids in; pieces of text or log-likelihoods out.

It knows nothing of notes, prompts or citations. llama.cpp's own functions are called instead of
the wrapper class `Llama`, which copies every row of logits, knows no DRY sampler and cannot put an
adapter on a memory-mapped model.
"""

from __future__ import annotations

import codecs
import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from localpers.datatypes import ServedModel
from localpers.errors import LocalpersError
from localpers.inference.experts import Expert, Panel
from localpers.inference.kv_cache import KeyValueCache, Reading
from localpers.inference.loading import LoadedModel, load
from localpers.inference.sampling import sampler
from localpers.weights.native import llama_cpp
from localpers.weights.tokenizer import Tokenizer

MOST_BARREN = 32
"""Tokens without a letter or digit after which an answer has ended."""


class Finish(StrEnum):
    """Why an answer ended: by itself, at `max_tokens`, or with the context window full."""

    STOP = "stop"
    LENGTH = "length"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Piece:
    """The text of one generated token; empty while a character or a stop string is unfinished.

    The last Piece carries `finish` and no token of its own.
    """

    text: str
    finish: Finish | None = None


class Engine:
    """One loaded model and its KV cache; use it as a context manager, from one thread."""

    def __init__(self, loaded: LoadedModel, activated: bool = False) -> None:
        self.adapted = True
        """Whether the model's adapter, if it has one, takes part. Where it is activated (see
        ServedModel), prompts that were read stay good when this changes."""
        self._loaded = loaded
        self._library = llama_cpp()
        self._cache = KeyValueCache(loaded, activated)

    @classmethod
    def open(cls, served: ServedModel, n_ctx: int = 0) -> Engine:
        """Map the model and make ready for prompts and answers of `n_ctx` tokens together.

        0 stands for all that the model was trained for; memory is taken as it is needed.
        Raises UnsupportedModel where llama.cpp cannot load a file and OutOfMemory where it does
        not fit.
        """
        return cls(load(served, n_ctx), served.activated)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the native memory back; the Engine and its tokenizer are of no use afterwards."""
        if self._loaded.model:
            self._cache.close()
            self._loaded.close()

    @property
    def has_adapter(self) -> bool:
        return self._loaded.adapter is not None

    @property
    def n_ctx(self) -> int:
        """The most tokens that prompt and answer may have together."""
        return self._loaded.n_ctx

    @property
    def vocabulary(self) -> int:
        return int(self._library.llama_vocab_n_tokens(self._loaded.vocab))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The model's own Tokenizer, over the vocabulary that is loaded already."""
        template = self._library.llama_model_chat_template(self._loaded.model, None)
        return Tokenizer(self._loaded.vocab, template.decode() if template else None)

    def generate(
        self,
        prompt_ids: Sequence[int],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
    ) -> Iterator[Piece]:
        """Stream the continuation of `prompt_ids`, up to and without the first of `stop`.

        Temperature 0 takes the most likely token; `seed` None draws one. Ends at the model's
        end-of-generation token, after `max_tokens`, when the context window is full, or when
        MOST_BARREN tokens brought no letter or digit: small models can lose themselves in blank
        lines and rules, which penalties on repetition do not see. The texts
        together are valid Unicode; bytes that form no character become U+FFFD.
        Raises LocalpersError for a prompt that is empty or fills the window.
        """
        alone = Expert(tuple(prompt_ids), self.adapted, 1.0)
        return self.generate_together([alone], max_tokens, temperature, seed, stop)

    def generate_together(
        self,
        experts: Sequence[Expert],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
    ) -> Iterator[Piece]:
        """As `generate`, one text by several experts, of which there may be SEQUENCES."""
        for expert in experts:
            self._require_room(expert.prompt_ids, 1)
        readings = [Reading(tuple(one.prompt_ids[:-1]), one.adapted) for one in experts]
        longest = max(len(expert.prompt_ids) for expert in experts)
        room = min(max_tokens, self.n_ctx - longest + 1)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        held = StopStrings(stop)
        finish = Finish.LENGTH if room == max_tokens else Finish.CONTEXT
        barren = 0
        with sampler(self._loaded.vocab, temperature, seed) as chain:
            panel = Panel(self._cache, self._cache.open(readings, room), experts, chain)
            for _ in range(room):
                token = panel.next_token()
                if self._library.llama_vocab_is_eog(self._loaded.vocab, token):
                    finish = Finish.STOP
                    break
                text = held.feed(decoder.decode(self._bytes_of(token)))
                yield Piece(text)
                barren = 0 if any(map(str.isalnum, text)) else barren + 1
                if held.met or barren == MOST_BARREN:
                    finish = Finish.STOP
                    break
        rest = "" if held.met else held.feed(decoder.decode(b"", final=True)) + held.rest()
        yield Piece(rest, finish)

    def log_likelihood(
        self, prompt_ids: Sequence[int], completion_ids: Sequence[int]
    ) -> npt.NDArray[np.float64]:
        """ln p of each completion token given all before it: float64 [len(completion_ids)].

        Raises LocalpersError for an empty prompt and where both together exceed the window.
        """
        if not completion_ids:
            return np.zeros(0)
        self._require_room(prompt_ids, len(completion_ids))
        reading = Reading(tuple(prompt_ids[:-1]), self.adapted)
        (number,) = self._cache.open([reading], len(completion_ids))
        tokens = [prompt_ids[-1], *completion_ids[:-1]]
        parts = []
        for start in range(0, len(tokens), self._loaded.rows):
            part = tokens[start : start + self._loaded.rows]
            self._cache.append(number, part, outputs=len(part))
            targets = np.asarray(completion_ids[start : start + len(part)])
            parts.append(_log_probabilities(self._cache.logits(len(part)), targets))
        return np.concatenate(parts)

    def forget(self) -> None:
        """Empty the KV cache, so that what follows is computed as by an Engine just opened: how a
        prompt is cut into steps moves the last digits.
        """
        self._cache.forget()

    def _require_room(self, prompt_ids: Sequence[int], more: int) -> None:
        if not prompt_ids:
            raise LocalpersError("There is nothing to continue: write a prompt.")
        tokens = len(prompt_ids) + more
        if tokens > self.n_ctx:
            raise LocalpersError(
                f"The text needs {tokens:,} tokens and the model reads {self.n_ctx:,} at most: "
                "shorten it, or choose a base with a longer context."
            )

    def _bytes_of(self, token: int) -> bytes:
        """The bytes of a token; none for control tokens."""
        size = 64
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = self._library.llama_token_to_piece(
                self._loaded.vocab, token, buffer, size, 0, False
            )
            if count >= 0:
                return buffer.raw[:count]
            size = -count


def _log_probabilities(
    logits: npt.NDArray[np.float32], targets: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """ln p of `targets` [n] under logits [n, vocabulary]."""
    highest = logits.max(axis=1, keepdims=True)
    sums = np.exp(logits - highest).sum(axis=1, dtype=np.float64)
    chosen = logits[np.arange(len(targets)), targets] - highest[:, 0]
    return np.asarray(chosen - np.log(sums), np.float64)


class StopStrings:
    """Passes text on until one of `stop` appears, holding back what may be the beginning of one."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [text for text in stop if text]
        self._held = ""
        self.met = False

    def feed(self, text: str) -> str:
        """The part of the text so far that is certainly not stopped."""
        self._held += text
        found = [at for at in map(self._held.find, self._stop) if at >= 0]
        if found:
            self.met = True
            passed, self._held = self._held[: min(found)], ""
            return passed
        longest = max(map(len, self._stop), default=1) - 1
        keep = next(
            (
                size
                for size in range(min(longest, len(self._held)), 0, -1)
                if any(stop.startswith(self._held[-size:]) for stop in self._stop)
            ),
            0,
        )
        cut = len(self._held) - keep
        passed, self._held = self._held[:cut], self._held[cut:]
        return passed

    def rest(self) -> str:
        """What was held back when the text ended."""
        held, self._held = self._held, ""
        return held
