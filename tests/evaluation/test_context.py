"""Passages by condition: only of documents that may be retrieved, the same each time."""

from __future__ import annotations

from pathlib import Path

from localpers.evaluation.context import HeldOutContext, other_persons
from localpers.evaluation.neutral import neutral_text
from localpers.profile import Profile
from localpers.retrieval.retriever import Retriever
from localpers.store import Store
from localpers.tuning.context import OtherDocuments
from tests.conftest import CommandLine, write


def notes(folder: Path, number: int, word: str = "mill") -> Path:
    return write(
        folder,
        {
            f"{n:02}.md": f"---\ndate: 2024-01-{n + 1:02}\n---\n# The {word} {n}\n\n"
            f"The {word} stood idle for {n} weeks, and nobody came.\n"
            for n in range(number)
        },
    )


def test_only_what_may_be_retrieved_is_found(cli: CommandLine, tmp_path: Path) -> None:
    assert cli("ingest", notes(tmp_path / "notes", 25)).code == 0
    with Store.open(Profile.open()) as store:
        documents = sorted(store.documents.all(), key=lambda document: document.date)
        allowed = documents[:4]
        context = HeldOutContext(
            store, {d.content_hash for d in allowed}, other_persons(Profile.open())
        )
        for form in ("auto", "bm25", "recency", "random"):
            found = context.find("the idle mill", 3, form)
            assert len(found) == 3 and {p.document for p in found} <= {d.id for d in allowed}
            assert context.find("the idle mill", 3, form) == found
        assert [p.date[:10] for p in context.find("", 2, "recency")] == ["2024-01-04", "2024-01-03"]
        assert context.retrievable.keys() == {d.id for d in allowed}


def test_relative_times_count_from_the_newest_that_may_be_retrieved(
    cli: CommandLine, tmp_path: Path
) -> None:
    assert cli("ingest", notes(tmp_path / "notes", 25)).code == 0
    with Store.open(Profile.open()) as store:
        allowed = sorted(store.documents.all(), key=lambda document: document.date)[:16]
        context = HeldOutContext(store, {d.content_hash for d in allowed})
        assert context.today.isoformat() == "2024-01-16"
        found = context.find("the idle mill last week", 7, "auto")
        assert {p.date[:10] for p in found} == {f"2024-01-{day:02}" for day in range(8, 15)}
        earlier = OtherDocuments(Retriever(store), allowed, 1, only_earlier=True)
        assert [p.date[:10] for p in earlier("the idle mill yesterday", allowed[9])] == [
            "2024-01-09"
        ]


def test_another_person_is_another_profile_or_one_that_is_shipped(
    cli: CommandLine, tmp_path: Path
) -> None:
    mine = Profile.open()
    shipped = other_persons(mine)
    assert shipped.source == "shipped" and len(shipped.passages) >= 6
    assert all(passage.title and passage.text for passage in shipped.passages)
    cli("--profile", "somebody", "ingest", notes(tmp_path / "other", 3, "ferry"))
    found = other_persons(mine)
    assert found.source == "profile" and all("ferry" in passage.text for passage in found.passages)
    cli("ingest", notes(tmp_path / "notes", 2))
    with Store.open(mine) as store:
        context = HeldOutContext(store, (), found)
        assert {p.text for p in context.find("x", 2, "mismatched")} <= {
            p.text for p in found.passages
        }


def test_folders_that_are_no_profile_or_a_damaged_one_are_passed_over(
    cli: CommandLine, tmp_path: Path, home: Path
) -> None:
    mine = Profile.open()
    for name in ("a copy (2)", "broken"):
        write(home / "profiles" / name, {"index.sqlite": "no database, but long enough" * 40})
    assert other_persons(mine).source == "shipped"
    assert cli("--profile", "somebody", "ingest", notes(tmp_path / "other", 3, "ferry")).code == 0
    assert other_persons(mine).source == "profile"


def test_the_neutral_text_is_as_long_as_stated() -> None:
    assert 400 <= len(neutral_text().split()) <= 600
