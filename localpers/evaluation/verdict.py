"""The verdict: whether what the judge measured lets the tuned model answer.

A tuned model is promoted only where its paired intervals exclude a loss against the base with
retrieval (on writing strictly, on answers from the notes within ANSWER_MARGIN) and its general
ability has not suffered.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from localpers.evaluation.bootstrap import Interval, difference_interval
from localpers.evaluation.neutral import MARGIN as NEUTRAL_MARGIN
from localpers.evaluation.neutral import Likelihood
from localpers.evaluation.neutral import rise as rise_of
from localpers.evaluation.questions import QuestionScore
from localpers.prompts import PASSAGES

FEWEST_DOCUMENTS = 3
"""Held-out documents to report on; an interval over fewer says nothing."""
LEAST_GAIN = 1e-3
"""Nats per token of held-out writing: quantizing the same weights again can cause as much."""
FEWEST_QUESTIONS = 4
ANSWER_MARGIN = 0.15
"""Nats per token by which true answers from the notes may become less likely, at the worse end of
the interval; a certain answer keeps 86% of its likelihood."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a run may be served: the file (`merged` or `adapter`), the adapter's scale, and k, the
    passages in a prompt.
    """

    file: str
    scale: float = 1.0
    k: int = PASSAGES

    @property
    def name(self) -> str:
        scale = "" if self.scale == 1.0 else f" at {self.scale:g}"
        what = "merged" if self.file == "merged" else f"base + adapter{scale}"
        return what if self.k == PASSAGES else f"{what}, k = {self.k}"


@dataclass(frozen=True, slots=True)
class DocumentScore:
    """One held-out document under one setting; `rouge_1` is the mean over what was written."""

    document: str
    nats: float
    tokens: int
    bytes: int
    rouge_1: float = 0.0
    trials: int = 1

    @property
    def nll(self) -> float:
        return self.nats / max(self.tokens, 1)


@dataclass(frozen=True, slots=True)
class SettingResult:
    """A setting and its nats per token on the documents that settings are chosen by."""

    setting: Setting
    nll: float


@dataclass(frozen=True, slots=True)
class Measured:
    """One side of the comparison, on the documents reported on."""

    documents: tuple[DocumentScore, ...]
    answers: tuple[QuestionScore, ...]
    neutral: Likelihood

    @property
    def tokens(self) -> int:
        return sum(score.tokens for score in self.documents)

    @property
    def nll(self) -> float:
        return sum(score.nats for score in self.documents) / max(self.tokens, 1)

    @property
    def rouge_1(self) -> float:
        trials = max(sum(score.trials for score in self.documents), 1)
        return sum(score.rouge_1 * score.trials for score in self.documents) / trials

    @property
    def right(self) -> float:
        """Share of the answers that are right."""
        return sum(answer.right for answer in self.answers) / max(len(self.answers), 1)

    @property
    def cited(self) -> float:
        """Share of the answers that cite their source."""
        return sum(answer.cited for answer in self.answers) / max(len(self.answers), 1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`setting` is what to serve if promoted. Differences to the base: `gain` in nats per token of
    held-out writing, `answer_gain` of true answers (above 0, tuning helped), `overlap` in ROUGE-1,
    `right` in the share of right answers, `rise` of the perplexity of neutral text, as a share.
    """

    setting: Setting
    tried: tuple[SettingResult, ...]
    base: Measured
    tuned: Measured
    gain: Interval
    overlap: Interval
    answer_gain: Interval
    right: Interval
    rise: float
    promoted: bool
    reason: str


