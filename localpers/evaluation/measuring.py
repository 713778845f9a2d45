"""One trial under one condition: how likely the person's words are, and what the model writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from localpers.assistant.generation import PLAIN_STOPS
from localpers.datatypes import RetrievedPassage
from localpers.errors import LocalpersError
from localpers.evaluation.trials import Trial, as_example
from localpers.inference.engine import Engine
from localpers.tuning.requests import Task
from localpers.weights.tokenizer import Tokenizer

TITLE_TOKENS = 24
TEXT_TOKENS = 64
"""The longest generation. Writing is slow, and what follows differs little from what precedes."""

_CITATION = re.compile(r"\s*\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\]")


@dataclass(frozen=True, slots=True)
class Measurement:
    """`nats` over `tokens` of the true text, the end of the answer included, which has `bytes`
    in UTF-8; all 0 where it does not fit the window. `text` is what the model wrote, None where
    it was not asked to.
    """

    nats: float
    tokens: int
    bytes: int
    text: str | None = None

    @property
    def nll(self) -> float:
        """Nats per token; tokens are the model's own."""
        return self.nats / max(self.tokens, 1)


def most_tokens(trial: Trial) -> int:
    """How long a generation for the trial may be, under every condition."""
    return TITLE_TOKENS if trial.task == Task.TITLE.value else TEXT_TOKENS


def reference(trial: Trial, tokenizer: Tokenizer) -> str:
    """As much of the true text as a generation may have tokens: what overlap is measured with."""
    return tokenizer.decode(tokenizer.encode(trial.completion)[: most_tokens(trial)]).strip()


def measure_trial(
    engine: Engine, trial: Trial, passages: Sequence[RetrievedPassage], *, generate: bool = True
) -> Measurement:
    """Measure one trial; the result does not depend on what the engine did before."""
    example = as_example(trial, passages, engine.tokenizer, engine.n_ctx)
    ids = engine.tokenizer.example_ids(example.messages)
    engine.forget()
    try:
        logs = engine.log_likelihood(ids.prompt, ids.completion)
    except LocalpersError:
        return Measurement(0.0, 0, 0, "" if generate else None)
    return Measurement(
        nats=-float(logs.sum()),
        tokens=len(ids.completion),
        bytes=len(trial.completion.encode("utf-8", "surrogatepass")),
        text=_written(engine, ids.prompt, most_tokens(trial)) if generate else None,
    )


def _written(engine: Engine, prompt: Sequence[int], most: int) -> str:
    """The greedy answer, without the citations that only a prompt with passages asks for."""
    stops = PLAIN_STOPS if engine.tokenizer.chat.source is None else ()
    pieces = engine.generate(prompt, min(most, engine.n_ctx - len(prompt)), stop=stops)
    return _CITATION.sub("", "".join(piece.text for piece in pieces)).strip()
