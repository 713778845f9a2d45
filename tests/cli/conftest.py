"""A tiny base for the commands that need a model, and writing enough to learn from."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests import tiny_gguf
from tests.conftest import write

ARCHITECTURES = ("llama", "qwen2", "gemma3")
TEXT = (
    "the river mill stood idle that summer and bread salt honey onions went over pass with "
    "us while garden floods under north wall drain was blocked again we walked home late talking "
    "about trains letters maps weather bees stone bridges and how long a good note should be"
)
WORDS = TEXT.split()


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with a tiny base of each architecture."""
    folder = tmp_path_factory.mktemp("models")
    for name in ARCHITECTURES:
        tiny_gguf.build_tiny_model(folder / f"{name}.gguf", name)
    return folder


@pytest.fixture
def short_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """No time for evidence: for what comes before the verdict, or after it, whatever it is."""
    from localpers.learning import flow

    judge = flow.judge

    def at_once(*arguments: Any, **options: Any) -> Any:
        return judge(*arguments, **options | {"seconds": 0.0})

    monkeypatch.setattr(flow, "judge", at_once)


def sentences(chance: Random, words: int) -> str:
    """`words` words in sentences of some length, different each time."""
    text, taken = [], 0
    while taken < words:
        length = chance.randrange(6, 14)
        text.append(" ".join(chance.choice(WORDS) for _ in range(length)).capitalize() + ".")
        taken += length
    return " ".join(text)


@pytest.fixture(scope="session")
def diary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty dated notes with some 6,000 words, one paragraph quoted from somebody else."""
    chance = Random(7)
    files = {}
    for day in range(1, 31):
        title = sentences(chance, 4).rstrip(".")
        body = "\n\n".join(sentences(chance, 70) for _ in range(3))
        files[f"{day:02}.md"] = (
            f"---\ndate: 2024-03-{day:02}\n---\n\n# {title}\n\n{body}\n\n> Quoted zeppelin words.\n"
        )
    return write(tmp_path_factory.mktemp("diary"), files)