def decide(
    setting: Setting,
    tried: Sequence[SettingResult],
    base: Measured,
    tuned: Measured,
    questions: int = FEWEST_QUESTIONS,
    before: Sequence[DocumentScore] | None = None,
) -> Verdict:
    """The Verdict on two measurements of the same documents and questions, in the same order.

    `questions` counts those that the notes yield; with none, writing alone decides. `before` holds
    the scores of the tuned model that answers now on the documents that it has not learned, None
    where there is no such model.
    """
    weights = [score.tokens for score in base.documents]
    gain = difference_interval(
        [score.nll for score in base.documents], [score.nll for score in tuned.documents], weights
    )
    overlap = difference_interval(
        [score.rouge_1 for score in tuned.documents], [score.rouge_1 for score in base.documents]
    )
    answer_gain = difference_interval(
        [answer.nll for answer in base.answers], [answer.nll for answer in tuned.answers]
    )
    right = difference_interval(
        [float(answer.right) for answer in tuned.answers],
        [float(answer.right) for answer in base.answers],
    )
    rise = rise_of(tuned.neutral, base.neutral)
    objection = (
        _too_little(base, min(questions, FEWEST_QUESTIONS))
        or _worse_writing(gain, overlap)
        or _worse_answers(answer_gain, right)
        or _worse_elsewhere(rise)
        or _worse_than_before(tuned, before)
    )
    return Verdict(
        setting=setting,
        tried=tuple(tried),
        base=base,
        tuned=tuned,
        gain=gain,
        overlap=overlap,
        answer_gain=answer_gain,
        right=right,
        rise=rise,
        promoted=not objection,
        reason=objection or _praise(base, gain),
    )


def _too_little(base: Measured, questions: int) -> str:
    documents = sum(score.tokens > 0 for score in base.documents)
    if documents < FEWEST_DOCUMENTS or len(base.answers) < questions:
        return (
            f"too little was measured to prove anything ({documents} held-out documents, "
            f"{len(base.answers)} questions): give it more --budget, or more notes"
        )
    return ""


def _worse_writing(gain: Interval, overlap: Interval) -> str:
    if gain.low <= LEAST_GAIN:
        return (
            f"held-out writing is not surely likelier: it gains {shown(gain, 3)} nats per token, "
            "and the interval does not exclude a loss"
        )
    if overlap.high < 0:
        return f"what it writes has less in common with yours: {shown(overlap, 3)} ROUGE-1"
    return ""


def _worse_answers(answer_gain: Interval, right: Interval) -> str:
    if answer_gain.low < -ANSWER_MARGIN:
        return (
            "answers from the notes may suffer: the true ones change by "
            f"{shown(answer_gain, 3)} nats per token, where a loss of {ANSWER_MARGIN} is allowed"
        )
    if right.high < 0:
        return f"fewer answers from the notes are right: {shown(right, 2)} of them"
    return ""


def _worse_elsewhere(rise: float) -> str:
    if rise <= NEUTRAL_MARGIN:
        return ""
    return (
        f"it has forgotten: the perplexity of neutral text rises by {rise:.0%}, where "
        f"{NEUTRAL_MARGIN:.0%} is allowed"
    )


def _worse_than_before(tuned: Measured, before: Sequence[DocumentScore] | None) -> str:
    """Another base may have other tokens, so bits per byte are compared."""
    if before is None:
        return ""
    if len(before) < FEWEST_DOCUMENTS:
        return "the model that answers now has learned what this one is judged by: try both"
    names = {score.document for score in before}
    now = _bits_per_byte([score for score in tuned.documents if score.document in names])
    then = _bits_per_byte(before)
    if now <= then:
        return ""
    return f"the model that answers now is better: {then:.3f} bits per byte against {now:.3f}"


def _bits_per_byte(scores: Sequence[DocumentScore]) -> float:
    nats = sum(score.nats for score in scores)
    return nats / math.log(2) / max(sum(score.bytes for score in scores), 1)


def _praise(base: Measured, gain: Interval) -> str:
    return (
        f"{len(base.documents)} held-out documents are likelier by {shown(gain, 3)} nats per "
        "token, and answers from the notes do not suffer"
    )


def shown(interval: Interval, digits: int) -> str:
    """`0.123 (0.050 to 0.190)`."""
    value, low, high = (
        f"{number:.{digits}f}" for number in (interval.value, interval.low, interval.high)
    )
    return f"{value} ({low} to {high})"
