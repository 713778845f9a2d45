"""A request and its passages in, a cited answer out: what `ask` shows and evaluation measures."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from localpers.datatypes import RetrievedPassage
from localpers.errors import LocalpersError
from localpers.inference.attribution import Attributor, Lexicon
from localpers.inference.citations import CitationFilter
from localpers.inference.engine import Engine, Finish
from localpers.inference.experts import Expert, contrasted
from localpers.prompts import build_messages
from localpers.weights.tokenizer import Tokenizer

LEAST_TOKENS = 32
"""Room that a question must leave for its answer."""
PLAIN_STOPS = ("### Request", "### Answer")
"""Where an answer ends for a model without a chat template (prompts.PLAIN_TEMPLATE)."""


@dataclass(frozen=True, slots=True)
class Source:
    """A Passage of the prompt. `cited` by the model, or `attributed` to it afterwards."""

    number: int
    passage: RetrievedPassage
    cited: bool
    attributed: bool


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """The whole answer. Seconds count from the request; the first token ends the prefill."""

    text: str
    sources: tuple[Source, ...]
    prompt_tokens: int
    completion_tokens: int
    finish: Finish
    first_token_seconds: float
    seconds: float


def answer(
    engine: Engine,
    request: str,
    passages: Sequence[RetrievedPassage],
    lexicon: Lexicon | None,
    *,
    max_tokens: int,
    temperature: float = 0.0,
    seed: int | None = None,
    contrast: float = 0.0,
) -> Iterator[str | AnswerResult]:
    """Stream the answer in pieces of text, and at the end the AnswerResult.

    With `contrast` the engine's adapter writes against its base (experts.contrasted).

    `lexicon` is the index's, for attribution; None attributes nothing. Passages that do not fit
    the context window are left out, the last first; `sources` are those that stayed. Raises
    LocalpersError where the request alone does not fit, and what Engine.generate raises.
    """
    started = time.perf_counter()
    tokenizer = engine.tokenizer
    prompt_ids, given = fit_prompt(tokenizer, request, passages, engine.n_ctx, max_tokens)
    citations = CitationFilter(len(given), Attributor(given, lexicon))
    shown: list[str] = []
    finish = Finish.LENGTH
    tokens, first_token = 0, 0.0
    stops = PLAIN_STOPS if tokenizer.chat.source is None else ()
    alone = (Expert(tuple(prompt_ids), engine.adapted, 1.0),)
    experts = contrasted(prompt_ids, contrast) if contrast else alone
    for piece in engine.generate_together(experts, max_tokens, temperature, seed, stops):
        first_token = first_token or time.perf_counter() - started
        text = citations.feed(piece.text)
        if piece.finish is None:
            tokens += 1
        else:
            finish = piece.finish
            text += citations.finish()
        if text:
            shown.append(text)
            yield text
    yield AnswerResult(
        text="".join(shown),
        sources=tuple(
            Source(n, passage, n in citations.cited, n in citations.attributed)
            for n, passage in enumerate(given, 1)
        ),
        prompt_tokens=len(prompt_ids),
        completion_tokens=tokens,
        finish=finish,
        first_token_seconds=first_token,
        seconds=time.perf_counter() - started,
    )


def fit_prompt(
    tokenizer: Tokenizer,
    request: str,
    passages: Sequence[RetrievedPassage],
    n_ctx: int,
    max_tokens: int,
) -> tuple[list[int], Sequence[RetrievedPassage]]:
    """The prompt's tokens with as many of the first passages as fit, and those passages.

    A passage stays if `max_tokens` of answer (or a quarter of the window, where that is less) fit
    beside it. Raises LocalpersError where the request alone leaves less than LEAST_TOKENS.
    """
    answer_room = min(max_tokens, n_ctx // 4)
    for count in range(len(passages), 0, -1):
        given = passages[:count]
        prompt_ids = tokenizer.prompt_ids(build_messages(request, given))
        if len(prompt_ids) + answer_room <= n_ctx:
            return prompt_ids, given
    prompt_ids = tokenizer.prompt_ids(build_messages(request))
    if len(prompt_ids) + min(max_tokens, LEAST_TOKENS) > n_ctx:
        raise LocalpersError(
            f"The question has {len(prompt_ids):,} tokens and the model reads {n_ctx:,} with its "
            "answer: shorten it, or choose a base with a longer context (localpers models list)."
        )
    return prompt_ids, ()
