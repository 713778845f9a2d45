"""Tiny models to answer with, and passages to answer from."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localpers.datatypes import RetrievedPassage, ServedModel
from localpers.inference.engine import Engine
from localpers.weights.catalog import describe

ModelBuilder = Callable[..., Path]
PassageMaker = Callable[..., RetrievedPassage]


def _build_tiny_model() -> ModelBuilder:
    path = Path(__file__).parent / "tiny_gguf.py"
    spec = importlib.util.spec_from_file_location("tiny_gguf", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tiny_gguf"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    builder: ModelBuilder = module.build_tiny_model
    return builder


@pytest.fixture(scope="session")
def build_tiny_model() -> ModelBuilder:
    return _build_tiny_model()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, build_tiny_model: ModelBuilder) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("models") / "tiny.gguf", "llama")


@pytest.fixture(scope="session")
def served(tiny: Path) -> ServedModel:
    return ServedModel(describe(tiny), tiny)


@pytest.fixture
def engine(served: ServedModel) -> Iterator[Engine]:
    with Engine.open(served) as engine:
        yield engine


@pytest.fixture
def passage() -> PassageMaker:
    def make(text: str, rank: int = 1, title: str = "") -> RetrievedPassage:
        return RetrievedPassage(
            rank=rank,
            score=1 / rank,
            document=rank,
            path=f"/notes/{rank}.md",
            title=title,
            date="2024-05-17",
            start=0,
            end=len(text),
            text=text,
            line=rank,
        )

    return make
