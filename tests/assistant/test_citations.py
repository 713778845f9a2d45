"""No citation of a passage that was not given, wherever the stream is cut; text stays as it is."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.assistant.citations import CitationFilter

PASSAGES = 3
STREAMS = st.text(st.sampled_from(list("aBé [](){}0123479,;-–.!?。\"'*`_#|\n\t~日")), max_size=80)


def filtered(text: str, pieces: list[str] | None = None, source: int | None = None) -> str:
    citations = CitationFilter(PASSAGES, lambda _: source)
    return "".join(map(citations.feed, pieces or [text])) + citations.finish()


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("It rained [1].", "It rained [1]."),
        ("It rained [4].", "It rained."),
        ("It rained [0] today [12], often.", "It rained today, often."),
        ("Here [1][3], here [1, 2] and [1-3].", "Here [1][3], here [1, 2] and [1-3]."),
        ("Here [2, 7], here [3–5] and [7, 8].", "Here [2], here [3] and."),
        ("Here [9][1] and [1][9].", "Here [1] and [1]."),
        ("[7] First.\n- [8] second\n- [1] third", "First.\n- second\n- [1] third"),
        ("A fact [9]\nNext.", "A fact\nNext."),
        ("Paris[7] is, Rome[2] too.", "Paris is, Rome[2] too."),
        ("- [ ] buy\n- [x] sold", "- [ ] buy\n- [x] sold"),
        ("See [the page](http://x/[a]) or [a note][ref].",) * 2,
        ("Take items[0], a[7], row_sums[9], m[0][8] and [0-9]+.",) * 2,
        ("Write `a[9]` or ``b[8] ` c[9]``.",) * 2,
        ("So:\n\n```py\nx[9] = [8]\n\n  y  # [7]\n```",) * 2,
        ("A stray ` hides\nnothing [9].", "A stray ` hides\nnothing."),
        ("After ```a[9]``` comes [9] nothing.", "After ```a[9]``` comes nothing."),
        ("In [2024] and [1234].",) * 2,
        ("It ends early [1", "It ends early"),
        ("It ends [", "It ends ["),
        ("  \n Space around. \n ", "Space around."),
    ],
)
def test_only_passages_given_are_cited(written: str, shown: str) -> None:
    assert filtered(written) == shown


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("It rained. It snowed!", "It rained [2]. It snowed [2]!"),
        ("It rained [1]. It snowed.", "It rained [1]. It snowed [2]."),
        ("It rained. [1] It snowed.", "It rained. [1] It snowed [2]."),
        ("It rained. [1][3] It snowed.", "It rained. [1][3] It snowed [2]."),
        ("It rained [9]. Then", "It rained [2]. Then [2]"),
        ("It rained.\n[1] It snowed.", "It rained [2].\n[1] It snowed."),
        ('He said "no." Then **he left.**', 'He said "no [2]." Then **he left [2].**'),
        ("Pi is 3.14, e.g. here.", "Pi is 3.14, e.g. here [2]."),
        ("雨です。雪です。[1] 風です。", "雨です [2]。雪です。[1] 風です [2]。"),
        ("# A heading\n| a | row |\n- an item", "# A heading\n| a | row |\n- an item [2]"),
        ("Do this:\n```\nls. A\n```\nDone.", "Do this: [2]\n```\nls. A\n```\nDone [2]."),
    ],
)
def test_sentences_without_citation_are_attributed(written: str, shown: str) -> None:
    assert filtered(written, source=2) == shown


def test_what_was_cited_and_what_was_attributed_is_told_apart() -> None:
    citations = CitationFilter(PASSAGES, lambda sentence: 3 if "snow" in sentence else None)
    citations.feed("Rain [1, 8]. Some snow. Wind.")
    citations.finish()
    assert (citations.cited, citations.attributed) == ({1}, {3})


@given(STREAMS, st.lists(st.integers(0, 80), max_size=12), st.sampled_from([None, 2]))
def test_where_the_stream_is_cut_does_not_matter(
    text: str, cuts: list[int], source: int | None
) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[start:end] for start, end in pairwise(edges)]
    assert filtered(text, pieces, source) == filtered(text, source=source)


@given(st.text(st.sampled_from(list("XY [],;0123479.\n")), max_size=80))
def test_unknown_numbers_never_come_out_of_prose(text: str) -> None:
    shown = re.findall(r"(?<![\w\]])\[\s*\d{1,3}\s*\]", filtered(text))
    assert all(1 <= int(marker.strip("[] \n")) <= PASSAGES for marker in shown)


@given(st.text(max_size=80).filter(lambda text: "[" not in text))
def test_text_without_brackets_passes_unchanged(text: str) -> None:
    assert filtered(text) == text.strip()
