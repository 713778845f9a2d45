"""A tokenizer for prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.weights.tokenizer import Tokenizer
from tests import tiny_gguf


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder: Path = tmp_path_factory.mktemp("tokenizer")
    return Tokenizer.open(tiny_gguf.build_tiny_model(folder / "tiny.gguf", "llama"))
