"""Which condition serves a person best, found on their profile alone: its latest items are held
out, an adapter is trained on the rest, and every candidate answers for what was held out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from localpers.errors import TrainingDiverged
from localpers.evaluation.lamp.answering import Desk
from localpers.evaluation.lamp.data import Question, User
from localpers.evaluation.lamp.records import Record
from localpers.evaluation.lamp.settings import condition_called
from localpers.evaluation.lamp.training import AdapterTrainer, served_with
from localpers.inference.engine import Engine

HELD_OUT_SHARE = 0.25
FEWEST_HELD_OUT, MOST_HELD_OUT = 3, 6
FEWEST_ITEMS = 8
"""In a profile; from fewer nothing can be told."""
NLL_WEIGHT = 0.1
"""What a nat per token counts beside quality, which is a fraction: on headlines a nat less came
with about a tenth more ROUGE."""
SCALES = (1.0, 0.5)
SURE = 2.0
"""Standard errors by which another candidate must beat the usual one: on a handful of items, one of
four that are no better often does so by a single one."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A condition by name, and the scale of its adapter."""

    condition: str = "rag"
    scale: float = 1.0


USUAL = Candidate("rag+peft")
Values = Mapping[Candidate, Sequence[float]]
"""Each candidate's values on the same held-out items; higher is better."""

CANDIDATES = (
    Candidate("rag"),
    Candidate("base"),
    Candidate("peft"),
    *(Candidate("rag+peft", scale) for scale in SCALES),
)


def choose(measured: Values) -> Candidate:
    """The candidate to serve: the best one where it surely beats the usual one. That is the tuned
    model with retrieval, which over many people was best; retrieval alone where nobody could be
    tuned or measured.
    """
    usual = USUAL if USUAL in measured else Candidate()
    best, best_gain = usual, 0.0
    for candidate, values in measured.items():
        gains = [ours - theirs for ours, theirs in zip(values, measured[usual], strict=True)]
        if len(gains) < FEWEST_HELD_OUT:
            continue
        mean = sum(gains) / len(gains)
        variance = sum((gain - mean) ** 2 for gain in gains) / (len(gains) - 1)
        if mean > SURE * math.sqrt(variance / len(gains)) and mean > best_gain:
            best, best_gain = candidate, mean
    return best


def value_of(record: Record) -> float:
    """Quality of the text (or of the label), and a little of how likely the true one was."""
    if "correct" in record.scores:
        quality = record.scores["correct"]
    elif "error" in record.scores:
        quality = 1 - record.scores["error"] / 4
    else:
        quality = (record.scores["rouge_1"] + record.scores["rouge_l"]) / 2
    return quality - NLL_WEIGHT * record.nats / max(record.tokens, 1)


def measure(
    desk: Desk, base: Engine, trainer: AdapterTrainer, seconds: float
) -> dict[Candidate, list[float]]:
    """Every candidate's values on the items held out, after `seconds` of training; empty where the
    profile is too small, and no values where it cannot tell.
    """
    if desk.settings.task.cites:
        # What others have written, and so what is to be told apart, no profile holds.
        return {USUAL: []}
    held_desk = _held_out(desk, base)
    if held_desk is None:
        return {}
    trained = None
    with suppress(TrainingDiverged):
        trained = trainer.train(held_desk, seconds, f"{desk.user.id}, held out")
    found: dict[Candidate, list[float]] = {}
    try:
        for scale in SCALES if trained else SCALES[:1]:
            with Engine.open(served_with(desk.settings, trained, scale)) as engine:
                found |= _values(held_desk, engine, scale, trained is not None)
    finally:
        if trained and not desk.settings.keep:
            trained.path.unlink(missing_ok=True)
    return found


def _values(
    desk: Desk, engine: Engine, scale: float, adapter: bool
) -> dict[Candidate, list[float]]:
    """Those of the candidates with this scale, without an adapter those that need none."""
    wanted = [one for one in CANDIDATES if one.scale == scale and (adapter or not _adapts(one))]
    found: dict[Candidate, list[float]] = {one: [] for one in wanted}
    for question in desk.user.questions:
        # Candidates with the same prompt follow one another, so that it is read once.
        for one in sorted(wanted, key=lambda one: condition_called(one.condition).retriever):
            condition = condition_called(one.condition)
            record = desk.answer(
                engine, question, condition.retriever, one.condition, condition.adapter
            )
            found[one].append(value_of(record))
    return found


def _adapts(candidate: Candidate) -> bool:
    return condition_called(candidate.condition).adapter


def _held_out(desk: Desk, engine: Engine) -> Desk | None:
    """The same person some time ago: the latest items as questions, the earlier ones as profile."""
    profile = desk.user.profile
    if len(profile) < FEWEST_ITEMS:
        return None
    number = max(FEWEST_HELD_OUT, round(HELD_OUT_SHARE * len(profile)))
    earlier = profile[:-number]
    questions = []
    for at in range(len(earlier), len(profile)):
        pair = desk.pair(at)
        if pair is not None:
            questions.append(Question(str(at), pair.input, pair.query, pair.answer))
    if len(questions) < FEWEST_HELD_OUT:
        return None
    user = User(f"{desk.user.id}, earlier", earlier, tuple(questions[-MOST_HELD_OUT:]))
    return Desk.of(desk.settings, user, None, engine.tokenizer, engine.n_ctx)
