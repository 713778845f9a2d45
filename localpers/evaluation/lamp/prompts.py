"""Messages for a question and the items that were retrieved for it; and training pairs.

The form of localpers' own: each item as an exchange in the task's own words, the question last.
Items that are no pairs of the task are listed before the question. `paper` is the string of the
protocol in one message. Lengths are in tokens, which every language has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from localpers.datatypes import Message
from localpers.evaluation.lamp.data import Item
from localpers.evaluation.lamp.tasks import (
    Task,
    after_first_title,
    query_of,
)
from localpers.weights.tokenizer import Tokenizer

TWEET_SHARE = (0.10, 0.25)
"""Of a tweet's words, given in training; the rest is to be written."""
FEWEST_TOKENS = 8
"""To which an item is shortened before items are left out."""
MISSING = "..."
"""Stands for a text that is left out."""
PAPER_TOKENS = 512
PAPER_INPUT_SHARE = 0.6
"""Of PAPER_TOKENS, that the input takes at most; the items share what is left equally."""


@dataclass(frozen=True, slots=True)
class Form:
    """How many items a prompt holds, and to how many tokens each is shortened; `own` is the length
    to which a training example's own text is, `answer` that of its answer.
    """

    passages: int = 4
    item: int = 56
    own: int = 192
    answer: int = 128


@dataclass(frozen=True, slots=True)
class Pair:
    """A training pair in the task's words; `query` is what retrieval looks for, as a question's is:
    never a part of the answer.
    """

    input: str
    query: str
    answer: str


class Prompter:
    """Builds the prompts of one task for one model; `room` is the most tokens of a prompt."""

    def __init__(
        self, task: Task, instruction: str, tokenizer: Tokenizer, form: Form, room: int
    ) -> None:
        self._task = task
        self._instruction = instruction
        self._tokenizer = tokenizer
        self._form = form
        self._room = room

    def messages(
        self, text: str, items: Sequence[Item], *, paper: bool = False, room: int = 0
    ) -> tuple[Message, ...]:
        """The prompt for the input `text` with items, best first, that fits `room` (by default
        that of the model): items are shortened alike, then left out, and only where none is left
        is the input shortened. The paper's prompt has items of one length; its input gives way.
        """
        usable = [item for item in items if item.given and (item.wanted or not self._task.wanted)]
        tokens = self._form.item
        while True:
            if paper:
                built: tuple[Message, ...] = (Message("user", self._paper(text, usable)),)
            else:
                built = self._built(text, usable, tokens)
            excess = len(self._tokenizer.prompt_ids(built)) - (room or self._room)
            if excess <= 0:
                return built
            if usable and not paper and tokens > FEWEST_TOKENS:
                tokens //= 2
            elif (not usable or paper) and (shorter := self._without(excess, text)):
                text = shorter
            elif usable:
                usable = usable[:-1]
            else:
                return built

    def without_text(self, text: str) -> tuple[Message, ...]:
        """The prompt for the input `text` as if its own text were missing."""
        query = query_of(self._task, self._instruction, text)
        return (Message("user", text.removesuffix(query) + MISSING),)

    @property
    def label(self) -> str:
        """What the answer of an untaught model begins with: "" where the inputs are not in the
        protocol's own words, and so perhaps in another language.
        """
        marker = self._task.marker
        return self._task.label if marker and marker in self._instruction else ""

    def _without(self, tokens: int, text: str) -> str:
        """An input that lacks about so many tokens of its query, "" where it is too short to. Of
        one without an instruction at its beginning, and of one that is all instruction, the
        beginning is kept.
        """
        query = query_of(self._task, self._instruction, text)
        for part in (query, text):
            left = max(FEWEST_TOKENS, len(self._tokenizer.encode(part)) - tokens)
            shorter = self.shortened(part, left)
            if part and text.endswith(part) and len(shorter) < len(part.strip()):
                return text.removesuffix(part) + shorter
        return ""

    def _built(self, text: str, items: Sequence[Item], tokens: int) -> tuple[Message, ...]:
        """The most similar item stands next to the question."""
        question = Message("user", text)
        nearest_last = list(reversed(items))
        if not items:
            return (question,)
        if self._task.listed:
            lines = "\n".join(f"- {self.shortened(item.given, tokens)}" for item in nearest_last)
            return (Message("user", f"{self._task.listed}\n{lines}\n\n{text}"),)
        instruction = self._instruction_of(text)
        turns: list[Message] = []
        for item in nearest_last:
            turns.append(Message("user", instruction + self.shortened(item.given, tokens)))
            turns.append(Message("assistant", self.shortened(item.wanted, tokens)))
        return (*turns, question)

    def _instruction_of(self, text: str) -> str:
        """The question's own instruction, else the one that all have, else the protocol's."""
        query = query_of(self._task, self._instruction, text)
        if text.endswith(query) and len(query) < len(text):
            return text.removesuffix(query)
        return self._instruction or self._task.request

    def _paper(self, text: str, items: Sequence[Item]) -> str:
        if not items:
            return text
        most = int(PAPER_TOKENS * PAPER_INPUT_SHARE)
        taken = min(len(self._tokenizer.encode(text)), most)
        share = max(FEWEST_TOKENS, (PAPER_TOKENS - taken) // len(items))
        parts = [self._paper_item(item, share) for item in items]
        if self._task.name == "LaMP_1":
            return after_first_title(text, ", and ".join(parts))
        return ", and ".join(parts) + self._task.paper_join + text

    def _paper_item(self, item: Item, share: int) -> str:
        frame = self._task.paper.format(given="", wanted=item.wanted)
        left = max(FEWEST_TOKENS, share - len(self._tokenizer.encode(frame)))
        return self._task.paper.format(given=self.shortened(item.given, left), wanted=item.wanted)

    def pair(self, number: int, item: Item, seed: int) -> Pair | None:
        """What item `number` of a profile teaches, None where it is too short to be a pair."""
        if self._task.wanted:
            own = self.shortened(item.given, self._form.own)
            request = self._task.request if self._task.listed else self._pair_instruction
            answer = self.shortened(item.wanted, self._form.answer)
            return Pair(request + own, item.given, answer) if own and answer else None
        text = self.shortened(item.given, self._form.answer + self._form.own)
        begin, rest = _split_tweet(text, Random(f"{seed}:{number}"))
        return Pair(self._task.request + begin, begin, rest) if begin and rest else None

    def stated(self, input: str, query: str, answer: str) -> Pair | None:
        """A pair in these words, None where there is no answer."""
        answer = self.shortened(answer, self._form.answer)
        return Pair(input, query, answer) if answer else None

    @property
    def _pair_instruction(self) -> str:
        return self._instruction or self._task.request

    def shortened(self, text: str, tokens: int) -> str:
        """The beginning of `text`, of at most so many tokens, cut between words if it has any."""
        text = text.strip()
        ids = self._tokenizer.encode(text)
        if len(ids) <= tokens:
            return text
        cut = self._tokenizer.decode(ids[:tokens]).strip().rstrip("\ufffd")
        words = cut.rsplit(maxsplit=1)
        return words[0] if len(words) == 2 and len(words[1]) < len(cut) // 2 else cut


def _split_tweet(text: str, chance: Random) -> tuple[str, str]:
    """(beginning, rest) between two words, or characters where a text knows no spaces."""
    words = text.split()
    by_word = len(words) > 3
    parts = words if by_word else list(text)
    given = max(1, round(len(parts) * chance.uniform(*TWEET_SHARE)))
    glue = " " if by_word else ""
    return glue.join(parts[:given]).strip(), glue.join(parts[given:]).strip()
