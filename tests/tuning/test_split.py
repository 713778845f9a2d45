"""What is held out is never learned from: by document, by content and, where dated, by time."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from localpers.datatypes import Kind, StoredDocument
from localpers.tuning.split import split

DATES = st.dates().map(lambda date: date.isoformat())


@st.composite
def documents(draw: st.DrawFn, date_from: str | None = None) -> list[StoredDocument]:
    rows = draw(
        st.lists(
            st.tuples(
                DATES,
                st.sampled_from([date_from] if date_from else ["metadata", "file"]),
                st.integers(0, 40).map(str),
            ),
            min_size=2,
            max_size=40,
        )
    )
    return [
        StoredDocument(
            id=number,
            path=f"/notes/{number}.md",
            part="",
            title="",
            kind=Kind.NOTE,
            date=date,
            date_from=source,
            language="en",
            content_hash=content,
            text=content,
            blocks=(),
        )
        for number, (date, source, content) in enumerate(rows)
    ]


@given(documents(), st.floats(0.05, 0.45))
def test_the_sides_are_disjoint_and_nothing_is_lost(
    some: list[StoredDocument], share: float
) -> None:
    found = split(some, share)
    assert sorted(d.id for d in (*found.train, *found.held_out)) == [d.id for d in some]
    assert not {d.content_hash for d in found.train} & {d.content_hash for d in found.held_out}
    assert found.train
    if len({d.content_hash for d in some}) > 1:
        assert found.held_out


@given(documents(), st.randoms(use_true_random=False))
def test_the_order_of_the_documents_does_not_matter(
    some: list[StoredDocument], random: Random
) -> None:
    shuffled = list(some)
    random.shuffle(shuffled)
    one, other = split(some), split(shuffled)
    assert {d.id for d in one.held_out} == {d.id for d in other.held_out}
    assert one.by == other.by


@given(documents("metadata"))
def test_dated_documents_are_held_out_latest_first(some: list[StoredDocument]) -> None:
    found = split(some)
    assert found.by == "date"
    for late in found.held_out:
        copies = [d.date for d in found.held_out if d.content_hash == late.content_hash]
        assert max(copies) >= max(d.date for d in found.train)


@given(documents("file"))
def test_undated_documents_are_split_by_content(some: list[StoredDocument]) -> None:
    assert split(some).by == "content"


def test_a_tenth_is_held_out_but_enough_to_judge_by() -> None:
    def held_out(number: int) -> list[int]:
        some = [
            StoredDocument(
                n, f"/{n}", "", "", Kind.NOTE, f"2024-{n:04}", "metadata", "", str(n), "", ()
            )
            for n in range(number)
        ]
        return [d.id for d in split(some).held_out]

    assert held_out(100) == list(range(90, 100))
    assert held_out(40) == list(range(32, 40))
    assert held_out(20) == list(range(15, 20))


def test_documents_that_cannot_be_used_do_not_count_among_those_held_out() -> None:
    some = [
        StoredDocument(
            n, f"/{n}", "", "", Kind.NOTE, f"2024-{n:03}", "metadata", "", str(n), "", ()
        )
        for n in range(60)
    ]
    found = split(some, usable=lambda document: document.id < 50)
    assert [d.id for d in found.held_out] == list(range(44 - 2, 60))
    assert len(split(some, usable=lambda document: False).held_out) == 30
