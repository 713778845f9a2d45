"""Tiny bases and sequences over their vocabulary, so that training takes seconds."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from localpers.datatypes import ModelInfo, TokenizedExample
from tests import tiny_gguf

ARCHITECTURES = ("llama", "qwen2", "gemma3")


def describe(path: Path, architecture: str) -> ModelInfo:
    return ModelInfo(
        name="tiny",
        path=path,
        architecture=architecture,
        quantization="F32",
        parameters=1_500_000,
        bytes=path.stat().st_size,
        sha256="0" * 64,
        context_length=tiny_gguf.CONTEXT_LENGTH,
        chat_template=None,
    )


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelInfo]:
    """A tiny base of each architecture, by its name."""
    folder = tmp_path_factory.mktemp("bases")
    return {
        name: describe(tiny_gguf.build_tiny_model(folder / f"{name}.gguf", name), name)
        for name in ARCHITECTURES
    }


@pytest.fixture(scope="session")
def examples() -> list[TokenizedExample]:
    """Sixteen pairs of several lengths whose completions begin one phrase, so it can be learned."""
    random = Random(0)
    phrase = [random.randrange(10, 500) for _ in range(8)]
    return [
        TokenizedExample(
            prompt=tuple(random.randrange(10, 500) for _ in range(random.randrange(3, 20))),
            completion=tuple(phrase[: random.randrange(4, 9)]),
        )
        for _ in range(16)
    ]
