"""Metrics of generated text and of predicted labels, all as fractions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

_CJK = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")


def rouge_1(prediction: str, reference: str) -> float:
    """F1 of the words of both (Lin, 2004), by rouge-score without stemming, as LaMP has it.

    rouge-score's own tokens are runs of a-z and 0-9; here letters of every script count, and each
    Chinese, Japanese or Korean character is a token, so that texts in ASCII score the same.
    """
    return _rouge("rouge1", prediction, reference)


def rouge_l(prediction: str, reference: str) -> float:
    """F1 of the longest common subsequence (Lin, 2004); tokens as in `rouge_1`."""
    return _rouge("rougeL", prediction, reference)


def chrf(prediction: str, reference: str) -> float:
    """chrF2 (Popović, 2015), by sacrebleu."""
    return float(_chrf().sentence_score(prediction, [reference]).score) / 100


class _Tokens:
    """A tokenizer in rouge-score's form."""

    def tokenize(self, text: str) -> list[str]:
        return tokens(text)


def tokens(text: str) -> list[str]:
    """The words of a text in lower case; Chinese, Japanese and Korean by character."""
    return _TOKEN.findall(text.lower())


def _rouge(metric: str, prediction: str, reference: str) -> float:
    return float(_scorer(metric).score(reference, prediction)[metric].fmeasure)


@cache
def _scorer(metric: str) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer([metric], tokenizer=_Tokens())


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
