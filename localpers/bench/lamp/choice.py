"""Which condition serves a person best, found on their profile alone: its latest items are held
out, an adapter is trained on the rest, and every candidate answers for what was held out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from localpers.assistant.assistant import Assistant
from localpers.bench.lamp.context import condition_called
from localpers.bench.lamp.evaluator import UserEvaluator
from localpers.bench.lamp.records import Record

HELD_OUT_SHARE = 0.25
FEWEST_HELD_OUT, MOST_HELD_OUT = 3, 6
FEWEST_ITEMS = 8
"""In a profile; fewer tell nothing."""
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


def held_out(evaluator: UserEvaluator) -> UserEvaluator | None:
    """The same person some time ago, asked about their latest items; None where the profile is too
    small, or cannot tell: what other authors have written, LaMP_1's profiles do not hold.
    """
    if evaluator.items < FEWEST_ITEMS:
        return None
    number = max(FEWEST_HELD_OUT, round(HELD_OUT_SHARE * evaluator.items))
    earlier = evaluator.earlier(number)
    questions = earlier.user.questions
    if len(questions) < FEWEST_HELD_OUT:
        return None
    earlier.user = replace(earlier.user, questions=questions[-MOST_HELD_OUT:])
    return earlier


def values(
    evaluator: UserEvaluator, assistant: Assistant, scale: float
) -> dict[Candidate, list[float]]:
    """Of the candidates with this adapter scale on the held-out items, without an adapter of those
    that need none.
    """
    adapter = assistant.served.adapter is not None
    wanted = {
        one: condition_called(one.condition)
        for one in CANDIDATES
        if one.scale == scale and (adapter or not condition_called(one.condition).adapter)
    }
    found: dict[Candidate, list[float]] = {one: [] for one in wanted}
    # Candidates with the same prompt follow one another, so that it is read once.
    order = sorted(wanted, key=lambda one: wanted[one].retriever)
    for question in evaluator.user.questions:
        for one in order:
            record = evaluator.answer(assistant, question, wanted[one], one.condition)
            found[one].append(value_of(record))
    return found
