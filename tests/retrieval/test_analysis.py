from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.retrieval.analysis import (
    LONGEST_TERM,
    SNOWBALL,
    analyse,
    is_unspaced_character,
    query_compounds,
    query_terms,
)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Running runs", "en", ["run", "run"]),
        ("running", "", ["running"]),
        ("getUserName", "", ["getusername", "get", "user", "name"]),
        ("HTTPServer", "", ["httpserver", "http", "server"]),
        ("foo_bar.baz", "", ["foo_bar.baz", "foo", "bar", "baz"]),
        ("2024-05-17", "en", ["2024-05-17", "2024", "05", "17"]),
        ("C++ or C#", "", ["c++", "or", "c#"]),
        ("日本語", "ja", ["日本", "本語", "語"]),
        ("Python入門", "ja", ["python", "入門", "門"]),
        ("猫", "ja", ["猫"]),
        ("GitHubで公開", "ja", ["github", "git", "hub", "で公", "公開", "開"]),
        ("foo_bar.bazを", "ja", ["foo_bar.baz", "foo", "bar", "baz", "を"]),
        ("使用iPhone-15吧", "zh", ["使用", "用", "iphone-15", "iphone", "i", "phone", "15", "吧"]),
        ("C++で C++17", "", ["c++", "で", "c++", "17"]),
        ("İstanbul ISTANBUL istanbul", "tr", ["istanbul", "istanbul", "istanbul"]),
        ("İstanbul istanbul", "", ["istanbul", "istanbul"]),
        ("Wind\u00admühle hyper\u200bspace", "", ["windmühle", "hyperspace"]),
        ("e\u2010mail", "", ["e-mail", "e", "mail"]),
        ("ﬁne Straße", "", ["fine", "strasse"]),
        ("été", "fr", ["été"]),
        ("nice 😀!", "", ["nice", "😀"]),
        ("हिन्दी", "", ["हिन्दी"]),
        ('"AND" * NOT (', "", ["and", "not"]),
    ],
)
def test_terms(text: str, language: str, expected: list[str]) -> None:
    assert analyse(text, language) == expected


def test_a_composed_and_a_decomposed_letter_are_one_term() -> None:
    assert analyse("caf\u00e9") == analyse("cafe\u0301")


def test_a_query_is_stemmed_as_each_language_of_the_index_would() -> None:
    assert set(query_terms("running Häuser", ["en", "de"])) == {"run", "running", "häuser", "haus"}
    assert query_terms("running", []) == ["running"]


@given(st.text(), st.sampled_from(["", "ja", *SNOWBALL]))
def test_any_text_gives_bounded_terms_without_blanks(text: str, language: str) -> None:
    for term in analyse(text, language):
        assert term and not any(map(str.isspace, term))
        assert len(term) <= LONGEST_TERM * 3


@given(st.text(), st.sampled_from(["", "en", "ja"]))
def test_a_text_is_found_by_itself(text: str, language: str) -> None:
    indexed = analyse(text, language)
    asked = query_terms(text, [language])
    # Only the last characters of bigrams are more: those that a query of one character needs.
    assert set(asked) <= set(indexed) and bool(asked) == bool(indexed)
    more = Counter(indexed) - Counter(asked)
    assert all(map(is_unspaced_character, more))


def test_compounds_are_told_with_their_parts() -> None:
    found = query_compounds("how getUserName differs from foo-bar, _x and 日本語", ["en", ""])
    assert [(*whole, [name for part in parts for name in part]) for whole, parts in found] == [
        ("getusername", ["get", "user", "name"]),
        ("foo-bar", ["foo", "bar"]),
    ]


@given(st.text(), st.lists(st.sampled_from(["", "en", "ja"]), max_size=2))
def test_compounds_and_their_parts_are_terms_of_the_query(text: str, languages: list[str]) -> None:
    compounds = query_compounds(text, languages)
    parts = Counter(form for _, some in compounds for part in some for form in part)
    wholes = Counter(form for whole, _ in compounds for form in whole)
    assert wholes + parts <= Counter(query_terms(text, languages))
