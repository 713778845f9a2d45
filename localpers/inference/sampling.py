"""The choice of the next token: llama.cpp's samplers, in one fixed order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localpers.weights.native import llama_cpp

REPEAT_PENALTY, REPEAT_LAST_TOKENS = 1.05, 128
"""Divides the positive logits of the last tokens (CTRL, https://arxiv.org/abs/1909.05858, 4.1)."""
DRY_MULTIPLIER, DRY_BASE, DRY_ALLOWED_LENGTH, DRY_LAST_TOKENS = 0.8, 1.75, 3, 1024
"""DRY ("don't repeat yourself", https://github.com/oobabooga/text-generation-webui/pull/5677)
penalises a token by multiplier·base^(n - allowed length) where it would lengthen to n tokens a
sequence that was generated before. It knows no breakers here: small models loop over whole lines.

Of eight greedy answers of the starter from notes, three repeated over 30% of their 4-word sequences
without either penalty (23% on average), none with both (0%). Neither looks at the prompt, so that
the words of the notes can be quoted."""
TOP_K, TOP_P, MIN_P = 40, 0.95, 0.05
"""llama.cpp's own defaults; of use only above temperature 0."""


@contextmanager
def sampler(vocab: Any, temperature: float, seed: int | None) -> Iterator[Any]:
    """A native sampler chain, freed at the end.

    Temperature 0 takes the most likely token after the penalties; `seed` None draws one.
    """
    library = llama_cpp()
    chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
    steps = [
        library.llama_sampler_init_penalties(
            library.llama_vocab_n_tokens(vocab), REPEAT_LAST_TOKENS, REPEAT_PENALTY, 0.0, 0.0
        ),
        library.llama_sampler_init_dry(
            vocab, DRY_MULTIPLIER, DRY_BASE, DRY_ALLOWED_LENGTH, DRY_LAST_TOKENS, None, 0
        ),
    ]
    if temperature > 0:
        steps += [
            library.llama_sampler_init_top_k(TOP_K),
            library.llama_sampler_init_top_p(TOP_P, 1),
            library.llama_sampler_init_min_p(MIN_P, 1),
            library.llama_sampler_init_temp(temperature),
            library.llama_sampler_init_dist(library.LLAMA_DEFAULT_SEED if seed is None else seed),
        ]
    else:
        steps.append(library.llama_sampler_init_greedy())
    for step in steps:
        library.llama_sampler_chain_add(chain, step)
    try:
        yield chain
    finally:
        library.llama_sampler_free(chain)
