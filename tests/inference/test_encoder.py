"""Embedding models: unit vectors, whatever the text and whatever stands beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from localpers.inference.encoder import Encoder
from localpers.weights.catalog import describe
from tests import tiny_bert


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encoder]:
    path = tiny_bert.build_tiny_encoder(tmp_path_factory.mktemp("encoder") / "tiny.gguf")
    with Encoder.open(describe(path)) as encoder:
        yield encoder


def test_vectors_have_length_1_and_do_not_depend_on_their_neighbours(encoder: Encoder) -> None:
    texts = ["the river", "bread and honey " * 60, "", "garden!", *["train"] * 70]
    together = encoder.encode(texts)
    assert together.shape == (len(texts), tiny_bert.HIDDEN)
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    for text, vector in zip(texts[:5], together, strict=False):
        assert encoder.encode([text])[0] @ vector > 0.9999


def test_texts_that_share_words_are_nearer(encoder: Encoder) -> None:
    river, same, other = encoder.encode(["the river mill", "river and mill", "honey, bread"])
    assert river @ same > river @ other


def test_a_long_text_is_cut_at_what_the_model_reads(encoder: Encoder) -> None:
    long, longer = encoder.encode(["honey " * 200, "honey " * 200 + "river " * 50])
    assert long @ longer > 0.9999


def test_a_model_that_states_no_pooling_gets_the_mean(tiny: Path) -> None:
    """`tiny` is a decoder: its file says nothing of embedding."""
    with Encoder.open(describe(tiny)) as encoder:
        vectors = encoder.encode(["the river was low", "a function that returns nothing"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] < 0.999
