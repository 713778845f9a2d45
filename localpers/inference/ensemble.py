"""Ensemble decoding: one text from several prompts, each with or without the adapter.

The next token's score is Σ weight · ln p over the members; a negative weight makes an anti-expert
(DExperts, Liu et al., 2021, https://arxiv.org/abs/2105.03023). The tuned model against its base is
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
"""Lowest probability of a candidate token, as a share of the likeliest token's: contrast between
unlikely tokens is noise (Li et al., 2023, https://arxiv.org/abs/2210.15097, section 3.3)."""
_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])
"""llama_token_data."""


@dataclass(frozen=True, slots=True)
class EnsembleMember:
    """A prompt, whether the adapter is on for it, and its weight."""

    prompt_ids: tuple[int, ...]
    adapted: bool
    weight: float


def contrasted(prompt_ids: Sequence[int], contrast: float) -> tuple[EnsembleMember, EnsembleMember]:
    """(1 + contrast) · ln p of the tuned model - contrast · ln p of its base, on one prompt."""
    prompt = tuple(prompt_ids)
    return EnsembleMember(prompt, True, 1 + contrast), EnsembleMember(prompt, False, -contrast)


def scores(logits: npt.NDArray[np.float32], weights: Sequence[float]) -> npt.NDArray[np.float32]:
    """[vocabulary] from the members' logits [members, vocabulary]: their weighted sum, which is
    Σ weight · ln p but for a constant; -inf where no member of positive weight is PLAUSIBLE.
    """
    summed = np.asarray(weights, np.float32) @ logits
    if min(weights) >= 0:
        return np.asarray(summed)
    members = logits[np.asarray(weights) > 0]
    highest = members.max(axis=1, keepdims=True)
    log_p = members - highest - np.log(np.exp(members - highest).sum(axis=1, keepdims=True))
    likeliest = log_p.max(axis=0)
    plausible = likeliest >= likeliest.max() + np.log(PLAUSIBLE)
    return np.where(plausible, summed, np.float32(-np.inf))


class EnsembleDecoder:
    """Decodes one text: every member reads every sampled token."""

    def __init__(
        self,
        cache: KeyValueCache,
        numbers: Sequence[int],
        members: Sequence[EnsembleMember],
        chain: Any,
    ) -> None:
        """`numbers` are the members' sequences in `cache`, each holding its prompt without the
        last token; `chain` is the sampler.
        """
        self._cache = cache
        self._numbers = numbers
        self._weights = [member.weight for member in members]
        self._last = [member.prompt_ids[-1] for member in members]
        self._chain = chain
        self._library = llama_cpp()

    def next_token(self) -> int:
        """Sample the next token."""
        if len(self._numbers) == 1:
            self._cache.append(self._numbers[0], self._last, outputs=1)
            token = self._library.llama_sampler_sample(self._chain, self._cache.context, -1)
        else:
            logits = self._cache.append_each(self._numbers, self._last)
            token = self._sample(scores(logits, self._weights))
        self._last = [token] * len(self._last)
        return int(token)

    def _sample(self, logits: npt.NDArray[np.float32]) -> int:
        candidates = np.zeros(len(logits), _CANDIDATE)
        candidates["id"] = np.arange(len(candidates))
        candidates["logit"] = logits
        pointer = candidates.ctypes.data_as(self._library.llama_token_data_p)
        array = self._library.llama_token_data_array(pointer, len(candidates), -1, False)
        self._library.llama_sampler_apply(self._chain, ctypes.byref(array))
        token = int(array.data[array.selected].id)
        self._library.llama_sampler_accept(self._chain, token)
        return token
