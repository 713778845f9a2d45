"""Exposure: bits by rank, over a model whose likelihoods are known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from localpers.datatypes import Message
from localpers.evaluation.exposure import CHANCE, Exposure, exposure
from localpers.inference.engine import Engine


class Letters:
    """A tokenizer and a model over letters: each costs as many nats as its place in `order`."""

    def __init__(self, order: str) -> None:
        self.tokenizer = self
        self._order = order

    def prompt_ids(self, messages: Sequence[Message]) -> list[int]:
        return self.encode("".join(message.content for message in messages))

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def log_likelihood(self, prompt: Sequence[int], completion: Sequence[int]) -> Any:
        return np.array([-float(self._order.index(chr(token))) for token in completion])


def measured(order: str, secret: str, others: Sequence[str]) -> Exposure:
    engine = cast(Engine, Letters(order))
    return exposure(engine, (Message("user", "code"),), "is ", secret, others)


@pytest.mark.parametrize(("secret", "rank"), [("a", 1), ("b", 2), ("d", 4)])
def test_bits_follow_the_rank(secret: str, rank: int) -> None:
    found = measured("abcd", secret, [letter for letter in "abcd" if letter != secret])
    assert (found.rank, found.candidates) == (rank, 4)
    assert found.bits == math.log2(4 / rank) and found.nats == rank - 1


def test_what_is_as_likely_counts_as_less_likely() -> None:
    assert measured("ab", "ab", ["ba", "ba", "aa"]).rank == 2


def test_chance_is_the_mean_over_uniform_ranks() -> None:
    number = 1 << 14
    mean = np.mean([Exposure(rank, number, 0.0).bits for rank in range(1, number + 1)])
    assert mean == pytest.approx(CHANCE, abs=0.01)
