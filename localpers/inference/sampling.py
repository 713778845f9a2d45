"""The choice of the next token: llama.cpp's samplers, in one fixed order."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from localpers.weights.native import llama_cpp

DRY_MULTIPLIER = 0.8
DRY_BASE = 1.75
DRY_ALLOWED_LENGTH = 4
DRY_LAST_TOKENS = 1024
"""DRY ("don't repeat yourself", https://github.com/oobabooga/text-generation-webui/pull/5677)
penalises a token by multiplier·base^(n - allowed length) where it would lengthen to n tokens a
sequence that was generated before. Single words, citations and names may come again, loops not."""
DRY_BREAKERS = (b"\n", b":", b'"', b"*")
TOP_K, TOP_P, MIN_P = 40, 0.95, 0.05
"""llama.cpp's own defaults; of use only above temperature 0."""


@contextmanager
def sampler(vocab: Any, temperature: float, seed: int | None) -> Iterator[Any]:
    """A native sampler chain, freed at the end.

    Temperature 0 takes the most likely token after the penalty; `seed` None draws one.
    """
    library = llama_cpp()
    chain = library.llama_sampler_chain_init(library.llama_sampler_chain_default_params())
    breakers = (ctypes.c_char_p * len(DRY_BREAKERS))(*DRY_BREAKERS)
    steps = [
        library.llama_sampler_init_dry(
            vocab,
            DRY_MULTIPLIER,
            DRY_BASE,
            DRY_ALLOWED_LENGTH,
            DRY_LAST_TOKENS,
            breakers,
            len(breakers),
        )
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
