"""Nearly the same text in another document is named as a copy, whatever its markup or script."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CommandLine, write

NOTE = (
    "The ferry to the island leaves at seven from the second quay, and the tickets are sold on "
    "board by a man with a red cap who has done so since the bridge was closed for repairs."
)
LETTER = (
    "島へ行く船は朝七時に第二埠頭から出ます。切符は船の中で赤い帽子の人が売っています。"
    "橋が工事で閉まってからもう一年になりますが、誰も急いではいないようです。"
)


def names(cli: CommandLine, tmp_path: Path, one: str, other: str, query: str) -> list[list[str]]:
    """For each hit the name of its note, and of those that it stands for."""
    assert cli("ingest", write(tmp_path / "notes", {"one.md": one, "other.md": other})).code == 0
    hits = cli("search", query, "--explain", "--json").json
    return [[Path(path).stem for path in (hit["path"], *hit["explain"]["copies"])] for hit in hits]


@pytest.mark.parametrize(
    ("one", "other", "query"),
    [
        (NOTE, NOTE.replace("seven", "**seven**").replace(", ", ",\n"), "ferry"),
        (NOTE, NOTE.replace("red cap", "blue cap"), "ferry quay"),
        (LETTER, LETTER.replace("赤い", "青い"), "埠頭"),
        ("🎉 🎉", "🎉 🎉 🎉", "🎉"),
    ],
)
def test_a_copy_stands_behind_what_it_copies(
    cli: CommandLine, tmp_path: Path, one: str, other: str, query: str
) -> None:
    ((first, *copies),) = names(cli, tmp_path, one, other, query)
    assert {first, *copies} == {"one", "other"}


@pytest.mark.parametrize(
    ("one", "other", "query"),
    [
        (NOTE, "A ferry ran aground on the sands, and nobody was hurt.", "ferry"),
        (NOTE, NOTE.replace("ferry", "steamer"), "steamer ferry"),
        (LETTER, "第二埠頭の倉庫は来月から美術館になります。", "埠頭"),
        ("🎉 🎂", "🎉 🌧", "🎉"),
    ],
)
def test_other_texts_and_what_alone_holds_a_word_of_the_query_stay(
    cli: CommandLine, tmp_path: Path, one: str, other: str, query: str
) -> None:
    assert len(names(cli, tmp_path, one, other, query)) == 2


def test_many_copies_do_not_shorten_the_list(cli: CommandLine, tmp_path: Path) -> None:
    letters = {f"letter-{n}.md": f"# Letter\n\n{NOTE} Yours, {n}" for n in range(120)}
    told = ("a band played", "we ate well", "nobody slept", "dogs bark", "rain fell", "I read")
    others = {f"other-{n}.md": f"# Diary\n\nOn board, {what}." for n, what in enumerate(told)}
    assert cli("ingest", write(tmp_path / "notes", letters | others)).code == 0
    hits = cli("search", NOTE, "-k", "5", "--explain", "--json").json
    first, *rest = [Path(hit["path"]).stem for hit in hits]
    assert first.startswith("letter")
    assert len(rest) == 4
    assert all(name.startswith("other") for name in rest)


def test_more_of_one_document_comes_before_others_that_hold_less(
    cli: CommandLine, tmp_path: Path
) -> None:
    """Only copies make room for what is found later."""
    races = [f"Harbour regatta, race {n}: {'wind ' * 220}{n}." for n in range(80)]
    weather = [f"Day {n}: {'rain ' * 220}{n}." for n in range(200)]
    notes = {"races.md": "\n\n".join(races), "weather.md": "\n\n".join(weather)}
    calm = f"# Monday\n\nThe harbour was calm. {'fog ' * 220}"
    diaries = {"calm.md": calm, "wild.md": calm.replace("calm", "wild")}
    assert cli("ingest", write(tmp_path / "notes", notes | diaries)).code == 0
    hits = cli("search", "harbour regatta", "-k", "5", "--json").json
    assert [Path(hit["path"]).stem for hit in hits] == ["races"] * 5
