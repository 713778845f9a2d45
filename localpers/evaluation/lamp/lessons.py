"""What a profile teaches: exchanges as a prompt with retrieved items has them, each answer learned.

A prompt of k items and the question holds k + 1 answers, and every one of them is an example: the
first without any items before it, the last with k. One prompt is read for all of them where the
base reads it, which makes an example cost a fraction of a prompt of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random

from localpers.datatypes import Message, TokenizedExample
from localpers.evaluation.lamp.answering import Desk
from localpers.tuning.recipe import Recipe
from localpers.weights.tokenizer import Tokenizer

NEAREST = 12
"""Among so many, items that no prompt holds yet are preferred."""


def examples_of(desk: Desk, tokenizer: Tokenizer) -> Iterator[TokenizedExample]:
    """Examples of every item at least once; those of one prompt follow one another.

    Items that prompts have in a list are learned one by one, with such a prompt and plain.
    """
    recipe, seed = desk.settings.recipe, desk.settings.seed
    order = list(range(len(desk.user.profile)))
    if not desk.user.has_dates:
        Random(f"{seed}:{desk.user.id}").shuffle(order)
    learned: set[int] = set()
    for number in reversed(order):
        if number in learned:
            continue
        pair = desk.prompter.pair(number, desk.user.profile[number], seed)
        if pair is None:
            continue
        near = _beside(desk, number, pair.query, learned)
        answer = Message("assistant", pair.answer)
        room = recipe.max_length - len(tokenizer.encode(pair.answer)) - 4
        items = [desk.user.profile[other] for other in near]
        prompt = desk.prompter.messages(pair.input, items, room=room)
        if _exchanged(desk):
            learned.update((number, *near))
            yield from _every_answer((*prompt, answer), tokenizer, recipe)
        else:
            plain = desk.prompter.messages(pair.input, ())
            for one in dict.fromkeys((prompt, plain)):
                yield from _every_answer((*one, answer), tokenizer, recipe)


def _beside(desk: Desk, number: int, query: str, learned: set[int]) -> list[int]:
    """The items in the prompt of item `number`, best first."""
    k = desk.settings.form.passages
    nearest = list(islice(desk.retrieval.neighbours(number, query), NEAREST))
    if _exchanged(desk):
        nearest.sort(key=learned.__contains__)
    return nearest[:k]


def _exchanged(desk: Desk) -> bool:
    """Whether items stand in a prompt as exchanges, not in a list."""
    return bool(desk.settings.task.wanted) and not desk.settings.task.listed


def _every_answer(
    messages: Sequence[Message], tokenizer: Tokenizer, recipe: Recipe
) -> Iterator[TokenizedExample]:
    """The longest first."""
    for end in range(len(messages), 0, -1):
        if messages[end - 1].role == "assistant":
            example = tokenizer.example_ids(messages[:end])
            if len(example.prompt) + len(example.completion) <= recipe.max_length:
                yield example
