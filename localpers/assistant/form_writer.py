"""Answers of a form: few-shot exchanges, several drafts, the one that is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from localpers.assistant.answer import Answer, Timings
from localpers.assistant.drafts import best_draft, ensembles
from localpers.assistant.fewshot import MISSING, few_shot
from localpers.assistant.forms.form import AnswerKind, Form
from localpers.assistant.forms.reading import is_complete
from localpers.assistant.options import ResolvedOptions
from localpers.datatypes import Message, Pair
from localpers.inference.engine import Engine, Piece
from localpers.inference.ensemble import EnsembleMember


@dataclass(frozen=True, slots=True)
class _Prompt:
    """`begun` is the label that the answer goes on after."""

    messages: tuple[Message, ...]
    begun: str
    ids: tuple[int, ...]


class FormWriter:
    """Writes answers of one form to one request."""

    def __init__(
        self,
        engine: Engine,
        form: Form,
        options: ResolvedOptions,
        request: str,
        examples: Sequence[Pair],
        tuned: bool,
    ) -> None:
        """`examples` are best first; `tuned` says whether the model that answers was tuned."""
        self._engine = engine
        self._options = options
        self._form = form.fitted(examples, self._count_tokens) if not form.usual_words else form
        self._form = self._form.for_request(request)
        self._text = self._form.text_of(request)
        self._examples = examples
        self._room = max(engine.n_ctx - 2 * self._form.longest, engine.n_ctx // 2)
        label = "" if tuned or examples else self._form.label
        self._prompt = self._prompt_for(self._text, examples, label)

    def answer(self, started: float) -> Answer:
        """`started` is the time.perf_counter() of the request."""
        form, tokens, first_token = self._form, 0, 0.0
        drafts: list[str] = []
        for members in self._ensembles():
            written = ""
            for piece in self._generate(members):
                first_token = first_token or time.perf_counter() - started
                tokens += piece.finish is None
                written += piece.text
                if is_complete(written):
                    break
            drafts.append(written.strip())
        answers = [form.read(draft) for draft in drafts]
        kept = best_draft(answers, self._text, form.usual_words)
        text = answers[kept]
        if form.kind is AnswerKind.LABEL and form.choices and text not in form.choices:
            text = max(form.choices, key=lambda choice: float(self._log_p(choice).sum()))
        return Answer(
            text=text,
            prompt_tokens=len(self._prompt.ids),
            completion_tokens=tokens,
            timings=Timings(first_token=first_token, total=time.perf_counter() - started),
            drafts=tuple(drafts),
            kept=kept,
        )

    def negative_log_likelihood(self, wanted: str) -> tuple[float, int]:
        """(nats, tokens) of `wanted` as the answer, end of turn included, under the prompt with the
        examples: of its beginning where it is longer than the room that prompts leave. Tokens are
        counted without a label before it, which may save one.
        """
        room = self._engine.n_ctx - self._room
        messages = (*self._prompt.messages, Message("assistant", wanted))
        tokens = len(self._engine.tokenizer.example_ids(messages).completion[:room])
        return -float(self._log_p(wanted, room).sum()), tokens

    def _log_p(self, wanted: str, room: int = 0) -> npt.NDArray[np.float64]:
        begun = self._prompt.begun
        answer = Message("assistant", f"{begun} {wanted}" if begun else wanted)
        ids = self._engine.tokenizer.example_ids((*self._prompt.messages, answer), begun)
        completion = ids.completion[: room or max(1, self._engine.n_ctx - len(ids.prompt))]
        return self._engine.log_likelihood(ids.prompt, completion, adapted=self._options.adapter)

    def _generate(self, members: Sequence[EnsembleMember]) -> Iterator[Piece]:
        options = self._options
        longest = min(self._form.longest, options.max_tokens)
        return self._engine.generate_ensemble(members, longest, options.temperature, options.seed)

    def _ensembles(self) -> Sequence[Sequence[EnsembleMember]]:
        options = self._options
        if not (options.contrast and self._form.contrastive and self._examples):
            return ((EnsembleMember(self._prompt.ids, options.adapter, 1.0),),)
        alone = self._prompt_for(self._text, ()).ids
        without_text = self._prompt_for(MISSING, ()).ids
        return ensembles(self._prompt.ids, alone, without_text, options.contrast)[: options.drafts]

    def _prompt_for(self, text: str, examples: Sequence[Pair], begun: str = "") -> _Prompt:
        tokenizer = self._engine.tokenizer
        messages = few_shot(self._form, tokenizer, text, examples, self._room)
        return _Prompt(messages, begun, tuple(tokenizer.prompt_ids(messages, begun)))

    def _count_tokens(self, text: str) -> int:
        return len(self._engine.tokenizer.encode(text))
