"""One model answers the questions of one user, all conditions under the same rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from localpers.datatypes import Message
from localpers.evaluation.lamp.answers import is_complete, labels_of, prediction_of, scores_of
from localpers.evaluation.lamp.data import Item, Question, User
from localpers.evaluation.lamp.drafts import best_draft
from localpers.evaluation.lamp.labelling import (
    ANYTHING,
    ask_for_reference,
    likeliest,
    nats_of,
    preferences,
)
from localpers.evaluation.lamp.prompts import Pair, Prompter
from localpers.evaluation.lamp.records import Record
from localpers.evaluation.lamp.retrieval import Retrieval
from localpers.evaluation.lamp.settings import Settings
from localpers.evaluation.lamp.tasks import Answer, Task, references_in
from localpers.evaluation.metrics import tokens
from localpers.inference.engine import Engine
from localpers.inference.ensemble import EnsembleMember
from localpers.weights.tokenizer import Tokenizer

LONGER_THAN_OWN = 1.25
"""Times the profile's longest but a tenth, an answer may be: languages differ in their tokens."""
MOST_ANSWER_TOKENS = 256
SAMPLE = 64


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that answering one user's questions needs but the model."""

    settings: Settings
    user: User
    retrieval: Retrieval
    prompter: Prompter
    longest: int
    usual: float
    """The mean length in words of the person's own answers."""
    room: int
    """The most tokens of a prompt."""
    protocol: Desk | None = None
    """Where the items are other pairs than the protocol's own: one with those."""

    @classmethod
    def of(
        cls, settings: Settings, user: User, other: User | None, tokenizer: Tokenizer, n_ctx: int
    ) -> Desk:
        """`n_ctx` is the context of the model in tokens."""
        task = settings.task
        longest = _longest_answer(task, user.profile, tokenizer)
        room = max(n_ctx - 2 * longest, n_ctx // 2)
        return cls(
            settings=settings,
            user=user,
            retrieval=Retrieval(user, other, settings.seed),
            prompter=Prompter(task, settings.instruction, tokenizer, settings.form, room),
            longest=longest,
            usual=_usual_length(user.profile),
            room=room,
        )

    def pair(self, number: int) -> Pair | None:
        """What item `number` of the profile teaches, None where it teaches nothing: as far as it
        can be, what a question asks for.
        """
        item = self.user.profile[number]
        if self.settings.task.cites:
            other = self.user.profile[number - 1].given
            return self.prompter.stated(ask_for_reference(other), item.given, item.given)
        return self.prompter.pair(number, item, self.settings.seed)

    def answer(
        self, engine: Engine, question: Question, source: str, condition: str, adapted: bool
    ) -> Record:
        """The record of `question` with items from `source` ("" for none) in its prompt.

        The likelihood is that under this one prompt, and of the gold answer's beginning where it is
        longer than the place that every prompt leaves, so that all conditions are asked for the
        same tokens.
        """
        if source == "paper" and self.protocol:
            return self.protocol.answer(engine, question, source, condition, adapted)
        task = self.settings.task
        items = self.retrieval.for_question(source, question, self.settings.form.passages)
        if task.cites and source != "paper" and references_in(question.input)[1]:
            return self._decided(engine, question, items, condition, adapted)
        prompt = self.prompter.messages(question.input, items, paper=source == "paper")
        # The best prompt that was found for the plain model; examples and training do better.
        untaught = not source and not (engine.has_adapter and adapted)
        label = self.prompter.label if untaught else ""
        ids = tuple(engine.tokenizer.prompt_ids(prompt, label))
        labels = labels_of(task, question, self.user.profile)
        panels = self._panels(engine, question, ids, bool(items), adapted)
        texts = [self._written(engine, panel) for panel in panels]
        predictions = [prediction_of(task, text, labels) for text in texts]
        kept = best_draft(predictions, question.query, self.usual)
        text, prediction = texts[kept], predictions[kept]
        if task.answer is Answer.LABEL and labels and prediction not in labels:
            prediction = likeliest(engine, prompt, labels, adapted)
        nats, length = self._likelihood(engine, prompt, question.gold, label, adapted)
        return Record(
            user=self.user.id,
            question=question.id,
            condition=condition,
            text=text,
            prediction=prediction,
            gold=question.gold,
            scores=scores_of(task, prediction, question.gold),
            nats=nats,
            tokens=length,
            details={"drafts": texts} if len(texts) > 1 else {},
        )

    def _decided(
        self,
        engine: Engine,
        question: Question,
        items: Sequence[Item],
        condition: str,
        adapted: bool,
    ) -> Record:
        """The record of a question that asks which of two titles the author refers to."""
        title, references = references_in(question.input)
        prompt = self.prompter.messages(ask_for_reference(title), items)
        anybody = self.prompter.messages(ask_for_reference(ANYTHING), ())
        preferred = preferences(engine, prompt, anybody, references, adapted)
        prediction = f"[{preferred.index(max(preferred)) + 1}]"
        right = min(int(question.gold.strip("[] ") == "2"), len(references) - 1)
        return Record(
            user=self.user.id,
            question=question.id,
            condition=condition,
            text=prediction,
            prediction=prediction,
            gold=question.gold,
            scores=scores_of(self.settings.task, prediction, question.gold),
            nats=nats_of(preferred, right),
            tokens=1,
            details={"preferences": [round(nats, 4) for nats in preferred]},
        )

    def _likelihood(
        self,
        engine: Engine,
        prompt: Sequence[Message],
        gold: str,
        label: str,
        adapted: bool,
    ) -> tuple[float, int]:
        """What the gold answer costs in nats, and its tokens, counted as where no label stands
        before it: behind one, its first word may be a token less.
        """
        room = engine.n_ctx - self.room
        plain = engine.tokenizer.example_ids((*prompt, Message("assistant", gold)))
        asked = plain
        if label:
            answer = Message("assistant", f"{label} {gold}")
            asked = engine.tokenizer.example_ids((*prompt, answer), label)
        logs = engine.log_likelihood(asked.prompt, asked.completion[:room], adapted=adapted)
        return -float(logs.sum()), len(plain.completion[:room])

    def _written(self, engine: Engine, experts: Sequence[EnsembleMember]) -> str:
        """What is written, greedily, until its first line that is an answer has ended."""
        text = ""
        for piece in engine.generate_ensemble(experts, self.longest):
            text += piece.text
            if is_complete(text):
                break
        return text.strip()

    def _panels(
        self,
        engine: Engine,
        question: Question,
        ids: tuple[int, ...],
        with_items: bool,
        adapted: bool,
    ) -> list[tuple[EnsembleMember, ...]]:
        """Who writes, a draft each: the model alone, or where it is tuned and has items in its
        prompt, it and itself without items, against its base. Items show the person's manner and
        are too easily copied; the question alone holds what is to be said. The base speaks against
        them with the question's text, and in one draft without it, too: what it would write about
        anything says nothing.
        """
        contrast, task = self.settings.contrast, self.settings.task
        tuned = engine.has_adapter and adapted
        written = task.answer is Answer.TEXT and not task.listed
        if not (contrast and tuned and with_items and written):
            return [(EnsembleMember(ids, adapted, 1.0),)]
        plain = tuple(engine.tokenizer.prompt_ids(self.prompter.messages(question.input, ())))
        empty = tuple(engine.tokenizer.prompt_ids(self.prompter.without_text(question.input)))
        half = (1 + contrast) / 2
        tuned_readings = (EnsembleMember(ids, True, half), EnsembleMember(plain, True, half))
        return [
            (
                *tuned_readings,
                EnsembleMember(plain, False, -contrast / 2),
                EnsembleMember(empty, False, -contrast / 2),
            ),
            (*tuned_readings, EnsembleMember(plain, False, -contrast)),
            (EnsembleMember(plain, True, 1.0),),
        ]


def _usual_length(profile: Sequence[Item]) -> float:
    lengths = [len(tokens(item.wanted or item.given)) for item in profile]
    return sum(lengths) / len(lengths) if lengths else 0.0


def _longest_answer(task: Task, profile: Sequence[Item], tokenizer: Tokenizer) -> int:
    """In tokens, the same for every condition of a user."""
    if task.answer is not Answer.TEXT:
        return task.longest
    texts = [item.wanted or item.given for item in profile[-SAMPLE:]]
    lengths = sorted(len(tokenizer.encode(text)) for text in texts)
    usual = lengths[int(0.9 * (len(lengths) - 1))] if lengths else 0
    return max(task.longest, min(MOST_ANSWER_TOKENS, int(LONGER_THAN_OWN * usual)))
