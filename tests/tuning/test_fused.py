"""What is fused or taken off again must not change what is learned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localpers.datatypes import ModelInfo, TokenizedExample

torch = pytest.importorskip("torch")

from localpers.tuning.device import Device  # noqa: E402
from localpers.tuning.fused import fused_lora  # noqa: E402
from localpers.tuning.methods import adapt, adapted, detach  # noqa: E402
from localpers.tuning.recipe import Recipe  # noqa: E402
from localpers.tuning.torch_base import LoadedBase, load_base  # noqa: E402
from localpers.tuning.training import Trainer  # noqa: E402
from tests.tuning.conftest import ARCHITECTURES  # noqa: E402

CPU = Device("cpu", "", "float32", 1 << 33)
RECIPE = Recipe(rank=4, learning_rate=1e-2, batch_tokens=64, max_length=64, prompt_gradients=True)
Load = Callable[[str], LoadedBase]
Examples = list[TokenizedExample]


@pytest.fixture
def load(bases: dict[str, ModelInfo], tmp_path: Path) -> Load:
    return lambda name: load_base(bases[name], "float32", tmp_path)


def fill(model: Any) -> None:
    """A fresh LoRA's B is zero, which would hide what is computed wrongly."""
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            if parameter.requires_grad:
                generator = torch.Generator().manual_seed(number)
                torch.nn.init.normal_(parameter, std=0.1, generator=generator)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fused_gradients_are_those_of_peft(load: Load, architecture: str) -> None:
    model = adapt(load(architecture), RECIPE)
    fill(model)
    ids = torch.arange(10, 40).view(2, 15)
    found = []
    for fused in (False, True):
        model.zero_grad()
        if fused:
            with fused_lora(model):
                model(ids, labels=ids).loss.backward()
        else:
            model(ids, labels=ids).loss.backward()
        found.append([p.grad.clone() for p in model.parameters() if p.requires_grad])
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


def test_many_adapters_are_trained_on_one_base(
    load: Load, examples: Examples, tmp_path: Path
) -> None:
    base = load("llama")
    names = list(dict(base.model.named_modules()))
    before = {name: tensor.clone() for name, tensor in base.model.state_dict().items()}
    losses = []
    for number, checkpointing in enumerate((True, False)):
        with adapted(base, RECIPE) as model:
            folder = tmp_path / str(number)
            losses.append(
                Trainer(model, examples, RECIPE, CPU, folder, checkpointing).train(3).losses
            )
        assert list(dict(base.model.named_modules())) == names
        after = base.model.state_dict()
        assert after.keys() == before.keys()
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
        assert not base.model.training
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert detach(adapt(base, RECIPE)) is base.model
