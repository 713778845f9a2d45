"""Metrics against their definitions and against the libraries that others use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from localpers.evaluation.metrics import chrf, macro_f1, rouge_1, rouge_l, tokens

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


@given(ASCII, ASCII)
def test_rouge_of_ascii_text_is_rouge_scores_own(prediction: str, reference: str) -> None:
    prediction, reference = prediction.replace("_", " "), reference.replace("_", " ")
    theirs = RougeScorer(["rouge1", "rougeL"]).score(reference, prediction)
    assert rouge_1(prediction, reference) == pytest.approx(theirs["rouge1"].fmeasure)
    assert rouge_l(prediction, reference) == pytest.approx(theirs["rougeL"].fmeasure)


@given(st.text(min_size=1, max_size=40))
def test_measures_are_fractions_and_1_for_the_text_itself(text: str) -> None:
    assert 0 <= rouge_1(text, "the river mill") <= 1 and 0 <= chrf(text, "the river mill") <= 1
    if any(map(str.isalnum, text)):
        assert rouge_l(text, text) == pytest.approx(1) or not text.isprintable()


def test_words_of_every_script_count() -> None:
    assert rouge_1("昨日のメモ", "昨日のノート") > 0.4
    assert rouge_1("Мой дневник", "мой старый дневник") == pytest.approx(0.8)


def test_chinese_and_japanese_after_latin_letters_or_digits_are_single_tokens_too() -> None:
    assert tokens("iPhone的新功能") == ["iphone", "的", "新", "功", "能"]
    assert tokens("2024年の本v2") == ["2024", "年", "の", "本", "v2"]


def test_macro_f1_is_the_mean_over_labels() -> None:
    assert macro_f1(["a", "b", "b"], ["a", "b", "a"]) == pytest.approx(2 / 3)
    assert macro_f1(["c", "c"], ["a", "c"]) == pytest.approx((0 + 2 / 3) / 2)
