"""Bounds and ranges, in the ten languages of the table, and what is no time."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.retrieval.dates import words as date_words
from localpers.retrieval.dates.expressions import time_expressions

WEDNESDAY = date(2026, 11, 25)
TODAY = WEDNESDAY.isoformat()
BEGINNING = "1900-01-01"

BOUNDS = [
    ("since March 2026", "2026-03-01", TODAY),
    ("before June 2025", BEGINNING, "2025-05-31"),
    ("after March 2024", "2024-04-01", TODAY),
    ("until May 2024", BEGINNING, "2024-05-31"),
    ("up to May 2024", BEGINNING, "2024-05-31"),
    ("since 2024-03-05", "2024-03-05", TODAY),
    ("since March", "2026-03-01", TODAY),
    ("since last week", "2026-11-16", TODAY),
    ("since Monday", "2026-11-23", TODAY),
    ("before last week", BEGINNING, "2026-11-15"),
    ("before 2020", BEGINNING, "2019-12-31"),
    ("after 2020", "2021-01-01", TODAY),
    ("since 5 March", "2026-03-05", TODAY),
    ("since the 5th of March", "2026-03-05", TODAY),
    ("seit März 2024", "2024-03-01", TODAY),
    ("vor Juni 2025", BEGINNING, "2025-05-31"),
    ("nach März 2024", "2024-04-01", TODAY),
    ("bis Mai 2024", BEGINNING, "2024-05-31"),
    ("bis zum 5. Mai 2024", BEGINNING, "2024-05-05"),
    ("vor 3 Tagen", "2026-11-22", "2026-11-22"),
    ("seit Montag", "2026-11-23", TODAY),
    ("seit letzter Woche", "2026-11-16", TODAY),
    ("seit dem 05.03.2024", "2024-03-05", TODAY),
    ("depuis mars 2024", "2024-03-01", TODAY),
    ("avant juin 2025", BEGINNING, "2025-05-31"),
    ("après mars 2024", "2024-04-01", TODAY),
    ("jusqu'à mai 2024", BEGINNING, "2024-05-31"),
    ("jusqu’en mai 2024", BEGINNING, "2024-05-31"),
    ("depuis la semaine dernière", "2026-11-16", TODAY),
    ("depuis lundi", "2026-11-23", TODAY),
    ("avant le 5 mars 2024", BEGINNING, "2024-03-04"),
    ("depuis hier", "2026-11-24", TODAY),
    ("desde marzo de 2024", "2024-03-01", TODAY),
    ("antes de junio de 2025", BEGINNING, "2025-05-31"),
    ("después de marzo de 2024", "2024-04-01", TODAY),
    ("hasta mayo de 2024", BEGINNING, "2024-05-31"),
    ("antes del 5 de marzo de 2024", BEGINNING, "2024-03-04"),
    ("desde el lunes", "2026-11-23", TODAY),
    ("desde la semana pasada", "2026-11-16", TODAY),
    ("desde hace 3 días", "2026-11-22", TODAY),
    ("da marzo 2024", "2024-03-01", TODAY),
    ("dal 5 marzo 2024", "2024-03-05", TODAY),
    ("da lunedì", "2026-11-23", TODAY),
    ("prima di giugno 2025", BEGINNING, "2025-05-31"),
    ("dopo marzo 2024", "2024-04-01", TODAY),
    ("fino a maggio 2024", BEGINNING, "2024-05-31"),
    ("dalla settimana scorsa", "2026-11-16", TODAY),
    ("dal 2020", "2020-01-01", TODAY),
    ("desde março de 2024", "2024-03-01", TODAY),
    ("antes de junho de 2025", BEGINNING, "2025-05-31"),
    ("depois de março de 2024", "2024-04-01", TODAY),
    ("até maio de 2024", BEGINNING, "2024-05-31"),
    ("notas da semana passada", "2026-11-16", "2026-11-22"),
    ("na semana passada", "2026-11-16", "2026-11-22"),
    ("sinds maart 2024", "2024-03-01", TODAY),
    ("voor juni 2025", BEGINNING, "2025-05-31"),
    ("na maart 2024", "2024-04-01", TODAY),
    ("tot mei 2024", BEGINNING, "2024-05-31"),
    ("sinds maandag", "2026-11-23", TODAY),
    ("sinds vorige week", "2026-11-16", TODAY),
    ("2024年3月以降", "2024-03-01", TODAY),
    ("2024年3月以来", "2024-03-01", TODAY),
    ("先週から", "2026-11-16", TODAY),
    ("2025年6月以前", BEGINNING, "2025-05-31"),
    ("2025年6月より前", BEGINNING, "2025-05-31"),
    ("2024年5月まで", BEGINNING, "2024-05-31"),
    ("月曜日から", "2026-11-23", TODAY),
    ("2019以降", "2019-01-01", TODAY),
    ("3月から", "2026-03-01", TODAY),
    ("2024年3月以后", "2024-03-01", TODAY),
    ("2024年3月之后", "2024-04-01", TODAY),
    ("2024年3月起", "2024-03-01", TODAY),
    ("从2019年起", "2019-01-01", TODAY),
    ("2025年6月之前", BEGINNING, "2025-05-31"),
    ("2020年以前", BEGINNING, "2019-12-31"),
    ("上周以来", "2026-11-16", TODAY),
    ("自去年以来", "2025-01-01", TODAY),
    ("2024년 3월 이후", "2024-03-01", TODAY),
    ("2024년 3월부터", "2024-03-01", TODAY),
    ("2025년 6월 이전", BEGINNING, "2025-05-31"),
    ("2024년 5월까지", BEGINNING, "2024-05-31"),
    ("지난주부터", "2026-11-16", TODAY),
    ("월요일부터", "2026-11-23", TODAY),
]
RANGES = [
    ("between March and May 2024", "2024-03-01", "2024-05-31"),
    ("from March to May 2024", "2024-03-01", "2024-05-31"),
    ("March–May 2024", "2024-03-01", "2024-05-31"),
    ("Mar-May 2024", "2024-03-01", "2024-05-31"),
    ("March to May 2024", "2024-03-01", "2024-05-31"),
    ("between 2019 and 2021", "2019-01-01", "2021-12-31"),
    ("2025-2026", "2025-01-01", "2026-12-31"),
    ("2019–2021", "2019-01-01", "2021-12-31"),
    ("2019 - 2021", "2019-01-01", "2021-12-31"),
    ("from 2024-01-05 to 2024-02-01", "2024-01-05", "2024-02-01"),
    ("between 5 and 10 March 2024", "2024-03-05", "2024-03-10"),
    ("March 5-10, 2024", "2024-03-05", "2024-03-10"),
    ("5–10 March 2024", "2024-03-05", "2024-03-10"),
    ("from March to May", "2026-03-01", "2026-05-31"),
    ("between November and February 2024", "2023-11-01", "2024-02-29"),
    ("between Monday and Wednesday", "2026-11-23", TODAY),
    ("from Thursday to Friday", "2026-11-19", "2026-11-20"),
    ("from 5 March to 10 April 2024", "2024-03-05", "2024-04-10"),
    ("from March 2024 to May", "2024-03-01", "2024-05-31"),
    ("between last March and May", "2026-03-01", "2026-05-31"),
    ("zwischen März und Mai 2024", "2024-03-01", "2024-05-31"),
    ("von März bis Mai 2024", "2024-03-01", "2024-05-31"),
    ("zwischen 2019 und 2021", "2019-01-01", "2021-12-31"),
    ("vom 5. bis zum 10. März 2024", "2024-03-05", "2024-03-10"),
    ("vom 05.01.2024 bis 01.02.2024", "2024-01-05", "2024-02-01"),
    ("entre mars et mai 2024", "2024-03-01", "2024-05-31"),
    ("de mars à mai 2024", "2024-03-01", "2024-05-31"),
    ("du 5 au 10 mars 2024", "2024-03-05", "2024-03-10"),
    ("de 2019 à 2021", "2019-01-01", "2021-12-31"),
    ("entre marzo y mayo de 2024", "2024-03-01", "2024-05-31"),
    ("de marzo a mayo de 2024", "2024-03-01", "2024-05-31"),
    ("del 5 al 10 de marzo de 2024", "2024-03-05", "2024-03-10"),
    ("desde 2019 hasta 2021", "2019-01-01", "2021-12-31"),
    ("tra marzo e maggio 2024", "2024-03-01", "2024-05-31"),
    ("fra il 2019 e il 2021", "2019-01-01", "2021-12-31"),
    ("da marzo a maggio 2024", "2024-03-01", "2024-05-31"),
    ("dal 2019 al 2021", "2019-01-01", "2021-12-31"),
    ("entre março e maio de 2024", "2024-03-01", "2024-05-31"),
    ("de março a maio de 2024", "2024-03-01", "2024-05-31"),
    ("de 2019 até 2021", "2019-01-01", "2021-12-31"),
    ("tussen maart en mei 2024", "2024-03-01", "2024-05-31"),
    ("van maart tot mei 2024", "2024-03-01", "2024-05-31"),
    ("2019年から2021年まで", "2019-01-01", "2021-12-31"),
    ("3月から5月", "2026-03-01", "2026-05-31"),
    ("2024年3月から5月まで", "2024-03-01", "2024-05-31"),
    ("2019年〜2021年", "2019-01-01", "2021-12-31"),
    ("2019年と2021年の間", "2019-01-01", "2021-12-31"),
    ("从2019年到2021年", "2019-01-01", "2021-12-31"),
    ("2019年和2021年之间", "2019-01-01", "2021-12-31"),
    ("2019年到2021年之间", "2019-01-01", "2021-12-31"),
    ("三月到五月", "2026-03-01", "2026-05-31"),
    ("从2019到2021", "2019-01-01", "2021-12-31"),
    ("2019년부터 2021년까지", "2019-01-01", "2021-12-31"),
    ("3월부터 5월까지", "2026-03-01", "2026-05-31"),
    ("2019년에서 2021년", "2019-01-01", "2021-12-31"),
]
NO_TIMES = [
    "C++ 2020",
    "2.2024",
    "python 3.10/2024",
    "version 2024.1",
    "it may rain",
    "the march of time",
    "spring boot",
    "fall back",
    "how to configure Spring Boot",
    "in spring boot",
    "le printemps",
    "verano",
    "printemps",
    "we march in line",
    "before",
    "after lunch",
    "before dinner",
    "after the talk",
    "since it rains",
    "the monday blues",
    "lundi",
    "Montag",
    "monday",
    "this may be",
    "this march",
    "tests in fall back mode",
    "in the spring of life",
    "the fall of Rome",
    "since spring boot",
    "after the fall",
    "from 5 to 10",
    "pages 10-20",
    "東京",
    "春日部",
    "write 2000 words",
    "between you and me",
    "version 2024",
    "秋葉原",
    "2000年間の",
    "次の月",
    "first quarter",
    "the summer",
    "version 2.2023",
    "a été",
    "spring and fall",
    "may and june",
]
RELATIVE = ["since Monday", "since last week", "last winter", "this spring", "on Monday", "上周一"]
RELATIVE += ["the week before last", "last quarter", "from yesterday to today", "지난 여름"]
NOT_RELATIVE = [
    "since March 2024",
    "Q1 2024",
    "spring 2024",
    "between 2019 and 2021",
    "since March",
]
NOT_RELATIVE += ["10/06/2023", "before 2020", "in summer", "early 2023", "2019年以降"]


def _told(query: str, today: date = WEDNESDAY) -> list[tuple[str, str]]:
    found = time_expressions(query, today)
    return [(time.first.isoformat(), time.last.isoformat()) for time in found]


@pytest.mark.parametrize(("query", "first", "last"), [*BOUNDS, *RANGES])
def test_words_together_tell_a_time(query: str, first: str, last: str) -> None:
    assert _told(query) == [(first, last)]


@pytest.mark.parametrize("query", NO_TIMES)
def test_words_that_mean_other_things_are_no_time(query: str) -> None:
    assert _told(query) == []


@pytest.mark.parametrize(
    ("query", "whole"),
    [
        ("notes since last March about boats", "since last March"),
        ("what I read between March and May 2024", "between March and May 2024"),
        ("before the end of 2023 we moved", "before the end of 2023"),
        ("自去年以来的笔记", "自去年以来"),
        ("2019年から2021年までのメモ", "2019年から2021年まで"),
        ("2019년부터 2021년까지 쓴 글", "2019년부터 2021년까지"),
        ("le jardin l'été dernier", "été dernier"),
    ],
)
def test_the_words_beside_a_time_belong_to_it(query: str, whole: str) -> None:
    (time,) = time_expressions(query, WEDNESDAY)
    assert query[time.start : time.end] == whole


@pytest.mark.parametrize("query", RELATIVE)
def test_no_document_holds_the_words_of_a_relative_time(query: str) -> None:
    assert [time.relative for time in time_expressions(query, WEDNESDAY)] == [True]


@pytest.mark.parametrize("query", NOT_RELATIVE)
def test_documents_hold_the_words_of_other_times(query: str) -> None:
    assert not any(time.relative for time in time_expressions(query, WEDNESDAY))


def test_a_day_that_can_be_read_two_ways_means_both() -> None:
    one, other = time_expressions("paid 10/06/2023", WEDNESDAY)
    assert (one.start, one.end) == (other.start, other.end)
    assert {one.first, other.first} == {date(2023, 6, 10), date(2023, 10, 6)}


def test_the_other_end_of_a_range_tells_how_a_day_is_read() -> None:
    assert _told("from 10/06/2023 to 25/06/2023") == [("2023-06-10", "2023-06-25")]
    both = _told("from 10/06/2023 to 12/06/2023")
    assert both == [("2023-06-10", "2023-06-12"), ("2023-10-06", "2023-12-06")]


@pytest.mark.parametrize("query", ["from 2021 to 2019", "between 2021 and 2019"])
def test_a_range_does_not_run_backwards(query: str) -> None:
    assert len(_told(query)) == 2


def test_since_what_lies_in_the_future_ends_with_it() -> None:
    assert _told("since 2027") == [("2027-01-01", "2027-12-31")]
    assert _told("after 2026") == [("2027-01-01", "2027-01-01")]


_WORDS = sorted(
    word
    for table in vars(date_words).values()
    if isinstance(table, dict | frozenset)
    for word in table
    if isinstance(word, str)
)
_NUMBERS = ["2023", "5", "10/06/2023", "Q1", "3月", "2019年", "2024-03-05", "–", ",", "İ", "ı"]


@given(
    st.lists(st.sampled_from([*_WORDS, *_NUMBERS]), max_size=8),
    st.sampled_from([" ", ""]),
    st.dates(min_value=date(1901, 1, 1)),
)
def test_any_of_the_words_give_ordered_spans(words: list[str], joint: str, today: date) -> None:
    query = joint.join(words)
    places = []
    for time in time_expressions(query, today):
        assert time.start < time.end <= len(query) and time.first <= time.last
        places.append((time.start, time.end))
    apart = pairwise(dict.fromkeys(places))
    assert all(end <= start for (_, end), (start, _) in apart)
