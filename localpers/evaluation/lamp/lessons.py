"""What a profile teaches: answers after retrieved items, and after the question alone.

A prompt of k items and the question holds k + 1 answers as a prompt with retrieved items has them,
and every one of them is an example: the first without any items before it, the last with k. One
prompt is read for all of them where the base reads it, which makes an example cost a fraction of a
prompt of its own. But items in a prompt are short: an answer that is learned only there is not
learned as a question asks for it, with its whole text and nothing before it. So each item is
learned that way too.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random

from localpers.datatypes import Message, TokenizedExample
from localpers.evaluation.lamp.answering import Desk
from localpers.evaluation.lamp.prompts import Pair
from localpers.weights.tokenizer import Tokenizer

NEAREST = 12
"""Among so many, items that no prompt holds yet are preferred."""


def examples_of(desk: Desk, tokenizer: Tokenizer) -> Iterator[TokenizedExample]:
    """Examples of every item with others before it, as far as prompts have room, and of every item
    alone, none twice. Those of one prompt follow one another, then come the same items alone: the
    first of all examples, for which there is time, teach both.
    """
    given: set[TokenizedExample] = set()
    for example in _lessons(desk, tokenizer):
        if example not in given:
            given.add(example)
            yield example


def _lessons(desk: Desk, tokenizer: Tokenizer) -> Iterator[TokenizedExample]:
    learned: set[int] = set()
    for number in _order(desk):
        pair = desk.pair(number)
        if number in learned or pair is None:
            continue
        taught = {number}
        for numbers, example in _with_items(desk, tokenizer, number, pair, frozenset(learned)):
            taught |= numbers
            yield example
        for one in sorted(taught - learned, reverse=True):
            yield from _alone(desk, tokenizer, one)
        learned |= taught


def _with_items(
    desk: Desk, tokenizer: Tokenizer, number: int, pair: Pair, learned: frozenset[int]
) -> Iterator[tuple[set[int], TokenizedExample]]:
    """(items that it teaches, example) for every answer in the prompt of item `number`."""
    profile = desk.user.profile
    near = _before(desk, number, pair.query, learned)
    room = _room(desk, tokenizer, pair)
    items = [profile[other] for other in near]
    messages = desk.prompter.messages(pair.input, items, room=room)
    # What had to be shortened to find room would teach to end early.
    whole = {pair.answer: {number}}
    for other in near:
        whole.setdefault(profile[other].wanted.strip(), set()).add(other)
    turns = (*messages, Message("assistant", pair.answer))
    for end in range(len(turns), 0, -1):
        turn = turns[end - 1]
        if turn.role == "assistant" and turn.content in whole:
            example = tokenizer.example_ids(turns[:end])
            if _fits(desk, example):
                yield whole[turn.content], example


def _alone(desk: Desk, tokenizer: Tokenizer, number: int) -> Iterator[TokenizedExample]:
    """The answer of item `number` after its question and nothing else, where it is one."""
    pair = desk.pair(number)
    if pair is None:
        return
    messages = desk.prompter.messages(pair.input, (), room=_room(desk, tokenizer, pair))
    example = tokenizer.example_ids((*messages, Message("assistant", pair.answer)))
    if _fits(desk, example):
        yield example


def _room(desk: Desk, tokenizer: Tokenizer, pair: Pair) -> int:
    """Tokens that a prompt may have, with a few for what ends the answer."""
    return desk.settings.recipe.max_length - len(tokenizer.encode(pair.answer)) - 4


def _fits(desk: Desk, example: TokenizedExample) -> bool:
    return example.length <= desk.settings.recipe.max_length


def _order(desk: Desk) -> list[int]:
    """The profile's items by number: the latest first, by chance where nobody knows."""
    order = list(range(len(desk.user.profile)))
    if not desk.user.has_dates:
        Random(f"{desk.settings.seed}:{desk.user.id}").shuffle(order)
    return order[::-1]


def _before(desk: Desk, number: int, query: str, learned: frozenset[int]) -> list[int]:
    """The items in the prompt of item `number`, best first."""
    nearest = list(islice(desk.retrieval.neighbours(number, query), NEAREST))
    task = desk.settings.task
    if task.wanted and not task.listed:
        # Each of them is learned where it stands; in a list none is.
        nearest.sort(key=learned.__contains__)
    return nearest[: desk.settings.form.passages]
