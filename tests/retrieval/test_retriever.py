from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CommandLine, write


@pytest.fixture
def indexed(cli: CommandLine, tmp_path: Path) -> None:
    filler = "Some other words about weather and trains. " * 12
    files = {
        "long.md": "# Journal\n\n" + "\n\n".join(f"## Day {i}\n\n{filler} mill" for i in range(9)),
        "mill.md": f"---\ntitle: The mill\ndate: 2019-05-01\n---\n\n{filler} A mill, seen once.\n",
        "new.md": "---\ndate: 2023-01-01\n---\n\n# Bees\n\nThey swarmed.\n",
        "old.md": "---\ndate: 2001-01-01\n---\n\n# Stones\n\nThey lay.\n",
    }
    assert cli("ingest", write(tmp_path / "notes", files)).code == 0


def titles(cli: CommandLine, *arguments: object) -> list[str]:
    return [hit["title"] for hit in cli("search", *arguments, "--json").json]


@pytest.mark.usefixtures("indexed")
def test_auto_lets_the_title_count(cli: CommandLine) -> None:
    assert titles(cli, "mill", "-k", "1") == ["The mill"]


@pytest.mark.usefixtures("indexed")
def test_auto_does_not_let_one_document_crowd_out_the_others(cli: CommandLine) -> None:
    assert titles(cli, "mill", "-k", "2").count("Journal") == 1
    assert titles(cli, "mill", "-k", "9").count("Journal") == 8


@pytest.mark.usefixtures("indexed")
def test_recency_goes_by_date_alone(cli: CommandLine) -> None:
    ranked = titles(cli, "anything", "--retriever", "recency", "-k", "20")
    assert ranked.index("Bees") < ranked.index("The mill") < ranked.index("Stones")


def test_an_unknown_retriever_is_a_usage_error(cli: CommandLine) -> None:
    outcome = cli("search", "x", "--retriever", "oracle")
    assert outcome.code == 2 and "bm25" in outcome.err
