"""Metrics against their definitions and against the libraries that others use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from localpers.evaluation.metrics import macro_f1, overlap, tokens

ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)


@given(ASCII, ASCII)
def test_rouge_of_ascii_text_is_rouge_scores_own(prediction: str, reference: str) -> None:
    ours = overlap(prediction.replace("_", " "), reference.replace("_", " "))
    theirs = RougeScorer(["rouge1", "rougeL"]).score(reference, prediction)
    assert ours.rouge_1 == pytest.approx(theirs["rouge1"].fmeasure)
    assert ours.rouge_l == pytest.approx(theirs["rougeL"].fmeasure)


@given(st.text(min_size=1, max_size=40))
def test_overlap_is_a_fraction_and_whole_for_the_text_itself(text: str) -> None:
    assert 0 <= overlap(text, "the river mill").rouge_1 <= 1
    if any(map(str.isalnum, text)):
        assert overlap(text, text).rouge_l == pytest.approx(1) or not text.isprintable()


def test_words_of_every_script_count() -> None:
    assert overlap("昨日のメモ", "昨日のノート").rouge_1 > 0.4
    assert overlap("Мой дневник", "мой старый дневник").rouge_1 == pytest.approx(0.8)


def test_chinese_and_japanese_after_latin_letters_or_digits_are_single_tokens_too() -> None:
    assert tokens("iPhone的新功能") == ["iphone", "的", "新", "功", "能"]
    assert tokens("2024年の本v2") == ["2024", "年", "の", "本", "v2"]


def test_macro_f1_is_the_mean_over_labels() -> None:
    assert macro_f1(["a", "b", "b"], ["a", "b", "a"]) == pytest.approx(2 / 3)
    assert macro_f1(["c", "c"], ["a", "c"]) == pytest.approx((0 + 2 / 3) / 2)
