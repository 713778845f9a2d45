"""Which of several drafts is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.assistant.drafts import best_draft

TEXT = "The old mill at the river was sold to a baker who will grind rye again next spring."


@pytest.mark.parametrize(
    ("drafts", "kept"),
    [
        (["A baker buys bread", "The old mill was sold", "The old mill is sold"], 1),
        (["A castle in Spain", "The river mill sold"], 1),
        (["Mill", "The old mill at the river was sold to a baker", "The old mill sold"], 2),
        (["", "Castle"], 1),
        (["川の古い水車", "The old mill sold"], 1),
    ],
    ids=["agreement", "support", "length", "empty", "script"],
)
def test_kept_is_what_the_others_the_text_and_the_usual_length_support(
    drafts: list[str], kept: int
) -> None:
    assert best_draft(drafts, TEXT, 4.0) == kept


def test_of_texts_without_blanks_characters_count() -> None:
    assert best_draft(["春の遠足", "古い水車が売れた"], "川の古い水車がパン屋に売れた。", 8.0) == 1


@given(st.lists(st.text(max_size=30), min_size=1, max_size=4), st.text(max_size=60))
def test_one_is_kept_of_whatever_is_written(drafts: list[str], text: str) -> None:
    kept = best_draft(drafts, text, 0.0)
    assert any(map(str.isalnum, drafts[kept])) or not any(
        any(map(str.isalnum, draft)) for draft in drafts
    )
