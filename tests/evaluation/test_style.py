"""Style, copied runs and variety, by their properties."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from localpers.evaluation.metrics import tokens
from localpers.evaluation.style import CopyIndex, StyleProfile, distinct

WORDS = st.lists(
    st.sampled_from(["river", "mill", "bread", "salt", "honey", "川", "低", "x1"]), max_size=14
)
TEXT = WORDS.map(" ".join)


def longest_by_definition(text: str, learned: list[str]) -> int:
    words = tokens(text)
    sources = [tokens(source) for source in learned]
    runs = [
        words[start:end] for start in range(len(words)) for end in range(start + 1, len(words) + 1)
    ]
    found = [
        len(run)
        for run in runs
        if any(run == s[at : at + len(run)] for s in sources for at in range(len(s)))
    ]
    return max(found, default=0)


@settings(deadline=None)
@given(TEXT, st.lists(TEXT, max_size=4))
def test_the_longest_copied_run_is_what_the_definition_says(text: str, learned: list[str]) -> None:
    assert CopyIndex(learned).longest(text) == longest_by_definition(text, learned)


def test_a_run_counts_across_case_and_punctuation_but_not_across_texts() -> None:
    index = CopyIndex(["The mill, idle.", "All week it stood."])
    assert index.longest("so the MILL -- idle all week") == 3
    assert index.longest("") == CopyIndex([]).longest("the mill") == 0


@settings(deadline=None)
@given(TEXT, st.dictionaries(st.text("ab", max_size=2), TEXT, max_size=4))
def test_similarity_is_a_fraction_and_leaves_the_own_group_out(
    text: str, groups: dict[str, str]
) -> None:
    profile = StyleProfile(groups)
    assert 0 <= profile.similarity(text) <= 1 + 1e-9
    for group in groups:
        rest = StyleProfile({name: value for name, value in groups.items() if name != group})
        assert profile.similarity(text, without=group) == rest.similarity(text)


def test_who_writes_alike_is_more_similar() -> None:
    mine = "i never capitalise -- not even names -- and i like dashes -- lots of them"
    profile = StyleProfile({"a": mine, "b": "so it goes -- and goes -- and never stops, not even"})
    alike = profile.similarity("we went home -- not even tired -- and never capitalised")
    other = profile.similarity("THE COMMITTEE HEREBY RESOLVES THAT: (I) FEES SHALL RISE;")
    assert alike > other + 0.1
    assert StyleProfile({"a": mine}).similarity(mine) > 0.999


@given(TEXT, st.integers(1, 3))
def test_distinct_is_a_fraction(text: str, n: int) -> None:
    assert 0 < distinct(text, n) <= 1


def test_repetition_lowers_distinct() -> None:
    assert distinct("a b a b a b", 2) == 2 / 5
    assert distinct("a b c d", 2) == 1
