"""Does llama.cpp compute what torch computed? The torch side saves its logits, this side compares.

The folder of a reference: `tokens.json`, a list of `{"tokens": [...], "text": "..."}`, and beside
it `0000.npy`, `0001.npy`, ...: logits (or log-probabilities) as float [rows, vocabulary] at the
last `rows` positions of the sequence with that number. `text` is what the tokens were made of,
special tokens by name; empty where unknown.
"""

from __future__ import annotations

import ctypes
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from localpers.errors import ParityFailed, UnsupportedModel
from localpers.profile import write_atomically
from localpers.runs.records import Parity
from localpers.threads import threads
from localpers.weights.native import last_error, llama_cpp, open_adapter, open_model
from localpers.weights.tokenizer import Tokenizer

_SLICE = 64
"""Positions computed at once; bounds the memory for logits (64 MiB for 262,144 tokens)."""


@dataclass(frozen=True, slots=True)
class ReferenceSequence:
    tokens: tuple[int, ...]
    text: str
    logits: npt.NDArray[np.floating[Any]]


class ReferenceLogits:
    """A folder of sequences with the logits that torch computed for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index: list[dict[str, Any]] = []

    def add(self, tokens: list[int], logits: npt.NDArray[np.floating[Any]], text: str = "") -> None:
        """Store logits [rows, vocabulary] for the last `rows` positions of `tokens`."""
        np.save(self._array(len(self._index)), logits)
        self._index.append({"tokens": tokens, "text": text})
        write_atomically(self.folder / "tokens.json", json.dumps(self._index, ensure_ascii=False))

    def __iter__(self) -> Iterator[ReferenceSequence]:
        """Raises ParityFailed where nothing was stored."""
        try:
            index = json.loads((self.folder / "tokens.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ParityFailed(
                "There is nothing to compare with: the reference logits are missing. Tune again."
            ) from None
        for number, entry in enumerate(index):
            logits = np.load(self._array(number), mmap_mode="r", allow_pickle=False)
            yield ReferenceSequence(tuple(entry["tokens"]), entry["text"], logits)

    def _array(self, number: int) -> Path:
        return self.folder / f"{number:04d}.npy"


def parity(
    reference: ReferenceLogits, model: Path, adapter: Path | None = None, scale: float = 1.0
) -> Parity:
    """Compare the GGUF file `model`, with `adapter` at `scale` if there is one, to torch.

    Raises UnsupportedModel where llama.cpp cannot load a file, ParityFailed where the vocabularies
    differ or there is nothing to compare.
    """
    sequences = list(reference)
    if not sequences:
        raise ParityFailed("There is nothing to compare: the reference is empty. Tune again.")
    divergence, agreeing, positions = 0.0, 0, 0
    with _context(model, adapter, scale, max(len(s.tokens) for s in sequences)) as context:
        for sequence in sequences:
            first = len(sequence.tokens) - len(sequence.logits)
            for start, logits in _llama_logits(context, sequence.tokens, first):
                expected = sequence.logits[start - first : start - first + len(logits)]
                if expected.shape != logits.shape:
                    raise ParityFailed(
                        f"{model.name} has {logits.shape[1]} tokens, the trained model "
                        f"{expected.shape[1]}: use a base whose vocabulary is whole."
                    )
                ours, theirs = _log_softmax(expected), _log_softmax(logits)
                divergence += float((np.exp(ours) * (ours - theirs)).sum())
                agreeing += int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
                positions += len(logits)
    return Parity(
        mean_kl=divergence / positions,
        top1_agreement=agreeing / positions,
        positions=positions,
        tokens_equal=_tokens_equal(model, sequences),
    )


def _tokens_equal(model: Path, sequences: list[ReferenceSequence]) -> bool | None:
    written = [sequence for sequence in sequences if sequence.text]
    if not written:
        return None
    tokenizer = Tokenizer.open(model)
    return all(
        tuple(tokenizer.encode(sequence.text, special=True, bos=True)) == sequence.tokens
        for sequence in written
    )


def _log_softmax(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


@contextmanager
def _context(model: Path, adapter: Path | None, scale: float, length: int) -> Iterator[Any]:
    """A llama.cpp context over the model, freed at the end."""
    library = llama_cpp()
    handle = open_model(model)
    context = None
    try:
        context = _new_context(handle, length)
        if adapter is not None:
            _apply_adapter(handle, context, adapter, scale)
        yield context
    finally:
        if context:
            library.llama_free(context)
        library.llama_model_free(handle)


def _new_context(handle: Any, length: int) -> Any:
    library = llama_cpp()
    parameters = library.llama_context_default_params()
    parameters.n_ctx = length
    parameters.n_batch = parameters.n_ubatch = _SLICE
    # The file is on trial, not the kernels: flash attention and a half-precision cache add 1e-5
    # nats of their own.
    parameters.flash_attn_type = library.LLAMA_FLASH_ATTN_TYPE_DISABLED
    parameters.type_k = parameters.type_v = library.GGML_TYPE_F32
    parameters.n_threads = parameters.n_threads_batch = threads()
    context = library.llama_init_from_model(handle, parameters)
    if not context:
        raise UnsupportedModel(
            f"llama.cpp cannot hold a context of {length} tokens ({last_error()}): "
            "close other programs, or choose a smaller base."
        )
    return context


def _apply_adapter(handle: Any, context: Any, adapter: Path, scale: float) -> None:
    library = llama_cpp()
    adapters = (library.llama_adapter_lora_p_ctypes * 1)(open_adapter(adapter, handle))
    library.llama_set_adapters_lora(context, adapters, 1, (ctypes.c_float * 1)(scale))


def _llama_logits(
    context: Any, tokens: tuple[int, ...], first: int
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """(position, logits [positions, vocabulary]) by slices, for the positions from `first` on."""
    library = llama_cpp()
    library.llama_memory_clear(library.llama_get_memory(context), True)
    vocabulary = library.llama_vocab_n_tokens(
        library.llama_model_get_vocab(library.llama_get_model(context))
    )
    batch = library.llama_batch_init(_SLICE, 0, 1)
    try:
        for start in range(0, len(tokens), _SLICE):
            part = tokens[start : start + _SLICE]
            batch.n_tokens = len(part)
            for at, token in enumerate(part):
                batch.token[at], batch.pos[at] = token, start + at
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, 0
                batch.logits[at] = start + at >= first
            if library.llama_decode(context, batch):
                raise ParityFailed(f"llama.cpp failed to compute ({last_error()}): try it again.")
            wanted = [at for at in range(len(part)) if start + at >= first]
            if wanted:
                rows = [
                    np.ctypeslib.as_array(
                        library.llama_get_logits_ith(context, at), shape=(vocabulary,)
                    )
                    for at in wanted
                ]
                yield start + wanted[0], np.stack(rows)
    finally:
        library.llama_batch_free(batch)
