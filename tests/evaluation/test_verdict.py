"""The verdict on tiny models: equal files never win, better ones do, time bounds the examples."""

from __future__ import annotations

import math

import pytest

from localpers.datatypes import Example, Kind, Message, ServedModel
from localpers.evaluation.perplexity import Likelihood, measure
from localpers.evaluation.verdict import FASTER_IS_WORTH, FEWEST_EXAMPLES, _decide, judge
from localpers.weights.catalog import describe
from tests import tiny_gguf


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    folder = tmp_path_factory.mktemp("verdict")
    model = describe(tiny_gguf.build_tiny_model(folder / "llama.gguf", "llama"))
    return ServedModel(model, model.path)


def example(number: int) -> Example:
    messages = (Message("user", f"Write note {number}."), Message("assistant", "the river mill"))
    return Example(messages, "write_from_title", Kind.NOTE, number, str(number))


EXAMPLES = [example(number) for number in range(12)]


def test_perplexity_is_the_exponential_of_the_mean_over_tokens(base: ServedModel) -> None:
    found = measure(base, EXAMPLES[:3])
    nats = sum(nats for nats, _ in found.by_example)
    assert found.tokens == sum(tokens for _, tokens in found.by_example) > 0
    assert found.nll == pytest.approx(nats / found.tokens)
    assert found.perplexity == pytest.approx(math.exp(found.nll))


def test_a_file_that_is_the_base_itself_does_not_win(base: ServedModel) -> None:
    verdict = judge(base, {"merged": base, "adapter": base}, EXAMPLES)
    assert verdict.winner is None and "no better" in verdict.reason
    assert verdict.best == "merged"
    assert {len(found.by_example) for found in verdict.metrics.values()} == {len(EXAMPLES)}


def test_without_time_the_fewest_examples_are_measured(base: ServedModel) -> None:
    verdict = judge(base, {"merged": base}, EXAMPLES, seconds=0.0)
    assert {len(found.by_example) for found in verdict.metrics.values()} == {FEWEST_EXAMPLES}


def test_an_example_that_does_not_fit_the_window_counts_for_nothing(base: ServedModel) -> None:
    long = Example(
        (Message("user", "river " * 4000), Message("assistant", "mill")), "t", Kind.NOTE, 1, "x"
    )
    assert measure(base, [long]).by_example == ((0.0, 0),)
    assert judge(base, {"merged": base}, [long]).winner is None


@pytest.mark.parametrize(
    ("merged", "adapter", "best", "wins"),
    [
        (2.0, 1.5, "adapter", True),
        (1.5, 1.5 - FASTER_IS_WORTH / 2, "merged", True),
        (3.2, 3.1, "adapter", False),
        (3.0, 3.0, "merged", False),
    ],
)
def test_the_better_file_is_chosen_the_faster_one_if_they_are_alike(
    merged: float, adapter: float, best: str, wins: bool
) -> None:
    metrics = {
        name: Likelihood(((nll * 10, 10),))
        for name, nll in {"base": 3.0, "merged": merged, "adapter": adapter}.items()
    }
    verdict = _decide(metrics)
    assert verdict.best == best and verdict.winner == (best if wins else None)
