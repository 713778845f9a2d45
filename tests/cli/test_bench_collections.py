"""What `bench retrieval FOLDER` makes of collections as they come: compressed, damaged, odd."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from localpers.bench.retrieval import beir as reading
from localpers.bench.retrieval.rankings import Rankings
from tests.conftest import CommandLine, Outcome, write

WORDS = ("river", "mill", "bread", "honey", "train", "garden")
MARK = b"\xef\xbb\xbf"


def rows(*objects: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in objects)


def documents(prefix: str = "d") -> list[dict[str, Any]]:
    return [{"_id": f"{prefix}{n}", "title": "", "text": word} for n, word in enumerate(WORDS)]


CORPUS = rows(*documents())
QUERIES = rows(*({"_id": f"q{n}", "text": f"the {word}"} for n, word in enumerate(WORDS)))
HEADER = "query-id\tcorpus-id\tscore\n"
JUDGED = "".join(f"q{n}\td{n}\t1\n" for n in range(len(WORDS)))


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    files = {"corpus.jsonl": CORPUS, "queries.jsonl": QUERIES, "qrels/test.tsv": HEADER + JUDGED}
    return write(tmp_path / "beir", files)


@pytest.fixture
def bench(cli: CommandLine, beir: Path) -> Any:
    """Measures the collection by bm25."""

    def run(*options: object) -> Outcome:
        return cli("bench", "retrieval", beir, "--retrievers", "bm25", "--json", *options)

    return run


def assert_perfect(outcome: Outcome, queries: int = len(WORDS)) -> None:
    assert outcome.code == 0, outcome.err
    assert outcome.json["queries"] == queries
    found = outcome.json["retrievers"]["bm25"]
    assert (found["mrr"], found["ndcg@10"], found["recall@100"]) == (1.0, 1.0, 1.0)


def complaint(outcome: Outcome) -> str:
    assert outcome.code == 1 and outcome.out == ""
    told = [line for line in outcome.err.splitlines() if not line.endswith("…")]
    assert len(told) == 1 and told[0].startswith("localpers: "), outcome.err
    return told[0]


def pack(path: Path) -> None:
    path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


@pytest.mark.parametrize("file", ["corpus.jsonl", "queries.jsonl"])
def test_an_id_given_twice_is_named(bench: Any, beir: Path, file: str) -> None:
    path = beir / file
    path.write_text(path.read_text() + "\n" + path.read_text().splitlines()[1] + "\n")
    said = complaint(bench())
    id = "d1" if file == "corpus.jsonl" else "q1"
    assert f"Line 8 of {path}" in said and f'"{id}" of line 2' in said and "remove" in said


def test_a_number_and_the_same_in_quotes_are_one_id(bench: Any, beir: Path) -> None:
    (beir / "corpus.jsonl").write_text(
        CORPUS + rows({"_id": 7, "text": "a"}, {"_id": "7", "text": "b"})
    )
    assert "Line 8" in complaint(bench())


def test_byte_order_marks_are_no_text(bench: Any, beir: Path) -> None:
    (beir / "qrels/test.tsv").write_text(JUDGED)
    for path in (beir / "corpus.jsonl", beir / "queries.jsonl", beir / "qrels/test.tsv"):
        path.write_bytes(MARK + path.read_bytes())
    assert_perfect(bench())


@pytest.mark.parametrize("eol", ["\r\n", "\n\n", "\n \n"])
def test_line_ends_of_other_systems_and_empty_lines(bench: Any, beir: Path, eol: str) -> None:
    for path in (beir / "corpus.jsonl", beir / "queries.jsonl", beir / "qrels/test.tsv"):
        path.write_bytes((eol + path.read_text().replace("\n", eol)).encode())
    assert_perfect(bench())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + "q0\td0\t0.5\n", "Line 2 {} has the grade 0.5, which is no whole number"),
        ("q0\td0\t0.5\nq1\td1\t1\n", "Line 1 {} has the grade 0.5"),
        (HEADER + "q0\td0\tinf\n", "Line 2 {} has the grade inf"),
        (HEADER + "q0\td0\tnan\n", "Line 2 {} has the grade nan"),
        ("q0\td0\tx\n" + JUDGED, "Line 1 {} is not"),
        ("q0 d0 1\n" + JUDGED, "Line 1 {} is not"),
        (HEADER + "q0\t\t1\n", "Line 2 {} is not"),
        (HEADER + "q0\t0\td0\t1\tmore\n", "Line 2 {} is not"),
        (HEADER + JUDGED + "q0\td0\t2\n", 'Line 8 {} judges "d0" for "q0" again'),
        (HEADER + "q0\td0\t0\nq0\td1\t-1\n", "No grade in"),
        (HEADER + "q0\tnone\t1\n", "No document that is relevant"),
        (HEADER, "is judged in"),
        ("", "is judged in"),
    ],
)
def test_odd_judgements_are_one_line(bench: Any, beir: Path, content: str, said: str) -> None:
    qrels = beir / "qrels/test.tsv"
    qrels.write_text(content)
    assert said.format(f"of {qrels}") in complaint(bench())


def test_whole_grades_may_be_written_as_fractions(bench: Any, beir: Path) -> None:
    (beir / "qrels/test.tsv").write_text(HEADER + JUDGED.replace("\t1\n", "\t2.0\n"))
    assert_perfect(bench())


def test_judgements_mended_after_an_interruption_count(
    bench: Any, beir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (beir / "qrels/test.tsv").write_text(JUDGED.replace("d0", "d5"))
    rank, asked = Rankings.of, []

    def stopping(self: Rankings, name: str, query: Any) -> list[str]:
        asked.append(query.id)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return rank(self, name, query)

    monkeypatch.setattr(Rankings, "of", stopping)
    assert bench().code == 130
    (beir / "qrels/test.tsv").write_text(JUDGED)
    assert_perfect(bench())


def test_a_mended_corpus_is_indexed_anew(bench: Any, beir: Path) -> None:
    (beir / "corpus.jsonl").write_text(CORPUS.replace("river", "ocean"))
    assert bench().json["retrievers"]["bm25"]["recall@100"] < 1
    (beir / "corpus.jsonl").write_text(CORPUS)
    assert_perfect(bench())


def test_compressed_files_are_read_where_the_plain_are_absent(
    bench: Any, beir: Path, home: Path
) -> None:
    assert_perfect(bench())
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv"):
        pack(beir / name)
    assert_perfect(bench())
    assert len(list((home / "benchmarks").glob("retrieval-*"))) == 1  # The index served both.
    (beir / "qrels/test.tsv").write_text("q0\td0\t1\n")
    assert_perfect(bench(), queries=1)


@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl", "qrels/test.tsv"])
@pytest.mark.parametrize("damage", ["cut", "changed", "plain"])
def test_a_damaged_compressed_file_is_one_line(
    bench: Any, beir: Path, name: str, damage: str
) -> None:
    pack(beir / name)
    path = beir / (name + ".gz")
    stored = bytearray(path.read_bytes())
    if damage == "cut":
        del stored[-9:]
    elif damage == "changed":
        stored[len(stored) // 2] ^= 0xFF
        stored[-6] ^= 0xFF
    else:
        stored = bytearray(b"no gzip")
    path.write_bytes(stored)
    said = complaint(bench())
    assert str(path) in said and "get the collection again" in said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b'{"_id": "x", "text": "caf\xe9"}', "is not UTF-8"),
        (b'{"_id": "x"}', "is no JSON object with '_id' and 'text'"),
        (b'["x"]', "is no JSON object"),
        (b"[" * 100_000, "is no JSON object"),
        (b'{"_id": null, "text": "a"}', "'_id' that is neither"),
        (b'{"_id": 1.5, "text": "a"}', "'_id' that is neither"),
        (b'{"_id": "", "text": "a"}', "'_id' that is neither"),
        (b'{"_id": "\\ud800", "text": "a"}', "'_id' that is neither"),
        (b'{"_id": "x", "text": ["a"]}', "is no text"),
        (b'{"_id": "x", "text": "' + b"a" * 70_000 + b'"}', "is longer than"),
    ],
)
@pytest.mark.parametrize("name", ["corpus.jsonl", "queries.jsonl"])
def test_odd_rows_are_one_line(
    bench: Any, beir: Path, name: str, row: bytes, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "longer" in said:
        monkeypatch.setattr(reading, "MOST_LINE_BYTES", 1 << 16)
    path = beir / name
    path.write_bytes(path.read_bytes() + row + b"\n")
    told = complaint(bench())
    assert f"Line 7 of {path}" in told and said in told and len(told) < 400


def test_odd_text_is_measured_all_the_same(bench: Any, beir: Path) -> None:
    odd: list[dict[str, Any]] = [
        {"_id": "empty", "title": None, "text": None},
        {"_id": "cut emoji", "title": "\ud83d", "text": "half \ud83d of it, and a \0"},
        {"_id": 12, "title": 1984, "text": 0},
        {"_id": "long", "text": "word " * 200_000},
    ]
    (beir / "corpus.jsonl").write_text(CORPUS + rows(*odd))
    asked: list[dict[str, Any]] = [
        {"_id": 3, "text": "1984"},
        {"_id": "half", "text": "half \ud83d \0 \u2028"},
    ]
    (beir / "queries.jsonl").write_text(QUERIES + rows(*asked))
    (beir / "qrels/test.tsv").write_text(JUDGED + "3\t12\t1\nhalf\tcut emoji\t1\n")
    outcome = bench()
    assert outcome.json["documents"] == len(WORDS) + len(odd)
    assert_perfect(outcome, queries=len(WORDS) + 2)
    again = bench()
    assert "Indexing" in again.err and again.json["passages"] == outcome.json["passages"]


def test_a_query_without_words_finds_nothing(bench: Any, beir: Path) -> None:
    (beir / "queries.jsonl").write_text(QUERIES.replace("the river", " "))
    outcome = bench()
    assert outcome.json["retrievers"]["bm25"]["mrr"] == pytest.approx(5 / 6, abs=1e-4)


def test_documents_and_queries_numbered_alike_are_found(bench: Any, beir: Path) -> None:
    (beir / "corpus.jsonl").write_text(
        rows(*({"_id": n, "text": word} for n, word in enumerate(WORDS)))
    )
    (beir / "queries.jsonl").write_text(
        rows(*({"_id": n, "text": word} for n, word in enumerate(WORDS)))
    )
    (beir / "qrels/test.tsv").write_text("".join(f"{n}\t{n}\t1\n" for n in range(len(WORDS))))
    assert_perfect(bench())


def test_judgements_of_what_is_not_there_are_told(bench: Any, beir: Path) -> None:
    (beir / "qrels/test.tsv").write_text(HEADER + JUDGED + "q9\td1\t1\nq0\tgone\t1\n")
    outcome = bench()
    assert outcome.code == 0 and outcome.json["queries"] == len(WORDS)
    # As trec_eval has it, what is relevant and not there is missed.
    recall = outcome.json["retrievers"]["bm25"]["recall@100"]
    assert recall == pytest.approx((5 + 1 / 2) / 6, abs=1e-4)
    notes = [line for line in outcome.err.splitlines() if line.startswith("Note: ")]
    assert "1 of the queries" in notes[0] and "1 of the documents" in notes[1]


def test_the_only_split_is_taken_and_named(bench: Any, beir: Path) -> None:
    (beir / "qrels/test.tsv").rename(beir / "qrels/dev.tsv")
    (beir / "qrels/._dev.tsv").write_bytes(b"\0\5\x16\7")
    outcome = bench()
    assert_perfect(outcome)
    assert outcome.json["split"] == "dev"
    (beir / "qrels/train.tsv").write_text(JUDGED)
    assert "name one of dev, train by --split" in complaint(bench())
    assert "There is no valid.tsv" in complaint(bench("--split", "valid"))


def test_a_folder_in_another_layout_is_one_line(bench: Any, beir: Path) -> None:
    (beir / "qrels/test.tsv").unlink()
    (beir / "qrels/test.tsv").mkdir()
    assert "put the judgements there as test.tsv" in complaint(bench())
    (beir / "qrels/test.tsv").rmdir()
    (beir / "qrels").rmdir()
    (beir / "qrels").write_text(JUDGED)
    assert "put the judgements there as test.tsv" in complaint(bench())
    (beir / "corpus.jsonl").unlink()
    (beir / "corpus.jsonl").mkdir()
    assert "BEIR" in complaint(bench())


def test_the_collection_is_called_as_its_folder(
    cli: CommandLine, beir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(beir)
    outcome = cli("bench", "retrieval", ".", "--retrievers", "bm25", "--json")
    assert outcome.json["collection"] == "beir"
