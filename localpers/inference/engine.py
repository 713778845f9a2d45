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
from localpers.inference.ensemble import EnsembleDecoder, EnsembleMember
from localpers.inference.kv_cache import KeyValueCache, PromptSequence
from localpers.inference.loading import LoadedModel, load
from localpers.inference.sampling import sampler
from localpers.weights.native import llama_cpp
from localpers.weights.tokenizer import Tokenizer

BLANK_TOKENS = 32
"""Consecutive tokens without a letter or digit that end an answer."""


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
        return cls(load(served, n_ctx), served.base_reads_prompt)

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
        *,
        adapted: bool = True,
    ) -> Iterator[Piece]:
        """Stream the continuation of `prompt_ids`, up to but not including the first of `stop`.

        `adapted`: whether the adapter, if there is one, takes part. Temperature 0 takes the most
        likely token; `seed` None draws one. Ends at the model's end-of-generation token, after
        `max_tokens`, when the context window is full, or after BLANK_TOKENS tokens without a
        letter or digit: small models can get stuck in blank lines and rules, which repetition
        penalties do not catch. The pieces together are valid Unicode; undecodable bytes become
        U+FFFD. Raises LocalpersError for a prompt that is empty or fills the window.
        """
        member = EnsembleMember(tuple(prompt_ids), adapted, 1.0)
        return self.generate_ensemble([member], max_tokens, temperature, seed, stop)

    def generate_ensemble(
        self,
        members: Sequence[EnsembleMember],
        max_tokens: int,
        temperature: float = 0.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
    ) -> Iterator[Piece]:
        """As `generate`: one text from several weighted members, at most SEQUENCES of them."""
        for member in members:
            self._require_room(member.prompt_ids, 1)
        prompts = [PromptSequence(tuple(one.prompt_ids[:-1]), one.adapted) for one in members]
        longest = max(len(member.prompt_ids) for member in members)
        room = min(max_tokens, self.n_ctx - longest + 1)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        held = StopStrings(stop)
        finish = Finish.LENGTH if room == max_tokens else Finish.CONTEXT
        blank = 0
        with sampler(self._loaded.vocab, temperature, seed) as chain:
            decoding = EnsembleDecoder(self._cache, self._cache.open(prompts, room), members, chain)
            for _ in range(room):
                token = decoding.next_token()
                if self._library.llama_vocab_is_eog(self._loaded.vocab, token):
                    finish = Finish.STOP
                    break
                text = held.feed(decoder.decode(self._bytes_of(token)))
                yield Piece(text)
                blank = 0 if any(map(str.isalnum, text)) else blank + 1
                if held.met or blank == BLANK_TOKENS:
                    finish = Finish.STOP
                    break
        rest = "" if held.met else held.feed(decoder.decode(b"", final=True)) + held.rest()
        yield Piece(rest, finish)

    def log_likelihood(
        self, prompt_ids: Sequence[int], completion_ids: Sequence[int], *, adapted: bool = True
    ) -> npt.NDArray[np.float64]:
        """ln p of each completion token given all before it: float64 [len(completion_ids)].

        Raises LocalpersError for an empty prompt and where both together exceed the window.
        """
        if not completion_ids:
            return np.zeros(0)
        self._require_room(prompt_ids, len(completion_ids))
        prompt = PromptSequence(tuple(prompt_ids[:-1]), adapted)
        (number,) = self._cache.open([prompt], len(completion_ids))
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
