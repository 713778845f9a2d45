"""Assistant: the one read flow. Commands, evaluation and benchmarks all answer through it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from threading import RLock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from localpers.assistant.conversation import Conversation
from localpers.assistant.forms import Form, form_of
from localpers.assistant.notes import Notes, ProfileNotes, find_reranked
from localpers.assistant.options import AnswerOptions, ResolvedOptions, resolve
from localpers.datatypes import Message, RetrievedPassage, ServedModel
from localpers.errors import LocalpersError
from localpers.profile import Profile
from localpers.prompts import build_messages

# The model's side is imported when a model is first needed: `search` starts without it.
if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from localpers.assistant.answer import Answer
    from localpers.assistant.form_writer import FormWriter
    from localpers.inference.engine import Engine

Progress = Callable[[int, int], None]


class Assistant:
    """Answers from notes with one model. Use it as a context manager; safe for several threads:
    one lock serializes retrieval and generation.
    """

    def __init__(
        self,
        served: ServedModel | Callable[[], ServedModel],
        notes: Notes,
        *,
        n_ctx: int = 0,
        on_rerank: Progress | None = None,
    ) -> None:
        """`n_ctx` 0 is the context that the model was trained for; `on_rerank` gets (done, total)
        while passages are reranked. The model is loaded when first needed.
        """
        self._served = served
        self.notes = notes
        self._n_ctx = n_ctx
        self._on_rerank = on_rerank
        self._lock = RLock()
        self._conversation = Conversation()
        self._pool = ThreadPoolExecutor(1)
        self._loading: Future[tuple[Engine, float]] | None = None

    @classmethod
    def open(
        cls,
        profile: Profile | str = "default",
        *,
        run: str | None = None,
        base: str | None = None,
        adapter: bool = True,
        unmerged: bool = False,
        on_embed: Progress | None = None,
        on_rerank: Progress | None = None,
    ) -> Assistant:
        """The assistant of a profile: its promoted run, else `run`, else a base (`served_model`).

        Raises what Profile.open raises, and what served_model raises once the model is needed.
        """
        opened = Profile.open(profile) if isinstance(profile, str) else profile

        def served() -> ServedModel:
            from localpers.inference.served import served_model

            return served_model(opened, run, adapter, base, unmerged=unmerged)

        return cls(served, ProfileNotes(opened, on_embed), on_rerank=on_rerank)

    @cached_property
    def served(self) -> ServedModel:
        """The files that answer."""
        return self._served() if callable(self._served) else self._served

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the model and close the index."""
        with self._lock:
            self._pool.shutdown(wait=True)
            if self._loading is not None and not self._loading.exception():
                self._loading.result()[0].close()
            self.notes.close()

    def preload(self) -> None:
        """Start to load the model in the background."""
        with self._lock:
            if self._loading is None:
                served = self.served
                self._loading = self._pool.submit(self._load, served)

    @property
    def engine(self) -> Engine:
        """The loaded model; waits for it. Raises what Engine.open raises."""
        self.preload()
        assert self._loading is not None
        return self._loading.result()[0]

    def search(
        self, query: str, k: int = 10, retriever: str = "auto", reranker: str | None = None
    ) -> list[RetrievedPassage]:
        """The best `k` passages for `query`, best first. `reranker` "likelihood" lets the base
        model judge the first hits again. Raises LocalpersError for an unknown name.
        """
        with self._lock:
            if reranker is None:
                return list(self.notes.find(query, k, retriever))
            if reranker != "likelihood":
                raise LocalpersError(f"There is no reranker '{reranker}': choose likelihood.")
            from localpers.inference.likelihood import QueryLikelihood

            judge = QueryLikelihood(self.engine, self._on_rerank)
            return find_reranked(self.notes, query, k, retriever, judge)

    def answer(
        self,
        request: str | Sequence[Message],
        options: AnswerOptions | None = None,
        *,
        passages: Sequence[RetrievedPassage] | None = None,
    ) -> Answer:
        """The whole answer to a request or to a conversation's last message.

        `passages` replaces retrieval. Raises what `stream` raises.
        """
        *_, answer = self.stream(request, options, passages=passages)
        assert not isinstance(answer, str)
        return answer

    def stream(
        self,
        request: str | Sequence[Message],
        options: AnswerOptions | None = None,
        *,
        passages: Sequence[RetrievedPassage] | None = None,
    ) -> Iterator[str | Answer]:
        """Text as it is written, and last the Answer.

        Raises LocalpersError where the request alone exceeds the context window or options
        contradict each other, and what loading and retrieval raise. Closing the iterator stops
        generation.
        """
        from localpers.assistant.answer import Answer, Timings
        from localpers.assistant.plan import ANSWER, plan
        from localpers.assistant.reply import Turn, reply

        started = time.perf_counter()
        messages = (Message("user", request),) if isinstance(request, str) else tuple(request)
        with self._lock:
            options = options or AnswerOptions()
            form = form_of(options.form, messages[-1].content)
            resolved = resolve(replace(options, form=form), self.served)
            if isinstance(form, Form):
                answer = self._answer_of_form(messages[-1].content, resolved, started)
                yield answer.text
                yield answer
                return
            if not resolved.abstain:
                self.preload()
            asked = plan(messages[-1].content)
            subject = messages[-1].content if form == ANSWER else asked.subject
            found = passages if passages is not None else self._retrieve(subject, resolved)
            retrieved = time.perf_counter() - started
            if resolved.abstain and not found:
                total = time.perf_counter() - started
                yield Answer("", answered=False, timings=Timings(retrieved, 0.0, total, total))
                return
            engine = self.engine
            assert self._loading is not None
            timings = Timings(retrieve=retrieved, load=self._loading.result()[1])
            turn = Turn(
                engine=engine,
                conversation=self._conversation,
                messages=messages,
                passages=found,
                notes=self.notes,
                options=resolved,
                form=form or asked.form,
                subject=subject,
                started=started,
            )
            for event in reply(turn):
                if isinstance(event, Answer):
                    event = replace(
                        event,
                        found=event.found or len(found),
                        timings=replace(
                            timings,
                            first_token=event.timings.first_token,
                            total=event.timings.total,
                        ),
                    )
                yield event

    def answer_likelihood(
        self,
        request: str,
        answer: str,
        options: AnswerOptions | None = None,
        *,
        passages: Sequence[RetrievedPassage] | None = None,
    ) -> npt.NDArray[np.float64]:
        """ln p of each token of `answer`, end of turn included, after the prompt that `answer()`
        would build: float64 [tokens]. `contrast` plays no part. Raises what `answer()` raises, and
        LocalpersError where the answer does not fit the context window.
        """
        messages = (Message("user", request),)
        with self._lock:
            resolved = resolve(options or AnswerOptions(), self.served)
            found = passages if passages is not None else self._retrieve(request, resolved)
            tokenizer, n_ctx = self.engine.tokenizer, self.engine.n_ctx
            room = max(resolved.max_tokens, len(tokenizer.encode(answer)) + 1)
            given = found[: resolved.k]
            _, given = Conversation().fit(tokenizer, messages, given, n_ctx, room)
            ids = tokenizer.example_ids(
                (*build_messages(request, given), Message("assistant", answer))
            )
            return self.engine.log_likelihood(ids.prompt, ids.completion, adapted=resolved.adapter)

    def form_likelihood(
        self, request: str, wanted: str, options: AnswerOptions
    ) -> tuple[float, int]:
        """(nats, tokens): the negative log-likelihood of `wanted` as the answer to a request of
        `options.form`, under the prompt that `answer` writes from. Raises what `answer` raises.
        """
        with self._lock:
            resolved = resolve(options, self.served)
            return self._writer(request, resolved)[0].negative_log_likelihood(wanted)

    def reset(self) -> None:
        """Empty the KV cache, so that the next result does not depend on earlier ones."""
        with self._lock:
            self.engine.forget()

    def _writer(
        self, request: str, options: ResolvedOptions
    ) -> tuple[FormWriter, Sequence[RetrievedPassage]]:
        """The writer of a form's answer, and the passages of documents that its examples are."""
        from localpers.assistant.fewshot import find_examples
        from localpers.assistant.form_writer import FormWriter

        assert isinstance(options.form, Form)
        self.preload()
        examples, passages = options.examples or (), list[RetrievedPassage]()
        if options.examples is None:
            text = options.form.text_of(request)
            found, passages = find_examples(
                self.notes, options.form, text, options.k, options.retriever
            )
            examples = tuple(found)
        tuned = options.adapter and bool(self.served.adapter or self.served.run)
        writer = FormWriter(self.engine, options.form, options, request, examples, tuned)
        return writer, passages

    def _answer_of_form(self, request: str, options: ResolvedOptions, started: float) -> Answer:
        from localpers.assistant.answer import Source

        writer, passages = self._writer(request, options)
        retrieved = time.perf_counter() - started
        answer = writer.answer(started)
        assert self._loading is not None
        timings = replace(answer.timings, retrieve=retrieved, load=self._loading.result()[1])
        sources = tuple(Source(n, passage) for n, passage in enumerate(passages, 1))
        return replace(answer, sources=sources, found=len(passages), timings=timings)

    def _retrieve(self, query: str, options: ResolvedOptions) -> Sequence[RetrievedPassage]:
        from localpers.assistant.quoting import NOTES_COMPARED

        if not options.k:
            return ()
        k = max(options.k, NOTES_COMPARED) if options.quote else options.k
        return self.search(query, k, options.retriever, options.reranker)

    def _load(self, served: ServedModel) -> tuple[Engine, float]:
        from localpers.inference.engine import Engine

        started = time.perf_counter()
        return Engine.open(served, self._n_ctx), time.perf_counter() - started
