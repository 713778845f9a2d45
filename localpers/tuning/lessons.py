"""Lessons: every answer in a few-shot prompt is an example, and every answer alone.

A prompt of k exchanges and a question holds k + 1 answers, the first with no example before it, the
last with k. One prompt is read for all of them where the base reads prompts, which makes an example
cost a fraction of a prompt of its own. But examples in a prompt are short: an answer that is
learned only there is not learned as a request asks for it, with its whole text and nothing before
it. So each is learned that way too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from localpers.datatypes import Message, Pair, TokenizedExample
from localpers.weights.tokenizer import Tokenizer

NEAREST = 12
"""Neighbours among which those that no prompt holds yet are preferred."""
END_TOKENS = 4
"""For what a template puts after an answer."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one of the person's items teaches: the answer `wanted` to `given`. `shown` is how the
    item stands in others' prompts.
    """

    given: str
    wanted: str
    shown: Pair


class Prompts(Protocol):
    """The few-shot prompts of a form, as they will be served."""

    def messages(self, text: str, examples: Sequence[Pair], room: int) -> tuple[Message, ...]:
        """The prompt for `text` in at most `room` tokens, examples best first."""

    def neighbours(self, number: int) -> Iterator[int]:
        """The items that may stand before item `number`, best first."""


@dataclass(frozen=True, slots=True)
class LessonPlan:
    """`items` are by number, None where an item teaches nothing; `order` is the order in which they
    are learned. `max_length` is in tokens; `k` is the number of examples in a prompt. In
    `exchanges`, every example in a prompt is an answer that is learned there.
    """

    items: Sequence[Lesson | None]
    order: Sequence[int]
    prompts: Prompts
    max_length: int
    k: int
    exchanges: bool = True


def lessons(plan: LessonPlan, tokenizer: Tokenizer) -> Iterator[TokenizedExample]:
    """Examples of every item with others before it, as far as prompts have room, and of every item
    alone, none twice. Those of one prompt follow one another, then come the same items alone: the
    first of all examples, for which there is time, teach both.
    """
    seen: set[TokenizedExample] = set()
    learned: set[int] = set()
    for number in plan.order:
        lesson = plan.items[number]
        if number in learned or lesson is None:
            continue
        taught = {number}
        found: list[TokenizedExample] = []
        for numbers, example in _with_examples(plan, tokenizer, number, lesson, learned):
            taught |= numbers
            found.append(example)
        for one in sorted(taught - learned, reverse=True):
            found += _alone(plan, tokenizer, plan.items[one])
        learned |= taught
        for example in found:
            if example not in seen:
                seen.add(example)
                yield example


def _with_examples(
    plan: LessonPlan, tokenizer: Tokenizer, number: int, lesson: Lesson, learned: set[int]
) -> Iterator[tuple[set[int], TokenizedExample]]:
    """(items that it teaches, example) for every answer in the prompt of item `number`."""
    near = list(islice(plan.prompts.neighbours(number), NEAREST))
    if plan.exchanges:
        near.sort(key=learned.__contains__)
    shown = [(other, item.shown) for other in near[: plan.k] if (item := plan.items[other])]
    examples = [pair for _, pair in shown]
    messages = plan.prompts.messages(lesson.given, examples, _room(plan, tokenizer, lesson))
    # What had to be shortened to find room would teach to end early.
    whole = {lesson.wanted: {number}}
    for other, pair in shown:
        whole.setdefault(pair.wanted.strip(), set()).add(other)
    turns = (*messages, Message("assistant", lesson.wanted))
    for end in range(len(turns), 0, -1):
        turn = turns[end - 1]
        if turn.role == "assistant" and turn.content in whole:
            example = tokenizer.example_ids(turns[:end])
            if example.length <= plan.max_length:
                yield whole[turn.content], example


def _alone(
    plan: LessonPlan, tokenizer: Tokenizer, lesson: Lesson | None
) -> Iterator[TokenizedExample]:
    if lesson is None:
        return
    messages = plan.prompts.messages(lesson.given, (), _room(plan, tokenizer, lesson))
    example = tokenizer.example_ids((*messages, Message("assistant", lesson.wanted)))
    if example.length <= plan.max_length:
        yield example


def _room(plan: LessonPlan, tokenizer: Tokenizer, lesson: Lesson) -> int:
    return plan.max_length - len(tokenizer.encode(lesson.wanted)) - END_TOKENS
