"""What queries ask for, seen from what they find."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.retrieval.function_words import without_function_words
from localpers.retrieval.query import QueryParser
from tests.conftest import CommandLine, write

LAST_WEEK = date.today() - timedelta(date.today().weekday() + 4)


def note(title: str, body: str, day: date | str = "") -> str:
    head = f"---\ndate: {day}\n---\n\n" if day else ""
    return f"{head}# {title}\n\n{body}\n"


def titles(cli: CommandLine, *arguments: object) -> list[str]:
    return [hit["title"] for hit in cli("search", *arguments, "--json").json]


@pytest.fixture
def english(cli: CommandLine, tmp_path: Path) -> None:
    files = {
        "ai.md": note(
            "Machines", "AI will change how we work and what our jobs are.", "2020-01-01"
        ),
        "war.md": note("History", "The war began when the treaty failed.", "2020-02-01"),
        "van.md": note("Holidays", "Our van broke down near the coast.", "2020-03-01"),
        "dan.md": note("Talks", "Dan told us to plant early.", "2020-04-01"),
        "son.md": note("School", "My son started school in the village.", "2020-05-01"),
        "soccer.md": note("Soccer", "The players say that they start at noon.", "2020-06-01"),
        "bees.md": note("Talk on bees", "We spoke of bees at the conference.", LAST_WEEK),
        "bees_old.md": note("Bees in spring", "Bees swarm at the conference.", "2019-01-01"),
        "social.md": note("Media", "I write an enthusiastic and catchy tweet.", "2020-07-01"),
        "meeting.md": note("Meeting notes", "We met in room 20 in March.", "2015-01-01"),
        "diary.md": note("Rain", "It rained all day.", "2024-03-20"),
        "new.md": note("Frost", "The pipes froze.", date.today() - timedelta(1)),
    }
    assert cli("ingest", write(tmp_path / "notes", files)).code == 0


@pytest.mark.usefixtures("english")
def test_a_stop_word_of_another_language_is_a_topic(cli: CommandLine) -> None:
    assert titles(cli, "AI and jobs")[0] == "Machines"
    assert titles(cli, "what do I think about AI?") == ["Machines"]
    assert titles(cli, "causes of the war") == ["History"]
    assert titles(cli, "van insurance") == ["Holidays"]
    assert titles(cli, "what did Dan say?")[0] == "Talks"
    assert titles(cli, "son's hobbies") == ["School"]


@pytest.mark.usefixtures("english")
def test_what_a_text_is_to_be_like_is_not_looked_for(cli: CommandLine) -> None:
    assert titles(cli, "draft a catchy tweet about last week's talk")[0] == "Talk on bees"
    assert titles(cli, "write an enthusiastic tweet about bees (max 280 characters)") == [
        "Talk on bees",
        "Bees in spring",
    ]
    assert titles(cli, "write an enthusiastic tweet about quantum chromodynamics") == []
    assert titles(cli, "talk on bees")[0] == "Talk on bees"


@pytest.mark.usefixtures("english")
def test_of_a_query_by_date_alone_the_date_decides(cli: CommandLine) -> None:
    for query in ("2024-03-20", "March 20, 2024", "20 March 2024", "what happened on 20.03.2024?"):
        assert titles(cli, query)[0] == "Rain", query
    for query in ("latest notes", "my recent notes", "what happened yesterday?"):
        assert titles(cli, query)[0] == "Frost", query


@pytest.mark.usefixtures("english")
def test_a_note_from_the_future_does_not_hide_what_is_new(cli: CommandLine, tmp_path: Path) -> None:
    before = cli("search", "latest conference", "--json").json
    far = write(tmp_path / "future", {"far.md": note("Plans", "A comet returns.", "2099-01-01")})
    assert cli("ingest", far).code == 0
    after = cli("search", "latest conference", "--json").json
    assert [hit["title"] for hit in after] == ["Talk on bees", "Bees in spring"]
    assert after[0]["score"] / after[1]["score"] == pytest.approx(
        before[0]["score"] / before[1]["score"], rel=0.2
    )


def test_a_stem_of_another_language_is_no_match(cli: CommandLine, tmp_path: Path) -> None:
    files = {
        "a.md": note("Bread", "The sourdough starter needs flour and water each morning."),
        "b.md": note("School", "The children started school and they were very happy there."),
        "c.md": note("Motor", "Der Starter des Wagens ist kaputt und muss ersetzt werden."),
    }
    assert cli("ingest", write(tmp_path / "notes", files)).code == 0
    assert sorted(titles(cli, "starter")) == ["Bread", "Motor"]


@pytest.fixture
def asian(cli: CommandLine, tmp_path: Path) -> None:
    files = {
        "talk.md": note("発表", "新しい方法の発表をしました。", LAST_WEEK),
        "friend.md": note("友人の発表", "友人の発表を聞いた。よかった。", "2019-03-03"),
        "invention.md": note("昔の発明", "昔の発明についての本です。", "2019-04-04"),
        "cards.md": note("図書館", "カードとキーボードを買いました。", "2019-05-05"),
        "github.md": note("公開", "ソースをGitHubで公開した。JavaScriptを学ぶ。", "2019-06-06"),
        "zh.md": note("编译器", "关于编译器的演讲，我们讨论了数据库。", "2019-07-07"),
        "ko.md": note("회의", "지난주에 회의를 했다. 예산을 정했다.", LAST_WEEK),
        "ru.md": note("Кошка", "Кошка спит на окне, и я о ней думаю.", "2019-08-08"),
    }
    assert cli("ingest", write(tmp_path / "notes", files)).code == 0


@pytest.mark.usefixtures("asian")
def test_grammar_of_scripts_without_blanks_is_not_looked_for(cli: CommandLine) -> None:
    assert titles(cli, "先週の発表") == ["発表", "友人の発表"]
    assert titles(cli, "先週の発表についてツイートを書いて")[0] == "発表"
    assert titles(cli, "지난주의 회의") == ["회의"]
    assert titles(cli, "编译器的演讲") == ["编译器"]
    for query in ("上周做了什么", "지난주에 뭐 했어?", "先週何をしましたか"):
        assert sorted(titles(cli, query)) == ["発表", "회의"], query
    nothing = (
        "宇宙船の燃料は何でしたか",
        "パスワードは何ですか",
        "关于量子力学我写了什么",
        "我写过关于足球的笔记吗",
        "양자역학에 대해 쓴 메모",
        "что я писал о квантовой физике",
    )
    for query in nothing:
        assert titles(cli, query) == [], query


@pytest.mark.usefixtures("asian")
def test_names_between_characters_are_found_in_any_case(cli: CommandLine) -> None:
    for query in ("github", "GitHub", "javascript", "JavaScript"):
        assert titles(cli, query) == ["公開"], query


@given(st.text(), st.sampled_from([[], ["en"], ["ja", "de"]]))
def test_any_text_is_understood_as_something_to_look_for(text: str, languages: list[str]) -> None:
    query = QueryParser(languages, date(2024, 5, 1)).parse(text)
    assert query.content_terms or query.times or query.recent or not query.terms


@given(st.text(alphabet="のはがにでしたか発表食べ学了的我写회의에서 a"))
def test_function_words_leave_blanks_and_nothing_new(text: str) -> None:
    cut = without_function_words(text)
    assert set(cut) <= {*text, " "}
