"""What a profile teaches, as examples in tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from localpers.bench.lamp.context import RECIPE, RunContext
from localpers.bench.lamp.data import User
from localpers.bench.lamp.evaluator import UserEvaluator
from localpers.bench.lamp.tasks import TASKS
from localpers.datatypes import ModelInfo, Pair
from localpers.weights.tokenizer import Tokenizer

WORDS = "mill river honey drain onion garden north wall jar summer week pass"
SUBJECTS = WORDS.split()


def profile_of(count: int, dates: bool = False) -> tuple[Pair, ...]:
    return tuple(
        Pair(
            f"the {SUBJECTS[n % 12]} stood by the {SUBJECTS[(n + 3) % 12]} on day {n}",
            f"Title {n} of the {SUBJECTS[n % 12]}",
            f"2020-01-{n + 1:02}" if dates else "",
        )
        for n in range(count)
    )


def evaluator(
    task: str, profile: tuple[Pair, ...], tokenizer: Tokenizer, base: ModelInfo, k: int = 4
) -> UserEvaluator:
    context = RunContext(
        task=TASKS[task],
        instruction=TASKS[task].form.instruction,
        fingerprint="",
        base=base,
        recipe=RECIPE,
        k=k,
        contrast=0.5,
        budget=1.0,
        seed=0,
        device="cpu",
        folder=Path("unused"),
    )
    return UserEvaluator(context, tokenizer, User("a", profile, ()), None)


def lessons(
    profile: tuple[Pair, ...], tokenizer: Tokenizer, base: ModelInfo, passages: int = 4
) -> list[tuple[str, str]]:
    """(prompt, answer) of every example."""
    found = evaluator("LaMP_4", profile, tokenizer, base, passages).training_examples()
    return [(tokenizer.decode(one.prompt), tokenizer.decode(one.completion)) for one in found]


@pytest.mark.parametrize("dates", [False, True])
@pytest.mark.parametrize("count", [1, 3, 10, 31])
def test_every_item_is_learned_alone_and_most_with_others_before_it(
    tokenizer: Tokenizer, base: ModelInfo, count: int, dates: bool
) -> None:
    profile = profile_of(count, dates)
    found = lessons(profile, tokenizer, base)
    for item in profile:
        prompts = [prompt for prompt, answer in found if item.wanted in answer]
        assert any(item.given in prompt and "Title" not in prompt for prompt in prompts)
    assert len(set(found)) == len(found)
    for prompt, answer in found:
        # An answer never stands in its own prompt.
        assert not any(item.wanted in answer and item.wanted in prompt for item in profile)
    if count > 4:
        assert sum("Title" in prompt for prompt, _ in found) > len(profile) // 2


def test_the_first_lessons_hold_both_forms(tokenizer: Tokenizer, base: ModelInfo) -> None:
    found = lessons(profile_of(30), tokenizer, base)
    some = found[: len(found) // 3]
    assert 0.3 < sum("Title" in prompt for prompt, _ in some) / len(some) < 0.7


def test_with_dates_the_last_answer_has_earlier_items_before_it(
    tokenizer: Tokenizer, base: ModelInfo
) -> None:
    profile = profile_of(12, dates=True)
    longest = max(lessons(profile, tokenizer, base), key=lambda found: len(found[0]))
    (asked,) = (n for n, item in enumerate(profile) if item.wanted in longest[1])
    assert not any(item.wanted in longest[0] for item in profile[asked:])


def test_a_text_that_stands_twice_is_not_before_itself(
    tokenizer: Tokenizer, base: ModelInfo
) -> None:
    twice = tuple(replace(item, wanted="Title again") for item in profile_of(1)) * 2
    for prompt, answer in lessons((*profile_of(6), *twice), tokenizer, base):
        assert "again" not in prompt or "again" not in answer


def test_a_title_cut_to_find_room_is_not_learned(tokenizer: Tokenizer, base: ModelInfo) -> None:
    profile = tuple(
        replace(item, wanted=f"{item.wanted} {'on and ' * 60}on") for item in profile_of(8)
    )
    for _, answer in lessons(profile, tokenizer, base):
        assert "on and on and" in answer and len(answer) > 300


def test_neighbours_are_found_by_the_given_part_of_a_tweet_alone(
    tokenizer: Tokenizer, base: ModelInfo
) -> None:
    tweets = (
        "the river is low and bees sleep over honey jars in october",
        "old mill wheels turn",
        "honey jars in october",
        "the river floods",
    )
    found = evaluator("LaMP_7", tuple(Pair(tweet, "") for tweet in tweets), tokenizer, base)
    assert next(found.neighbours(0)) == 3
    prompt, _answer = min(
        (tokenizer.decode(one.prompt), tokenizer.decode(one.completion))
        for one in found.training_examples()
        if "october" in tokenizer.decode(one.completion)
    )
    assert "Complete the following tweet" in prompt and "honey jars in october" not in prompt
