"""Form: a kind of answer, how it is asked for and what of the person's writing shows how."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from localpers.assistant.drafts import words
from localpers.assistant.forms.reading import first_line, label_in, rating_in
from localpers.datatypes import Pair, StoredDocument

LONGER_THAN_OWN = 1.25
"""An answer may be this many times as long as the 90th percentile of the person's own."""
MOST_TOKENS = 256
SAMPLE = 64
_LONGEST_REQUEST = 100
_LISTED_CHOICES = re.compile(r"\[([^\[\]]{3,2000})\]")


class AnswerKind(StrEnum):
    TEXT = "text"
    LABEL = "label"
    RATING = "rating"


def no_pairs(_document: StoredDocument) -> Iterator[Pair]:
    """For forms that the person's documents hold no examples of."""
    yield from ()


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of answer, one line long.

    `instruction` stands before the text to work on. `pairs` yields a document's own examples of the
    form. `listed` heads them where they are texts alone, and stand in a list, not as exchanges.
    `label` is put into the mouth of an untuned model without examples, which else continues the
    text. `longest` is in tokens; `usual_words` is the length of the person's own answers, 0 where
    unknown. `choices` are the answers allowed of a LABEL.

    `named_by` are words by which a user's own request for this form is recognized.
    """

    name: str
    instruction: str = ""
    kind: AnswerKind = AnswerKind.TEXT
    pairs: Callable[[StoredDocument], Iterator[Pair]] = no_pairs
    listed: str = ""
    label: str = ""
    longest: int = 48
    usual_words: float = 0.0
    choices: tuple[str, ...] = ()
    named_by: tuple[str, ...] = ()

    @property
    def contrastive(self) -> bool:
        """Whether several readings write together: texts whose examples are exchanges."""
        return self.kind is AnswerKind.TEXT and not self.listed

    def text_of(self, request: str) -> str:
        """The text to work on: `request` without an introduction that names the form and ends in
        a colon ("A title for this text: …").
        """
        if not self.named_by:
            return request
        names = "|".join(map(re.escape, self.named_by))
        introduction = rf"[^:\n]{{0,{_LONGEST_REQUEST}}}?\b(?:{names})\b[^:\n]{{0,40}}:\s+(?=\S)"
        found = re.match(introduction, request, re.IGNORECASE)
        return request[found.end() :] if found else request

    def for_request(self, request: str) -> Form:
        """With the choices that the request lists in brackets, if any."""
        if self.kind is not AnswerKind.LABEL or self.choices:
            return self
        return replace(self, choices=listed_choices(request))

    def fitted(self, own: Sequence[Pair], count_tokens: Callable[[str], int]) -> Form:
        """With the lengths of the person's own answers, in order of time: a text may be longer
        than `longest` where they are, in a language of many tokens a word for example.
        """
        answers = [pair.wanted or pair.given for pair in own]
        if not answers:
            return self
        usual = sum(len(words(answer)) for answer in answers) / len(answers)
        longest = self.longest
        if self.kind is AnswerKind.TEXT:
            lengths = sorted(map(count_tokens, answers[-SAMPLE:]))
            typical = lengths[int(0.9 * (len(lengths) - 1))]
            longest = max(longest, min(MOST_TOKENS, int(LONGER_THAN_OWN * typical)))
        return replace(self, longest=longest, usual_words=usual)

    def read(self, written: str) -> str:
        """The answer in what a model wrote: a line of text, one of `choices`, or a rating from 1 to
        5. What is no choice or rating is returned as it stands.
        """
        line = first_line(written)
        if self.kind is AnswerKind.RATING:
            return rating_in(line) or line
        if self.kind is AnswerKind.LABEL:
            return label_in(line, self.choices) or line
        return line


def listed_choices(text: str) -> tuple[str, ...]:
    """The choices in the first bracketed list of `text`, none where there is no list."""
    found = _LISTED_CHOICES.search(text)
    return tuple(one.strip() for one in found[1].split(",") if one.strip()) if found else ()
