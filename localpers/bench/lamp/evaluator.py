"""One user's questions, asked of an Assistant under every condition by the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from localpers.assistant.assistant import Assistant
from localpers.assistant.fewshot import few_shot, shortened
from localpers.assistant.forms import AnswerKind, Form
from localpers.assistant.forms.form import listed_choices
from localpers.assistant.options import AnswerOptions
from localpers.bench.lamp.context import RunContext
from localpers.bench.lamp.data import Question, User
from localpers.bench.lamp.records import Record
from localpers.bench.lamp.retrieval import Retrieval
from localpers.bench.lamp.scores import scores_of
from localpers.bench.lamp.tasks import REFERENCE, candidates_in, paper_prompt
from localpers.datatypes import Message, Pair, TokenizedExample
from localpers.evaluation.conditions import Condition
from localpers.tuning.lessons import Lesson, LessonPlan, lessons
from localpers.weights.tokenizer import Tokenizer

GIVEN_TOKENS, WANTED_TOKENS = 192, 128
"""To which both sides of a training pair are cut."""
TWEET_SHARE = (0.10, 0.25)
"""Of a tweet's words, given in training; the rest is to be written."""
ANYBODY = REFERENCE.format(title="...")


class UserEvaluator:
    """Everything that answering one user's questions needs but the model."""

    def __init__(
        self,
        context: RunContext,
        tokenizer: Tokenizer,
        user: User,
        other: User | None,
        pairs: tuple[tuple[Pair, ...], tuple[Pair, ...]] | None = None,
    ) -> None:
        """`pairs` of both users stand in prompts in the place of their profiles, where these hold
        no pairs of the form.
        """
        self.context = context
        self.user = user
        self._tokenizer = tokenizer
        profiles = user.profile, other.profile if other else ()
        self._protocol = Retrieval(user.id, *profiles, context.seed)
        self._pairs, others = pairs or profiles
        self._retrieval = Retrieval(user.id, self._pairs, others, context.seed)
        task = context.task
        # A label in the protocol's own language only; and no text is taken for a request.
        label = task.form.label if task.marker in context.instruction else ""
        form = replace(task.form, label=label, named_by=())
        if pairs:
            form = replace(form, listed="")
        if not form.listed:
            form = replace(form, instruction=context.instruction or form.instruction)
        self._form = form.fitted(self._pairs, lambda text: len(tokenizer.encode(text)))

    def answer(
        self, assistant: Assistant, question: Question, condition: Condition, name: str
    ) -> Record:
        """The record of `question` under `condition`, which goes by `name`. The likelihood is that
        of the gold answer under the prompt with the examples.
        """
        task = self.context.task
        author, titles = candidates_in(question.text) if task.cites else ("", ())
        if titles and condition.retriever != "paper":
            return self._decided(assistant, question, condition, name, author, titles)
        form = replace(
            self._form, instruction=question.instruction, choices=self._choices(question)
        )
        text, examples = question.text, self._examples(question, condition)
        if condition.retriever == "paper":
            text = paper_prompt(task, question.input, examples, self._tokenizer)
            form, examples = replace(form, instruction="", label=""), ()
        options = self._options(assistant, condition, form, examples)
        answer = assistant.answer(text, options)
        nats, tokens = assistant.form_likelihood(text, question.gold, options)
        details: dict[str, Any] = {}
        if len(answer.drafts) > 1:
            details["drafts"] = list(answer.drafts)
        if task.form.kind is AnswerKind.LABEL:
            details["known"] = answer.text in form.choices
        written = answer.drafts[answer.kept]
        return self._record(question, name, written, answer.text, nats, tokens, details)

    def training_examples(self) -> Iterator[TokenizedExample]:
        """What the profile teaches: the latest items first, in a random order if undated."""
        order = list(range(len(self._pairs)))
        if not self._retrieval.index.dated:
            Random(f"{self.context.seed}:{self.user.id}").shuffle(order)
        plan = LessonPlan(
            items=[self._lesson(number) for number in range(len(self._pairs))],
            order=order[::-1],
            prompts=self,
            max_length=self.context.recipe.max_length,
            k=self.context.k,
            exchanges=not self._form.listed,
        )
        return lessons(plan, self._tokenizer)

    def messages(self, text: str, examples: Sequence[Pair], room: int) -> tuple[Message, ...]:
        """A training prompt."""
        return few_shot(self._form, self._tokenizer, text, examples, room)

    def neighbours(self, number: int) -> Iterator[int]:
        """The items that may stand before item `number` in training, best first."""
        return self._retrieval.index.neighbours(number, self._query(number))

    @property
    def items(self) -> int:
        """That the person's profile holds, as far as they are of use."""
        return len(self._pairs)

    def earlier(self, held_out: int) -> UserEvaluator:
        """The same person some time ago: the latest `held_out` items are the questions, as far as
        these teach anything, and the others the profile.
        """
        cut = len(self._pairs) - held_out
        questions = []
        for number in range(cut, len(self._pairs)):
            if lesson := self._lesson(number):
                instruction, query = self._form.instruction, self._query(number)
                asked = Question(str(number), instruction, lesson.given, query, lesson.wanted)
                questions.append(asked)
        user = User(f"{self.user.id}, earlier", self._pairs[:cut], tuple(questions))
        paired = None if self._pairs is self.user.profile else (user.profile, ())
        return UserEvaluator(self.context, self._tokenizer, user, None, paired)

    def _decided(
        self,
        assistant: Assistant,
        question: Question,
        condition: Condition,
        name: str,
        author: str,
        titles: Sequence[str],
    ) -> Record:
        """Which of two titles the author refers to: the one that is likelier after their own than
        the base finds it after nothing, in nats per token of the mean length (pointwise mutual
        information with the domain; Holtzman et al., EMNLP 2021, section 3).
        """
        anybody = AnswerOptions(form=self._form, examples=(), adapter=False)
        examples = self._examples(question, condition)
        options = self._options(assistant, condition, self._form, examples)
        asked = REFERENCE.format(title=author)
        own = [assistant.form_likelihood(asked, title, options) for title in titles]
        usual = [assistant.form_likelihood(ANYBODY, title, anybody) for title in titles]
        # Without the token that ends an answer.
        length = max(1.0, sum(tokens - 1 for _, tokens in usual) / len(titles))
        gains = [(base - ours) / length for (ours, _), (base, _) in zip(own, usual, strict=True)]
        prediction = f"[{gains.index(max(gains)) + 1}]"
        right = int(question.gold.strip("[] ") == "2")
        nats = float(np.logaddexp.reduce(gains) - gains[right])
        details = {"preferences": [round(gain, 4) for gain in gains], "known": True}
        return self._record(question, name, prediction, prediction, nats, 1, details)

    def _record(
        self,
        question: Question,
        name: str,
        text: str,
        prediction: str,
        nats: float,
        tokens: int,
        details: dict[str, Any],
    ) -> Record:
        return Record(
            user=self.user.id,
            question=question.id,
            number=question.number,
            condition=name,
            text=text,
            prediction=prediction,
            gold=question.gold,
            scores=scores_of(self.context.task, prediction, question.gold),
            nats=nats,
            tokens=tokens,
            details=details,
        )

    def _options(
        self,
        assistant: Assistant,
        condition: Condition,
        form: Form,
        examples: tuple[Pair, ...],
    ) -> AnswerOptions:
        tuned = condition.adapter and assistant.served.adapter is not None
        contrast = self.context.contrast if tuned else 0.0
        return AnswerOptions(
            form=form, examples=examples, adapter=condition.adapter, contrast=contrast
        )

    def _examples(self, question: Question, condition: Condition) -> tuple[Pair, ...]:
        source = condition.retriever
        retrieval = self._protocol if source == "paper" else self._retrieval
        found = retrieval.examples(source, question, self.context.k)
        wanted = self.context.task.wanted
        return tuple(pair for pair in found if pair.given and (pair.wanted or not wanted))

    def _choices(self, question: Question) -> tuple[str, ...]:
        """The answers that a question allows: those it lists, else those that its profile holds."""
        form = self.context.task.form
        if form.kind is not AnswerKind.LABEL or form.choices:
            return form.choices
        own = tuple(dict.fromkeys(pair.wanted for pair in self._pairs))
        return listed_choices(question.input) or own

    def _query(self, number: int) -> str:
        """What the neighbours of an item are found by: never a part of its answer."""
        texts_alone = self._form.listed and not self.context.task.cites
        return self._split(number)[0] if texts_alone else self._pairs[number].given

    def _lesson(self, number: int) -> Lesson | None:
        """What an item teaches, None where it is too short: as far as it can be, what a question
        asks for.
        """
        item = self._pairs[number]
        given, wanted = item.given, item.wanted
        if self.context.task.cites:
            given, wanted = REFERENCE.format(title=self._pairs[number - 1].given), item.given
        elif not self._form.listed:
            given = shortened(self._tokenizer, given, GIVEN_TOKENS)
        else:
            given, wanted = self._split(number)
        wanted = shortened(self._tokenizer, wanted, WANTED_TOKENS)
        return Lesson(given, wanted, item) if given and wanted else None

    def _split(self, number: int) -> tuple[str, str]:
        """(beginning, rest) of a tweet, between two words, or characters where it has no spaces."""
        most = GIVEN_TOKENS + WANTED_TOKENS
        text = shortened(self._tokenizer, self._pairs[number].given, most)
        words = text.split()
        parts, glue = (words, " ") if len(words) > 3 else (list(text), "")
        share = Random(f"{self.context.seed}:{number}").uniform(*TWEET_SHARE)
        cut = max(1, round(len(parts) * share))
        return glue.join(parts[:cut]).strip(), glue.join(parts[cut:]).strip()
