"""Free generation from passages, with checked and attributed citations."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from localpers.assistant.answer import Answer, Source, Timings
from localpers.assistant.attribution import Attributor, Lexicon
from localpers.assistant.citations import CitationFilter
from localpers.assistant.conversation import Conversation
from localpers.assistant.options import ResolvedOptions
from localpers.datatypes import Message, RetrievedPassage
from localpers.inference.engine import Engine, Finish
from localpers.inference.ensemble import EnsembleMember, contrasted

PLAIN_STOPS = ("### Request", "### Answer")
"""End an answer of a model without a chat template (prompts.PLAIN_TEMPLATE)."""


def generate(
    engine: Engine,
    conversation: Conversation,
    messages: Sequence[Message],
    passages: Sequence[RetrievedPassage],
    lexicon: Lexicon | None,
    options: ResolvedOptions,
    started: float,
) -> Iterator[str | Answer]:
    """Stream the answer in pieces of text, and at the end the Answer. `started` is the
    time.perf_counter() of the request; `lexicon` None attributes nothing.

    Raises what Conversation.fit and Engine.generate raise.
    """
    tokenizer = engine.tokenizer
    ids, given = conversation.fit(tokenizer, messages, passages, engine.n_ctx, options.max_tokens)
    citations = CitationFilter(len(given), Attributor(given, lexicon))
    members: Sequence[EnsembleMember] = (EnsembleMember(tuple(ids), options.adapter, 1.0),)
    if options.contrast:
        members = contrasted(ids, options.contrast)
    stops = PLAIN_STOPS if tokenizer.chat.source is None else ()
    shown: list[str] = []
    finish = Finish.LENGTH
    tokens, first_token = 0, 0.0
    for piece in engine.generate_ensemble(
        members, options.max_tokens, options.temperature, options.seed, stops
    ):
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
    yield Answer(
        text="".join(shown),
        sources=tuple(
            Source(n, passage, n in citations.cited, n in citations.attributed)
            for n, passage in enumerate(given, 1)
        ),
        prompt_tokens=len(ids),
        completion_tokens=tokens,
        finish=finish,
        timings=Timings(first_token=first_token, total=time.perf_counter() - started),
    )
