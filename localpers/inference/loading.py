"""Getting a ServedModel into memory: as many layers on the GPU as fit, the rest mapped."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localpers.datatypes import ServedModel
from localpers.errors import LocalpersError, ModelNotFound, OutOfMemory, UnsupportedModel
from localpers.threads import threads
from localpers.weights.gguf_file import read_metadata
from localpers.weights.native import llama_cpp, open_adapter, open_model

FIRST_WINDOW = 4096
"""Tokens that the KV cache holds at first, at most; longer prompts make it grow."""
BATCH_TOKENS = 512
"""Prompt tokens computed in one step, at most."""
LEAST_BATCH_TOKENS = 32
"""Below it the processor spends its time on reading the weights."""
STEP_WORK = 6e10
"""Parameters times tokens of a step without a GPU: about a second on two cores. An interrupt waits
for one step. A fixed size, not a measured time, keeps answers the same from run to run."""
LOGITS_BYTES = 64 << 20
"""Bounds the logits kept at once: vocabularies reach 262,144 tokens."""
GPU_LAYERS = "LOCALPERS_GPU_LAYERS"
ALL_LAYERS = -1
SEQUENCES = 4
"""Prompts that the KV cache can hold at once; they share its room."""


@dataclass(slots=True)
class LoadedModel:
    """The native handles of a model, its context and its adapter, freed by `close`.

    `n_ctx` is the limit to which `reserve` grows the context.
    """

    model: Any
    adapter_scale: float
    n_ctx: int
    vocab: Any = field(init=False)
    rows: int = field(init=False)
    """Rows of logits that are kept at once, [rows, vocabulary]."""
    step: int = field(init=False)
    """Tokens computed at once."""
    context: Any = None
    adapter: Any = None
    adapted: bool = field(init=False, default=False)
    """Whether the adapter takes part now."""

    def __post_init__(self) -> None:
        library = llama_cpp()
        self.vocab = library.llama_model_get_vocab(self.model)
        self.step = BATCH_TOKENS
        if not library.llama_supports_gpu_offload():
            affordable = int(STEP_WORK / library.llama_model_n_params(self.model))
            self.step = max(LEAST_BATCH_TOKENS, min(BATCH_TOKENS, affordable))
        row_bytes = 4 * library.llama_vocab_n_tokens(self.vocab)
        self.rows = max(SEQUENCES, min(self.step, LOGITS_BYTES // row_bytes))

    @property
    def window(self) -> int:
        """Tokens for which the KV cache has room now, of all sequences together."""
        return int(llama_cpp().llama_n_ctx(self.context))

    def reserve(self, tokens: int) -> bool:
        """Make room for `tokens` in the KV cache; True if that emptied it.

        Raises OutOfMemory. A cache that does not fit the GPU any more is kept in main memory.
        """
        now = self.window
        if tokens <= now:
            return False
        # Several sequences may need more than the model reads of one.
        window = max(min(self.n_ctx, 2 * now), -(-tokens // self.step) * self.step)
        try:
            self.open_context(window)
        except OutOfMemory:
            self.open_context(window, on_gpu=False)
        return True

    def open_context(self, window: int, on_gpu: bool = True) -> None:
        """Replace the context by an empty one of `window` tokens. Raises OutOfMemory."""
        library = llama_cpp()
        self._free_context()
        parameters = library.llama_context_default_params()
        parameters.n_ctx = max(window, self.step)  # a batch may not exceed it
        parameters.n_batch = parameters.n_ubatch = self.step
        parameters.n_seq_max, parameters.kv_unified = SEQUENCES, True
        parameters.n_outputs_max = self.rows
        parameters.n_outputs_max_per_seq = self.rows
        parameters.n_threads = parameters.n_threads_batch = threads()
        parameters.offload_kqv = on_gpu
        self.context = library.llama_init_from_model(self.model, parameters)
        if not self.context:
            raise OutOfMemory(
                f"There is no memory for {window:,} tokens of context: close other programs, "
                "shorten the text, or choose a smaller base."
            )
        self.adapted = False
        self.switch_adapter(True)

    def switch_adapter(self, on: bool) -> None:
        """Let the adapter, if there is one, take part in what is computed from now on, or not."""
        if not self.adapter or on is self.adapted:
            return
        library = llama_cpp()
        self.adapted = on
        if on:
            adapters = (library.llama_adapter_lora_p_ctypes * 1)(self.adapter)
            scales = (ctypes.c_float * 1)(self.adapter_scale)
            library.llama_set_adapters_lora(self.context, adapters, 1, scales)
        else:
            library.llama_set_adapters_lora(self.context, None, 0, None)

    def close(self) -> None:
        """Free everything; safe to call twice."""
        library = llama_cpp()
        if self.adapter:
            if self.context:
                self.switch_adapter(False)
            library.llama_adapter_lora_free(self.adapter)
        self._free_context()
        if self.model:
            library.llama_model_free(self.model)
        self.model = self.vocab = self.adapter = None

    def _free_context(self) -> None:
        if self.context:
            llama_cpp().llama_free(self.context)
            self.context = None


def load(served: ServedModel, n_ctx: int = 0) -> LoadedModel:
    """Load model, adapter and a first context; `n_ctx` 0 is the limit that the model states.

    Raises ModelNotFound, UnsupportedModel and OutOfMemory.
    """
    for path in (served.model, served.adapter):
        if path is not None and not path.is_file():
            raise ModelNotFound(
                f"There is no file {path}: choose another run with --run, or tune again."
            )
    failure = None
    for layers in layers_to_try(served.model):
        try:
            return _load(served, n_ctx, layers)
        except (OutOfMemory, UnsupportedModel) as error:
            failure = error
    raise failure or AssertionError("no number of layers was tried")


def _load(served: ServedModel, n_ctx: int, gpu_layers: int) -> LoadedModel:
    library = llama_cpp()
    model = model_from(served.model, gpu_layers)
    limit = library.llama_model_n_ctx_train(model)
    loaded = LoadedModel(model, served.adapter_scale, min(n_ctx, limit) if n_ctx else limit)
    try:
        if served.adapter is not None:
            loaded.adapter = open_adapter(served.adapter, model)
        loaded.open_context(min(loaded.n_ctx, FIRST_WINDOW))
    except BaseException:
        loaded.close()
        raise
    return loaded


def model_from(path: Path, gpu_layers: int) -> Any:
    """The native handle of the model at `path`, mapped. Raises UnsupportedModel."""
    return open_model(path, gpu_layers, load_mode=llama_cpp().LLAMA_LOAD_MODE_MMAP)


def layers_to_try(model: Path) -> Iterator[int]:
    """How many layers to try to put on the GPU, in order: all, then half as many each time."""
    if stated := os.environ.get(GPU_LAYERS):
        try:
            yield int(stated)
        except ValueError:
            raise LocalpersError(
                f"{GPU_LAYERS} is '{stated}': set it to a number of layers, or unset it."
            ) from None
        return
    if llama_cpp().llama_supports_gpu_offload():
        yield ALL_LAYERS
        layers = read_metadata(model).layers
        while layers := layers // 2:
            yield layers
    yield 0
