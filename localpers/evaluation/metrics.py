"""Metrics of generated text and of predicted labels, all as fractions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of a reference a text repeats: F1 of ROUGE-1 and ROUGE-L (Lin, 2004), chrF2
    (Popović, 2015).
    """

    rouge_1: float
    rouge_l: float
    chrf: float


def overlap(prediction: str, reference: str) -> Overlap:
    """ROUGE by rouge-score without stemming, as LaMP has it, chrF by sacrebleu.

    rouge-score's own tokens are runs of a-z and 0-9; here letters of every script count, and each
    Chinese, Japanese or Korean character is a token, so that texts in ASCII score the same.
    """
    scores = _rouge().score(reference, prediction)
    return Overlap(
        rouge_1=float(scores["rouge1"].fmeasure),
        rouge_l=float(scores["rougeL"].fmeasure),
        chrf=float(_chrf().sentence_score(prediction, [reference]).score) / 100,
    )


class _Tokens:
    """What rouge-score takes for a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


def tokens(text: str) -> list[str]:
    """The words of a text in lower case; Chinese, Japanese and Korean by character."""
    return _TOKEN.findall(text.lower())


@cache
def _rouge() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rougeL"], tokenizer=_Tokens())


@cache
def _chrf() -> Any:
    from sacrebleu.metrics import CHRF

    return CHRF()


def macro_f1(
    predicted: Sequence[str], true: Sequence[str], labels: Sequence[str] | None = None
) -> float:
    """The mean of the F1 of `labels`, by default those that occur in `true` or `predicted`, as
    scikit-learn has it.
    """
    labels = sorted({*true, *predicted}) if labels is None else labels
    return sum(_f1(label, predicted, true) for label in labels) / max(len(labels), 1)


def _f1(label: str, predicted: Sequence[str], true: Sequence[str]) -> float:
    hits = sum(p == t == label for p, t in zip(predicted, true, strict=True))
    return 2 * hits / max(predicted.count(label) + true.count(label), 1)
