"""What embedding models want before texts, told by their names."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.weights.catalog import describe
from localpers.weights.embedding_prefixes import prefixes_of
from tests import tiny_bert


@pytest.mark.parametrize(
    ("name", "query", "passage"),
    [
        ("Multilingual E5 Small", "query: ", "passage: "),
        ("e5-base-v2-q8_0", "query: ", "passage: "),
        ("nomic-embed-text-v1.5", "search_query: ", "search_document: "),
        ("snowflake-arctic-embed-l-v2.0", "query: ", ""),
        ("all-minilm-l6-v2", "", ""),
        ("bge-m3", "", ""),
        ("gte-small", "", ""),
        ("the5-large", "", ""),
    ],
)
def test_known_families(name: str, query: str, passage: str) -> None:
    assert prefixes_of(name) == (query, passage)


def test_models_that_follow_instructions_get_one_before_queries_alone() -> None:
    for name in ("multilingual-e5-large-instruct", "Qwen3 Embedding 0.6B", "bge-small-en-v1.5"):
        query, passage = prefixes_of(name)
        assert query and not passage


def test_the_name_in_the_file_goes_before_the_files_own(tmp_path: Path) -> None:
    path = tiny_bert.build_tiny_encoder(tmp_path / "nomic-embed-text-v1.5.gguf")
    renamed = path.rename(tmp_path / "mine.gguf")
    assert describe(renamed).passage_prefix == "search_document: "
    plain = tiny_bert.build_tiny_encoder(tmp_path / "plain.gguf")
    assert (describe(plain).query_prefix, describe(plain).passage_prefix) == ("", "")
    told = plain.rename(tmp_path / "e5-small-v2.gguf")
    assert describe(told).query_prefix == "query: "
