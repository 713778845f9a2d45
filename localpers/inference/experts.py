"""Several readings that write one text together: experts, and anti-experts with a weight below 0.

The next token's score is Σ weight · ln p over the experts (DExperts, Liu et al., 2021,
https://arxiv.org/abs/2105.03023). With the tuned model as expert and its base as anti-expert it is
contrastive decoding for personalization (CoPe, Bu et al., 2025, https://arxiv.org/abs/2506.12109).
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from localpers.inference.kv_cache import KeyValueCache
from localpers.weights.native import llama_cpp

PLAUSIBLE = 0.1
"""Of the likelihood of the experts' likeliest token, that a token must reach to be written: among
unlikely tokens, that the base likes them even less means nothing (Li et al., 2023,
https://arxiv.org/abs/2210.15097, 3.3)."""
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""llama_token_data."""


@dataclass(frozen=True, slots=True)
class Expert:
    """A prompt, whether the adapter takes part in answering it, and what its opinion counts."""

    prompt_ids: tuple[int, ...]
    adapted: bool
    weight: float


def contrasted(prompt_ids: Sequence[int], contrast: float) -> tuple[Expert, Expert]:
    """(1 + contrast) · ln p of the tuned model - contrast · ln p of its base, on one prompt."""
    prompt = tuple(prompt_ids)
    return Expert(prompt, True, 1 + contrast), Expert(prompt, False, -contrast)


def scores(logits: npt.NDArray[np.float32], weights: Sequence[float]) -> npt.NDArray[np.float32]:
    """[vocabulary] from the experts' logits [experts, vocabulary]: their weighted sum, which is
    Σ weight · ln p but for a constant; -inf for what no expert of positive weight finds PLAUSIBLE.
    """
    summed = np.asarray(weights, np.float32) @ logits
    if min(weights) >= 0:
        return np.asarray(summed)
    experts = logits[np.asarray(weights) > 0]
    highest = experts.max(axis=1, keepdims=True)
    log_p = experts - highest - np.log(np.exp(experts - highest).sum(axis=1, keepdims=True))
    likeliest = log_p.max(axis=0)
    plausible = likeliest >= likeliest.max() + np.log(PLAUSIBLE)
    return np.where(plausible, summed, np.float32(-np.inf))


class Panel:
    """Experts at work on one text: each reads every token that is written."""

    def __init__(
        self, cache: KeyValueCache, numbers: Sequence[int], experts: Sequence[Expert], chain: Any
    ) -> None:
        """`numbers` are their sequences in `cache`, which hold their prompts but the last tokens;
        `chain` is the sampler.
        """
        self._cache = cache
        self._numbers = numbers
        self._weights = [expert.weight for expert in experts]
        self._last = [expert.prompt_ids[-1] for expert in experts]
        self._chain = chain
        self._library = llama_cpp()

    def next_token(self) -> int:
        """The token that the sampler takes next."""
        if len(self._numbers) == 1:
            self._cache.append(self._numbers[0], self._last, outputs=1)
            token = self._library.llama_sampler_sample(self._chain, self._cache.context, -1)
        else:
            logits = self._cache.append_each(self._numbers, self._last)
            token = self._sampled(scores(logits, self._weights))
        self._last = [token] * len(self._last)
        return int(token)

    def _sampled(self, liked: npt.NDArray[np.float32]) -> int:
        candidates = np.zeros(len(liked), _CANDIDATE)
        candidates["id"] = np.arange(len(candidates))
        candidates["logit"] = liked
        pointer = candidates.ctypes.data_as(self._library.llama_token_data_p)
        array = self._library.llama_token_data_array(pointer, len(candidates), -1, False)
        self._library.llama_sampler_apply(self._chain, ctypes.byref(array))
        token = int(array.data[array.selected].id)
        self._library.llama_sampler_accept(self._chain, token)
        return token
