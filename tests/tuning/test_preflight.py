"""What speaks against a run before it begins."""

from __future__ import annotations

import shutil
from collections import namedtuple
from dataclasses import replace
from random import Random

import pytest

from localpers.datatypes import Block, BlockKind, Kind, ModelInfo, StoredDocument
from localpers.errors import LocalpersError, OutOfMemory
from localpers.profile import Profile
from localpers.tuning.device import Device
from localpers.tuning.preflight import check
from localpers.tuning.torch_base import memory_needed

CPU = Device("cpu", "", "float32", 1 << 34)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def documents() -> list[StoredDocument]:
    text = " ".join(["word"] * 300)
    block = Block(BlockKind.PARAGRAPH, 0, len(text))
    return [
        StoredDocument(n, f"/{n}", "", "t", Kind.NOTE, "2024", "file", "fr", str(n), text, (block,))
        for n in Random(0).sample(range(99), 25)
    ]


@pytest.fixture
def base(bases: dict[str, ModelInfo]) -> ModelInfo:
    return replace(bases["llama"], languages=("en",))


def test_a_base_of_another_language_is_warned_about(
    base: ModelInfo, documents: list[StoredDocument]
) -> None:
    flight = check(Profile.open(), base, CPU, "q4_k_m", documents, {"fr": 0.9, "en": 0.1})
    assert "fr 90%" in flight.warnings[0]
    assert not check(Profile.open(), base, CPU, "q4_k_m", documents, {"en": 1.0}).warnings
    unstated = replace(base, languages=())
    assert not check(Profile.open(), unstated, CPU, "q4_k_m", documents, {"fr": 1.0}).warnings


def test_a_full_disk_is_refused_with_what_is_needed(
    base: ModelInfo, documents: list[StoredDocument], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 1000))
    with pytest.raises(LocalpersError, match="GB of disk"):
        check(Profile.open(), base, CPU, "q4_k_m", documents, {})


def test_memory_decides_between_plain_checkpointed_and_refused(
    base: ModelInfo, documents: list[StoredDocument]
) -> None:
    large = replace(base, parameters=10**9)
    plain = memory_needed(10**9, "float32", checkpointing=False)
    tight = memory_needed(10**9, "float32", checkpointing=True)
    for free, checkpointing in ((plain, False), (plain - 1, True), (tight, True)):
        flight = check(Profile.open(), large, replace(CPU, free_bytes=free), "q8_0", documents, {})
        assert flight.checkpointing is checkpointing
    with pytest.raises(OutOfMemory, match=f"{tight / 1e9:.1f} GB"):
        check(Profile.open(), large, replace(CPU, free_bytes=tight - 1), "q8_0", documents, {})
