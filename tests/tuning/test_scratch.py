"""What is computed once never fills the disk, and training goes on where it cannot be kept."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localpers.datatypes import ModelInfo, TokenizedExample
from localpers.tuning.scratch import ScratchFile

Examples = list[TokenizedExample]


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    file = ScratchFile(tmp_path)
    assert file.append([b"river", b"mill"]) == 0
    assert file.append([b"salt"]) == 9
    assert file.read(9, 4) == b"salt" and file.read(0, 9) == b"rivermill"
    assert list(tmp_path.iterdir()) == []


def test_it_takes_a_part_of_the_free_disk(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    file = ScratchFile(tmp_path)
    assert file.append([b"x" * 20]) == 0
    assert file.append([b"x" * 6]) is None and file.full
    assert file.append([b"x"]) is None
    file.forget()
    assert file.append([b"x"]) == 0


class FullDisk:
    """A raw file that takes `left` bytes more."""

    def __init__(self, file: Any, left: int) -> None:
        self._file, self._left = file, left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: Any) -> int:
        if not self._left:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = self._file.write(data[: self._left])
        self._left -= written
        return int(written)


def test_a_full_disk_keeps_what_was_whole(tmp_path: Path) -> None:
    file = ScratchFile(tmp_path)
    assert file.append([b"river"]) == 0
    file._file = FullDisk(file._file, 3)
    assert file.append([b"mill"]) is None and file.full
    assert file._file.seek(0, 2) == 5
    assert file.read(0, 5) == b"river"


@pytest.mark.parametrize("method", ["lora", "activated"])
def test_training_is_the_same_where_nothing_can_be_kept(
    bases: dict[str, ModelInfo], examples: Examples, tmp_path: Path, monkeypatch: Any, method: Any
) -> None:
    pytest.importorskip("torch")
    from localpers.tuning.device import Device
    from localpers.tuning.methods import adapt
    from localpers.tuning.recipe import Recipe
    from localpers.tuning.torch_base import load_base
    from localpers.tuning.training import Trainer

    recipe = Recipe(method=method, rank=4, batch_tokens=64, max_length=64)
    losses = []
    for free in (1 << 30, 100_000, 0):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        model = adapt(load_base(bases["llama"], "float32", tmp_path), recipe)
        device = Device("cpu", "", "float32", 1 << 33)
        trainer = Trainer(model, examples, recipe, device, tmp_path / str(free))
        losses.append(trainer.train(12).losses)
    assert losses[0] == losses[1] == losses[2]
