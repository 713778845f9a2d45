"""One trial under one condition: how likely the person's words are, and what the model writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from localpers.assistant.assistant import Assistant
from localpers.assistant.options import AnswerOptions, resolve
from localpers.assistant.plan import ANSWER
from localpers.datatypes import RetrievedPassage
from localpers.errors import LocalpersError
from localpers.evaluation.trials import Trial
from localpers.tuning.requests import Task
from localpers.weights.tokenizer import Tokenizer

TITLE_TOKENS = 24
TEXT_TOKENS = 64
"""The longest generation: writing is slow, and later tokens differ little from earlier ones."""

_CITATION = re.compile(r"\s*\[\d{1,3}(?:\s*[,;]\s*\d{1,3})*\]")


@dataclass(frozen=True, slots=True)
class Measurement:
    """`nats` over the `tokens` of the true text and its end of turn; `bytes` of it in UTF-8. All 0
    where it does not fit the context window. `text` is what the model wrote, None if not asked to.
    """

    nats: float
    tokens: int
    bytes: int
    text: str | None = None


def most_tokens(trial: Trial) -> int:
    """The longest generation for the trial, under every condition."""
    return TITLE_TOKENS if trial.task == Task.TITLE.value else TEXT_TOKENS


def reference(trial: Trial, tokenizer: Tokenizer) -> str:
    """The first tokens of the true text, as many as a generation may have; texts are compared with
    it.
    """
    return tokenizer.decode(tokenizer.encode(trial.completion)[: most_tokens(trial)]).strip()


def find_passages(
    assistant: Assistant, query: str, options: AnswerOptions
) -> Sequence[RetrievedPassage]:
    """The passages for a prompt under `options`, as many as they ask for."""
    chosen = resolve(options, assistant.served)
    if not chosen.k:
        return ()
    return assistant.search(query, chosen.k, chosen.retriever, chosen.reranker)


def measure_trial(
    assistant: Assistant, trial: Trial, options: AnswerOptions, *, generate: bool = True
) -> Measurement:
    """Measure one trial; the result does not depend on what the assistant did before."""
    # The model's own writing is measured, with the passages in its prompt.
    options = replace(options, max_tokens=most_tokens(trial), form=ANSWER, quote=False)
    passages = find_passages(assistant, trial.query, options)
    assistant.reset()
    try:
        logs = assistant.answer_likelihood(
            trial.request, trial.completion, options, passages=passages
        )
        text = assistant.answer(trial.request, options, passages=passages).text if generate else ""
    except LocalpersError:
        return Measurement(0.0, 0, 0, "" if generate else None)
    return Measurement(
        nats=-float(logs.sum()),
        tokens=len(logs),
        bytes=len(trial.completion.encode("utf-8", "surrogatepass")),
        # Only a prompt with passages asks for citations, and the person wrote none.
        text=_CITATION.sub("", text).strip() if generate else None,
    )
