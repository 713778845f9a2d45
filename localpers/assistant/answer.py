"""What an Assistant returns: answers with their sources and timings."""

from __future__ import annotations

from dataclasses import dataclass

from localpers.datatypes import RetrievedPassage
from localpers.inference.engine import Finish


@dataclass(frozen=True, slots=True)
class Source:
    """A passage given to the model. `cited` by the model, or `attributed` to it afterwards."""

    number: int
    passage: RetrievedPassage
    cited: bool = False
    attributed: bool = False


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds. `first_token` and `total` count from the request."""

    retrieve: float = 0.0
    load: float = 0.0
    first_token: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `answered` is False where the assistant abstained.

    `found` counts the passages retrieved; `sources` are those that fit the prompt. `notice` is a
    line for the user about how the answer came about. Answers from few-shot examples have `drafts`,
    as the model wrote them; `text` is the answer in the one that was `kept`.
    """

    text: str
    sources: tuple[Source, ...] = ()
    answered: bool = True
    found: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish: Finish = Finish.STOP
    timings: Timings = Timings()
    notice: str = ""
    drafts: tuple[str, ...] = ()
    kept: int = 0
