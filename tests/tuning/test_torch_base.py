"""A base in torch is the file it came from, on every architecture by the same code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError, OutOfMemory, UnsupportedModel
from localpers.weights.adapter import heads_in, permute_rows
from localpers.weights.gguf_file import dequantized, read_header

torch = pytest.importorskip("torch")

from localpers.tuning.device import Device, choose_device  # noqa: E402
from localpers.tuning.methods import METHODS, adapt, adapted  # noqa: E402
from localpers.tuning.outcome import save_peft_adapter  # noqa: E402
from localpers.tuning.recipe import Recipe  # noqa: E402
from localpers.tuning.torch_base import LoadedBase, load_base, memory_needed, needs_checkpointing  # noqa: E402
from tests.tuning.conftest import ARCHITECTURES  # noqa: E402

PER_LAYER = 7
Load = Callable[[str], LoadedBase]


@pytest.fixture
def load(bases: dict[str, ModelInfo], tmp_path: Path) -> Load:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return lambda name: load_base(bases[name], "float32", folder)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_matrix_is_found_in_the_file_with_its_row_order(
    load: Load, bases: dict[str, ModelInfo], tmp_path: Path, architecture: str
) -> None:
    base = load(architecture)
    header = read_header(bases[architecture].path)
    assert len(base.places) == PER_LAYER * header.of_architecture("block_count")
    modules = dict(base.model.named_modules())
    for name, place in base.places.items():
        stored = dequantized(header, header.tensors[place.tensor])
        ours = modules[name].weight.detach().numpy()
        if place.permuted:
            ours = permute_rows(ours, heads_in(header, len(stored)))
        np.testing.assert_array_equal(stored, ours)
    permuted = {place.tensor for place in base.places.values() if place.permuted}
    assert all(re.search(r"attn_[qk]\.", tensor) for tensor in permuted)
    assert bool(permuted) == (architecture == "llama")
    assert list((tmp_path / "workspace").iterdir()) == []


def test_a_weight_that_differs_from_the_file_is_refused(
    bases: dict[str, ModelInfo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localpers.tuning import torch_base as module

    load_from_gguf = module._from_gguf

    def spoiled(*arguments: Any) -> Any:
        model = load_from_gguf(*arguments)
        with torch.no_grad():
            model.model.layers[1].mlp.up_proj.weight.mul_(1.5)
        return model

    monkeypatch.setattr(module, "_from_gguf", spoiled)
    with pytest.raises(UnsupportedModel, match="another base"):
        load_base(bases["llama"], "float32", tmp_path)


def test_a_base_that_does_not_fit_is_checkpointed_then_refused_with_the_memory_needed(
    bases: dict[str, ModelInfo],
) -> None:
    base = bases["llama"]
    plain = memory_needed(base.parameters, "float32", checkpointing=False)
    tight = memory_needed(base.parameters, "float32", checkpointing=True)
    assert tight < plain
    assert not needs_checkpointing(base, Device("cpu", "", "float32", plain))
    assert needs_checkpointing(base, Device("cpu", "", "float32", tight))
    with pytest.raises(OutOfMemory, match=r"about \d+\.\d GB on cpu, and 0\.0 GB are free"):
        needs_checkpointing(base, Device("cpu", "", "float32", 0))


def test_an_unknown_device_is_refused_with_those_there() -> None:
    with pytest.raises(LocalpersError, match=r"choose one of auto, .*cpu"):
        choose_device("abacus")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_adapter_has_the_numbers_and_names_of_the_trained_one(
    load: Load, architecture: str
) -> None:
    base = load(architecture)
    model = adapt(base, Recipe(rank=3, alpha=6.0))
    adapter = METHODS["lora"].export(model, base, "f" * 64)
    assert (adapter.rank, adapter.alpha, adapter.base_sha256) == (3, 6.0, "f" * 64)
    assert {tensor.module for tensor in adapter.tensors} == {
        place.tensor for place in base.places.values()
    }
    shapes = {
        name: m.weight.shape
        for name, m in model.get_base_model().named_modules()
        if hasattr(m, "lora_A")
    }
    for name, place in base.places.items():
        (tensor,) = (t for t in adapter.tensors if t.module == place.tensor)
        assert (tensor.b @ tensor.a).shape == tuple(shapes[name])
        assert tensor.permuted == place.permuted


def test_targets_can_be_named_and_a_wrong_name_lists_the_right_ones(load: Load) -> None:
    base = load("qwen2")
    model = adapt(base, Recipe(targets=("q_proj", "v_proj")))
    modules = {tensor.module for tensor in METHODS["lora"].export(model, base, "").tensors}
    assert modules == {f"blk.{layer}.attn_{x}.weight" for layer in (0, 1) for x in "qv"}
    with pytest.raises(LocalpersError, match="q_proj"):
        adapt(load("qwen2"), Recipe(targets=("nose",)))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_share_of_the_layers_means_the_upper_ones(load: Load, architecture: str) -> None:
    base = load(architecture)
    for share in (0.5, 0.01):
        with adapted(base, Recipe(layers=share)) as model:
            modules = {tensor.module for tensor in METHODS["lora"].export(model, base, "").tensors}
        assert len(modules) == PER_LAYER
        assert all(module.startswith("blk.1.") for module in modules)


def test_peft_reads_the_saved_adapter_and_no_path_leaks(load: Load, tmp_path: Path) -> None:
    from peft import PeftModel

    model = adapt(load("llama"), Recipe(rank=2))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.05)
    ids = torch.arange(10, 30)[None]
    expected = model(ids).logits
    folder = tmp_path / "adapter"
    save_peft_adapter(model, folder, "tiny")
    again = PeftModel.from_pretrained(load("llama").model, folder)
    torch.testing.assert_close(again(ids).logits, expected)
    text = (folder / "adapter_config.json").read_text()
    assert json.loads(text)["base_model_name_or_path"] == "tiny"
    assert str(tmp_path.parent) not in text
    assert {path.name for path in folder.iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
    }
