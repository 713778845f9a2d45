"""`bench retrieval` on a collection in BEIR's layout and on one's own notes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localpers.bench.retrieval.rankings import Rankings
from tests import tiny_bert, tiny_gguf
from tests.conftest import CommandLine, write

WORDS = [
    "river",
    "mill",
    "bread",
    "honey",
    "train",
    "garden",
    "bridge",
    "letter",
    "stone",
    "weather",
    "onion",
    "salt",
]


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("LOCALPERS_MODELS", str(folder))
    return folder


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    corpus = [
        {"_id": f"d{n}", "title": f"About {word}", "text": f"A {word} stood here, a {word} indeed."}
        for n, word in enumerate(WORDS)
    ]
    queries = [{"_id": f"q{n}", "text": f"where is the {word}"} for n, word in enumerate(WORDS)]
    queries.append({"_id": "unjudged", "text": "river"})
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(
        f"q{n}\td{n if n else 1}\t1\n" for n in range(len(WORDS))
    )
    return write(
        tmp_path / "beir",
        {
            "corpus.jsonl": lines(*corpus),
            "queries.jsonl": lines(*queries),
            "qrels/test.tsv": qrels,
            "qrels/train.tsv": "q1\t0\td1\t1\n",
        },
    )


def test_a_collection_is_measured_by_every_retriever(
    cli: CommandLine, beir: Path, models: Path
) -> None:
    tiny_bert.build_tiny_encoder(models / "tiny.gguf")
    names = "rank_bm25,bm25,auto,dense,hybrid"
    outcome = cli("bench", "retrieval", beir, "--retrievers", names, "--json")
    assert outcome.code == 0, outcome.err
    found = outcome.json
    assert (found["documents"], found["queries"], found["split"]) == (12, 12, "test")
    assert list(found["retrievers"]) == names.split(",")
    # One of twelve queries is judged to want what it does not ask for.
    assert found["retrievers"]["bm25"]["mrr"] == pytest.approx(11 / 12, abs=0.03)
    assert found["retrievers"]["dense"]["recall@100"] == 1.0
    for by_name in found["retrievers"].values():
        assert all(
            by_name["interval"][m][0] <= by_name[m] <= by_name["interval"][m][1]
            for m in ("ndcg@10", "recall@100", "mrr")
        )
    table = cli("bench", "retrieval", beir, "--split", "train")
    assert "ndcg@10" in table.out and "train: 1 queries" in table.out


def test_an_interrupted_run_goes_on(
    cli: CommandLine, beir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    rank = Rankings.of

    def stopping(self: Rankings, name: str, query: Any) -> list[str]:
        if len(asked) == 5:
            raise KeyboardInterrupt
        asked.append(query.id)
        return rank(self, name, query)

    monkeypatch.setattr(Rankings, "of", stopping)
    assert cli("bench", "retrieval", beir, "--retrievers", "bm25").code == 130
    asked.append("from now on, all")
    outcome = cli("bench", "retrieval", beir, "--retrievers", "bm25", "--json")
    assert outcome.code == 0 and outcome.json["queries"] == 12
    assert len(set(asked)) == 12 + 1 and len(asked) == 12 + 1


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("corpus.jsonl", None, "BEIR"),
        ("queries.jsonl", "no json\n", "Line 1"),
        ("qrels/test.tsv", "a\tb\tc\nq1\td1\n", "Line 2"),
        ("qrels/test.tsv", "q9\td1\t1\n" * 2 + "other\td1\t1\n", None),
        ("qrels/test.tsv", "other\td1\t1\n", "--split"),
    ],
)
def test_a_damaged_collection_is_one_line(
    cli: CommandLine, beir: Path, file: str, content: str | None, said: str | None
) -> None:
    if content is None:
        (beir / file).unlink()
    else:
        (beir / file).write_text(content)
    outcome = cli("bench", "retrieval", beir, "--retrievers", "bm25", "--json")
    if said is None:
        assert outcome.code == 0 and outcome.json["queries"] == 1
        return
    complaint = outcome.err.splitlines()[-1]
    assert outcome.code == 1 and said in complaint and complaint.startswith("localpers: ")


@pytest.mark.parametrize(
    ("option", "names", "said"),
    [
        ("--retrievers", "oracle", "'oracle' is no retriever: auto, bm25, dense, hybrid, recency"),
        ("--retrievers", "bm25,rank_bm25+rerank", "'rank_bm25+rerank' is no retriever"),
        ("--retrievers", "", "'' is no retriever"),
        ("--kinds", "title,rhyme", "'rhyme' is no kind: title, sentence, paraphrase"),
    ],
)
def test_unknown_names_are_wrong_usage(
    cli: CommandLine, beir: Path, option: str, names: str, said: str
) -> None:
    for folder in ([], [beir]):
        outcome = cli("bench", "retrieval", *folder, option, names)
        assert outcome.code == 2 and said in outcome.err and outcome.err.count("\n") == 1


def test_nothing_to_search_is_one_line(cli: CommandLine) -> None:
    outcome = cli("bench", "retrieval")
    assert outcome.code == 1 and "ingest" in outcome.err


@pytest.fixture
def notes(cli: CommandLine, tmp_path: Path) -> Path:
    files = {
        f"{n:02}.md": f"# Of {word} and {WORDS[n % 5]}\n\n"
        f"One day in the long summer I walked past the {word} and thought of home{n}.\n"
        for n, word in enumerate(WORDS * 2)
    }
    folder = write(tmp_path / "notes", files)
    assert cli("ingest", folder).code == 0
    return folder


@pytest.mark.usefixtures("notes")
def test_known_items_of_own_notes(cli: CommandLine, models: Path) -> None:
    tiny_bert.build_tiny_encoder(models / "tiny.gguf")
    tiny_gguf.build_tiny_model(models / "base.gguf", "llama")
    outcome = cli(
        *("bench", "retrieval", "--kinds", "title,sentence,paraphrase", "--base", "base"),
        *("--retrievers", "rank_bm25,bm25,auto,hybrid,bm25+rerank", "--queries", "12", "--json"),
    )
    assert outcome.code == 0, outcome.err
    kinds = outcome.json["kinds"]
    assert kinds["sentence"]["queries"] == 12
    assert kinds["sentence"]["retrievers"]["bm25"]["mrr"] == 1.0
    assert "rank_bm25" in kinds["title"]["retrievers"]
    assert "rank_bm25" not in kinds["sentence"]["retrievers"]
    title = kinds["title"]["retrievers"]["bm25"]
    assert 0 < title["mrr"] < 1  # the heading is hidden: only the body's word is left to find
    verdict = cli("status", "--json").json["vectors"]
    assert verdict is None  # nothing of the profile's own is embedded yet


def test_ingest_embeds_and_judges_whether_vectors_help(
    cli: CommandLine, notes: Path, models: Path, home: Path
) -> None:
    tiny_bert.build_tiny_encoder(models / "tiny.gguf")
    files = {
        f"x{n}.md": f"# Title {word} number x{n}\n\nSome {word} text.\n"
        for n, word in enumerate(WORDS * 2)
    }
    write(notes, files)
    outcome = cli("ingest", notes, "--encoder", "tiny", "--json")
    assert outcome.code == 0, outcome.err
    state = cli("status", "--json").json["vectors"]
    assert state["embedded"] == state["passages"]
    assert state["verdict"]["queries"] >= 20
    assert state["verdict"]["better"] is (state["verdict"]["low"] > 0)
    assert not list((home / "profiles/default/evaluation").glob("retrieval-*"))


def test_the_next_ingest_removes_what_an_interrupted_measurement_left(
    cli: CommandLine, notes: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> list[str]:
        raise KeyboardInterrupt

    asked = ("bench", "retrieval", "--kinds", "title", "--retrievers", "bm25")
    with monkeypatch.context() as stopped:
        stopped.setattr(Rankings, "of", stop)
        assert cli(*asked).code == 130
    evaluation = home / "profiles/default/evaluation"
    assert list(evaluation.glob("retrieval-*"))
    assert cli("ingest", notes).code == 0
    assert not list(evaluation.glob("retrieval-*"))
    assert cli(*asked).code == 0
