from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.retrieval.dates.expressions import closeness, recent, time_expressions

WEDNESDAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("a tweet about last week's talk", "2026-11-16", "2026-11-22"),
        ("yesterday", "2026-11-24", "2026-11-24"),
        ("what happened three days ago", "2026-11-22", "2026-11-22"),
        ("last March", "2026-03-01", "2026-03-31"),
        ("in December", "2025-12-01", "2025-12-31"),
        ("the meeting last Monday", "2026-11-23", "2026-11-23"),
        ("in 2023", "2023-01-01", "2023-12-31"),
        ("March 5, 2023", "2023-03-05", "2023-03-05"),
        ("the past 3 months", "2026-08-26", "2026-11-25"),
        ("since 2020", "2020-01-01", "2026-11-25"),
        ("2024-05", "2024-05-01", "2024-05-31"),
        ("letzte Woche", "2026-11-16", "2026-11-22"),
        ("vor zwei Wochen", "2026-11-09", "2026-11-15"),
        ("am 17.05.2024", "2024-05-17", "2024-05-17"),
        ("la semaine dernière", "2026-11-16", "2026-11-22"),
        ("il y a 3 jours", "2026-11-22", "2026-11-22"),
        ("le mois dernier", "2026-10-01", "2026-10-31"),
        ("la semana pasada", "2026-11-16", "2026-11-22"),
        ("5 de marzo de 2023", "2023-03-05", "2023-03-05"),
        ("la settimana scorsa", "2026-11-16", "2026-11-22"),
        ("afgelopen week", "2026-11-16", "2026-11-22"),
        ("先週の講演", "2026-11-16", "2026-11-22"),
        ("一昨年", "2024-01-01", "2024-12-31"),
        ("2023年3月5日", "2023-03-05", "2023-03-05"),
        ("上周的会议", "2026-11-16", "2026-11-22"),
        ("三个月前", "2026-08-01", "2026-08-31"),
        ("지난주 회의", "2026-11-16", "2026-11-22"),
    ],
)
def test_a_time_is_understood(query: str, first: str, last: str) -> None:
    (found,) = time_expressions(query, WEDNESDAY)
    assert (found.first.isoformat(), found.last.isoformat()) == (first, last)


@pytest.mark.parametrize(
    "query", ["the river", "this may be", "write 2000 words", "version 2.2023", "room 2350", "東京"]
)
def test_other_words_are_no_time(query: str) -> None:
    assert time_expressions(query, WEDNESDAY) == []


def test_what_is_new_is_asked_for_without_a_time() -> None:
    assert recent("my latest notes") and recent("最近のメモ") and not recent("the river")


def test_closeness_falls_outside_of_the_time() -> None:
    week = time_expressions("last week", WEDNESDAY)
    days = [date(2026, 11, 18), date(2026, 11, 24), date(2026, 11, 25), date(2025, 1, 1)]
    near = [closeness(day, week) for day in days]
    assert near[0] == 1 and near == sorted(near, reverse=True) and near[1] < 0.5


@given(st.text(), st.dates(min_value=date(1901, 1, 1)))
def test_any_text_gives_ordered_spans(text: str, today: date) -> None:
    end, place = 0, (0, 0)
    for found in time_expressions(text, today):
        # Two readings of one day have the same place.
        assert end <= found.start or place == (found.start, found.end)
        assert found.start < found.end <= len(text) and found.first <= found.last
        end, place = found.end, (found.start, found.end)
