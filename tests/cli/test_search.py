"""`localpers search`: what is found in any language, and what the question makes of the ranking."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from localpers.profile import Profile
from localpers.store import Store
from tests.conftest import CommandLine, write


@pytest.fixture(autouse=True)
def by_words_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No encoder is installed, so that `auto` ranks by words."""
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path / "no-models"))


def ingest(cli: CommandLine, folder: Path, files: dict[str, str]) -> None:
    assert cli("ingest", write(folder / "notes", files)).code == 0


def names(cli: CommandLine, *arguments: object) -> list[str]:
    return [Path(hit["path"]).stem for hit in cli("search", *arguments, "--json").json]


def explained(cli: CommandLine, *arguments: object) -> list[dict[str, Any]]:
    return [hit["explain"] for hit in cli("search", *arguments, "--explain", "--json").json]


def dated(day: date, title: str, body: str) -> str:
    return f"---\ndate: {day}\ntitle: {title}\n---\n\n{body}\n"


@pytest.mark.parametrize(
    ("text", "queries"),
    [
        ("東京駅で友人と昼食を食べた。来週は京都へ行く。", ["東京", "昼食", "東京駅", "京都"]),
        ("我们在北京大学学习机器学习。", ["北京", "机器学习", "大学"]),
        ("우리는 서울에서 기계 학습을 공부했다.", ["서울", "기계"]),
        ("เราเรียนภาษาไทยที่กรุงเทพ", ["ภาษา", "กรุงเทพ"]),
        ("Die Häuser standen am Fluss und die Bücher lagen offen herum.", ["Haus", "BÜCHER"]),
        ("Les chevaux couraient dans les prairies pendant tout l'été.", ["prairie", "été"]),
        ("Мы читали интересные книги в старой библиотеке.", ["книга", "библиотека"]),
        ("Call `getUserName` in foo_bar.baz first.", ["getUserName", "user", "foo_bar.baz", "baz"]),
        ("It cost 1,234.50 euros on 2024-05-17.", ["1,234.50", "1234.50", "2024-05-17", "1,234"]),
        ("See https://example.com/path/page?id=7 for more.", ["example.com", "path/page"]),
        ("A fine day 🎉 with cake, naïve ﬁgures and ＦＵＬＬ width.", ["🎉", "figures", "full"]),
    ],
)
def test_a_note_is_found_in_its_language(
    cli: CommandLine, tmp_path: Path, text: str, queries: list[str]
) -> None:
    ingest(cli, tmp_path, {"wanted.md": f"{text}\n", "other.md": "The river was low.\n"})
    for query in queries:
        for retriever in ("auto", "bm25"):
            assert names(cli, query, "--retriever", retriever) == ["wanted"], (query, retriever)


def test_an_old_index_is_analysed_again_by_itself(cli: CommandLine, tmp_path: Path) -> None:
    ingest(cli, tmp_path, {"a.md": "The river was low.\n"})
    with Store.open(Profile.open()) as store, store.transaction():
        store.postings.clear()
        store.fields.clear()
        store.set_meta("analysis_version", "0")
    assert names(cli, "river") == ["a"]


@pytest.fixture
def talks(cli: CommandLine, tmp_path: Path) -> None:
    today = date.today()
    body = "A talk about bridges, and how they are kept. "
    ingest(
        cli,
        tmp_path,
        {
            "old.md": dated(today - timedelta(900), "Old", body + "The talk was a long talk."),
            "last.md": dated(today - timedelta(7), "Last", body + "It was cold in the hall."),
            "draft.md": dated(today - timedelta(400), "Draft", "A draft of a tweet. Draft, tweet."),
            "2023.md": dated(date(2023, 6, 1), "Then", "What bridges need, in short: a talk."),
        },
    )


@pytest.mark.usefixtures("talks")
def test_a_request_is_searched_for_its_topic_and_time(cli: CommandLine) -> None:
    query = "draft a tweet about last week's talk"
    found = names(cli, query)
    assert found[0] == "last" and "draft" not in found
    why = explained(cli, query)[0]
    assert why["query"]["ignored"] == ["draft a tweet about"]
    assert [term["term"] for term in why["query"]["terms"] if term["content"]] == ["talk"]
    assert why["time"] > 0 and len(why["query"]["times"]) == 1
    assert "draft" in names(cli, query, "--retriever", "bm25")


@pytest.mark.usefixtures("talks")
def test_a_year_prefers_the_documents_of_it(cli: CommandLine) -> None:
    assert names(cli, "bridges in 2023")[0] == "2023"
    assert names(cli, "what did I do in 2023?") == ["2023"]
    assert names(cli, "what did I write in 2023?") == names(cli, "notes from 2023") == ["2023"]
    assert names(cli, "latest talk")[0] == "last"


@pytest.mark.usefixtures("talks")
def test_explain_shows_what_the_score_is_made_of(cli: CommandLine) -> None:
    for hit in cli("search", "long talk", "--explain", "--json").json:
        why = hit["explain"]
        terms = sum(term["score"] for term in why["terms"])
        assert hit["score"] == pytest.approx(terms * (1 + why["time"] + why["recency"]))
    outcome = cli("search", "tweet about last week's talk", "--explain")
    for part in ("Query (term, idf)", "Instruction", "Preferred", "date +"):
        assert part in outcome.out


def test_title_heading_and_tags_are_found_and_weigh_more(cli: CommandLine, tmp_path: Path) -> None:
    body = "Nothing is said of it in the words that stand here below, only of rivers and rain."
    ingest(
        cli,
        tmp_path,
        {
            "title.md": f"---\ntitle: Zeppelin\n---\n\n{body} And a balloon.\n",
            "tag.md": f"---\ntags: [dirigible]\n---\n\n{body} One more.\n",
            "body.md": f"{body} There was a zeppelin in the sky over the river.\n",
        },
    )
    assert names(cli, "zeppelin") == ["title", "body"]
    assert names(cli, "dirigible") == ["tag"]
    assert names(cli, "dirigible", "--retriever", "bm25") == []


def test_copies_do_not_fill_the_list(cli: CommandLine, tmp_path: Path) -> None:
    text = "The mill by the river stood idle for a whole summer, and nobody could say why. " * 3
    files = {f"copy{n}.md": f"{text}\n" for n in range(5)}
    ingest(cli, tmp_path, files | {"other.md": "Another mill, of wind, on a hill.\n"})
    found = names(cli, "mill")
    assert sorted(name[:4] for name in found) == ["copy", "othe"]
    copies = {len(why["copies"]) for why in explained(cli, "mill")}
    assert copies == {0, 4}
    assert len(names(cli, "mill", "--retriever", "bm25")) == 6


def test_only_function_words_in_common_is_nothing_found(cli: CommandLine, tmp_path: Path) -> None:
    ingest(cli, tmp_path, {"a.md": "What is the river of the land?\n"})
    outcome = cli("search", "What is the capital of Mongolia?")
    assert outcome.code == 0 and outcome.out == "" and "Nothing found" in outcome.err
    assert names(cli, "what is the") == ["a"]
