"""Encoder: an embedding model in llama.cpp. Texts in; unit vectors out.

It knows nothing of passages or databases. Any embedding GGUF works: how the vectors of the tokens
become one (mean, first or last token) is stated in the file; the mean is taken where it is not.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from localpers.datatypes import ModelInfo
from localpers.errors import ModelNotFound, OutOfMemory, UnsupportedModel
from localpers.inference.loading import layers_to_try, model_from
from localpers.threads import threads
from localpers.weights.native import llama_cpp

LONGEST_TEXT = 512
"""Tokens of a text that are read, at most: twice what a passage has."""
STEP_TOKENS = 512
"""Tokens of several texts computed at once. In an encoder every token of a step meets every other,
so that larger steps are slower."""
STEP_TEXTS = 32


class Encoder:
    """One loaded embedding model; use it as a context manager, from one thread."""

    def __init__(self, described: ModelInfo, model: Any) -> None:
        self.name = described.name
        self.sha256 = described.sha256
        self.query_prefix = described.query_prefix
        self.passage_prefix = described.passage_prefix
        self._model = model
        library = llama_cpp()
        self._vocab = library.llama_model_get_vocab(model)
        self.dimension = int(library.llama_model_n_embd(model))
        self._longest = min(LONGEST_TEXT, int(library.llama_model_n_ctx_train(model)))
        self._context = self._open_context()
        self._batch = library.llama_batch_init(STEP_TOKENS, 0, 1)

    @classmethod
    def open(cls, model: ModelInfo) -> Encoder:
        """Map the model. Raises ModelNotFound, UnsupportedModel and OutOfMemory."""
        return cls(model, _loaded(model.path))

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
        """Give the native memory back; safe to call twice."""
        library = llama_cpp()
        if self._model:
            library.llama_batch_free(self._batch)
            library.llama_free(self._context)
            library.llama_model_free(self._model)
            self._model = None

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """The texts' vectors of length 1: float32 [len(texts), dimension].

        A text is read up to LONGEST_TEXT tokens, or as far as the model reads; one without a token
        has the zero vector, which is like nothing. The digits of a text's vector depend a little
        (1e-3) on the texts computed beside it.
        """
        vectors = np.zeros((len(texts), self.dimension), np.float32)
        tokens = [self._tokens_of(text) for text in texts]
        # Texts of like length side by side fill the steps best.
        order = sorted(
            (at for at in range(len(texts)) if tokens[at]), key=lambda at: -len(tokens[at])
        )
        for step in _steps(order, tokens):
            vectors[step] = self._computed([tokens[at] for at in step])
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(lengths > 0, lengths, 1), np.float32)

    def _tokens_of(self, text: str) -> list[int]:
        """With what the model wants before and after a text, also where the text is cut."""
        data = text.encode("utf-8", "replace")
        size = len(data) + 8
        buffer = (ctypes.c_int32 * size)()
        count = llama_cpp().llama_tokenize(self._vocab, data, len(data), buffer, size, True, False)
        tokens = list(buffer[: max(count, 0)])
        return [*tokens[: self._longest - 1], tokens[-1]] if len(tokens) > self._longest else tokens

    def _computed(self, sequences: Sequence[Sequence[int]]) -> npt.NDArray[np.float32]:
        library = llama_cpp()
        if memory := library.llama_get_memory(self._context):
            library.llama_memory_clear(memory, True)
        at = 0
        for number, tokens in enumerate(sequences):
            for position, token in enumerate(tokens):
                self._batch.token[at] = token
                self._batch.pos[at] = position
                self._batch.n_seq_id[at] = 1
                self._batch.seq_id[at][0] = number
                self._batch.logits[at] = True
                at += 1
        self._batch.n_tokens = at
        if status := library.llama_decode(self._context, self._batch):
            raise OutOfMemory(
                f"llama.cpp could not compute the vectors (status {status}): close other programs, "
                "or set LOCALPERS_GPU_LAYERS=0, and run this again; it goes on where it stopped."
            )
        return np.stack([self._vector_of(number) for number in range(len(sequences))])

    def _vector_of(self, sequence: int) -> npt.NDArray[np.float32]:
        pointer = llama_cpp().llama_get_embeddings_seq(self._context, sequence)
        if not pointer:
            raise UnsupportedModel(
                f"{self.name} gives no vector for a text: choose another embedding model."
            )
        return np.ctypeslib.as_array(pointer, shape=(self.dimension,)).copy()

    def _open_context(self) -> Any:
        library = llama_cpp()
        parameters = library.llama_context_default_params()
        parameters.n_ctx = STEP_TEXTS * self._longest
        parameters.n_batch = parameters.n_ubatch = STEP_TOKENS
        parameters.n_seq_max = STEP_TEXTS
        parameters.kv_unified = True
        parameters.embeddings = True
        parameters.n_threads = parameters.n_threads_batch = threads()
        context = library.llama_init_from_model(self._model, parameters)
        if context and library.llama_pooling_type(context) == library.LLAMA_POOLING_TYPE_NONE:
            library.llama_free(context)
            parameters.pooling_type = library.LLAMA_POOLING_TYPE_MEAN
            context = library.llama_init_from_model(self._model, parameters)
        if not context:
            raise OutOfMemory(
                f"There is no memory for the embedding model {self.name}: close other programs."
            )
        return context


def _loaded(path: Path) -> Any:
    if not path.is_file():
        raise ModelNotFound(f"There is no file {path}: run 'localpers models list'.")
    *some, last = layers_to_try(path)
    for layers in some:
        try:
            return model_from(path, layers)
        except UnsupportedModel:
            continue
    return model_from(path, last)


def _steps(order: Sequence[int], tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Numbers of texts that fit one step together."""
    step: list[int] = []
    taken = 0
    for at in order:
        if step and (taken + len(tokens[at]) > STEP_TOKENS or len(step) == STEP_TEXTS):
            yield step
            step, taken = [], 0
        step.append(at)
        taken += len(tokens[at])
    if step:
        yield step
