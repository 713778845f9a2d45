"""The starter encoder as it was pulled: does it know what means the same?

It must be installed (`localpers models pull all-minilm-l6-v2`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from localpers.errors import ModelNotFound
from localpers.inference.encoder import Encoder
from localpers.weights.catalog import encoders, find

PAIRS = (
    ("How do I leave the editor?", "To quit vim, press escape and type :q!"),
    ("What did the doctor prescribe?", "She was given antibiotics at the clinic."),
    ("cheap places to eat", "An inexpensive restaurant near the station"),
    ("the car would not start", "My vehicle's engine was dead this morning"),
    ("undo my last commit", "git reset --soft HEAD~1 takes back what was committed"),
)
"""Pairs that share a meaning and hardly a word."""

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def encoder() -> Iterator[Encoder]:
    try:
        model = find(encoders()[0].name)
    except ModelNotFound:
        pytest.skip("the starter encoder is not installed: 'localpers models pull' gets it")
    with Encoder.open(model) as encoder:
        yield encoder


def test_questions_find_their_answers_by_meaning(encoder: Encoder) -> None:
    questions, answers = zip(*PAIRS, strict=True)
    similar = encoder.encode(questions) @ encoder.encode(answers).T
    assert encoder.dimension == 384
    assert list(np.argmax(similar, axis=1)) == list(range(len(PAIRS)))
