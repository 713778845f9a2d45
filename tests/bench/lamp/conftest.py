"""A tiny base and its tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.datatypes import ModelInfo
from localpers.weights.catalog import describe
from localpers.weights.tokenizer import Tokenizer
from tests import tiny_gguf


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> ModelInfo:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    return describe(tiny_gguf.build_tiny_model(folder / "tiny.gguf", "llama"))


@pytest.fixture(scope="session")
def tokenizer(base: ModelInfo) -> Tokenizer:
    return Tokenizer.open(base.path)
