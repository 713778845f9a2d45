"""What a profile teaches: exchanges as a prompt with retrieved items has them, each answer learned.

A prompt of k items and the question holds k + 1 answers, and every one of them is an example: the
first without any items before it, the last with k. One prompt is read for all of them where the
base reads it, which makes an example cost a fraction of a prompt of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

from localpers.datatypes import Message, TokenizedExample
from localpers.evaluation.lamp.answering import Desk
from localpers.weights.tokenizer import Tokenizer

NEAREST = 12
"""Among so many, items that no prompt holds yet are preferred."""
SMALL = 5
"""A profile of fewer items is learned from plain prompts besides."""


def examples_of(desk: Desk, tokenizer: Tokenizer) -> Iterator[TokenizedExample]:
    """Examples of every item at least once; those of one prompt follow one another.

    Items that prompts have in a list are learned one by one, with such a prompt and plain.
    """
    recipe, profile = desk.settings.recipe, desk.user.profile
    small = len(profile) < SMALL
    learned: set[int] = set()
    for number in _order(desk):
        pair = desk.prompter.pair(number, profile[number], desk.settings.seed)
        if number in learned or pair is None:
            continue
        near = _before(desk, number, pair.query, learned)
        answer = Message("assistant", pair.answer)
        room = recipe.max_length - len(tokenizer.encode(pair.answer)) - 4
        items = [profile[other] for other in near]
        messages = (*desk.prompter.messages(pair.input, items, room=room), answer)
        # What had to be shortened to find room would teach to end early.
        whole = {pair.answer: {number}}
        for other in near:
            whole.setdefault(profile[other].wanted.strip(), set()).add(other)
        plain = (*desk.prompter.messages(pair.input, ()), answer)
        for one in (messages, plain) if small or not _exchanged(desk) else (messages,):
            for end in range(len(one), 0, -1):
                turn = one[end - 1]
                if turn.role != "assistant" or turn.content not in whole:
                    continue
                example = tokenizer.example_ids(one[:end])
                if len(example.prompt) + len(example.completion) <= recipe.max_length:
                    learned |= whole[turn.content]
                    yield example


def _order(desk: Desk) -> list[int]:
    """The profile's items by number: the latest first, by chance where nobody knows."""
    order = list(range(len(desk.user.profile)))
    if not desk.user.has_dates:
        Random(f"{desk.settings.seed}:{desk.user.id}").shuffle(order)
    return order[::-1]


def _before(desk: Desk, number: int, query: str, learned: set[int]) -> list[int]:
    """The items in the prompt of item `number`, best first."""
    nearest = list(islice(desk.retrieval.neighbours(number, query), NEAREST))
    if _exchanged(desk):
        nearest.sort(key=learned.__contains__)
    return nearest[: desk.settings.form.passages]


def _exchanged(desk: Desk) -> bool:
    """Whether items stand in a prompt as exchanges, not in a list."""
    return bool(desk.settings.task.wanted) and not desk.settings.task.listed
