"""Every tuning method learns, and the files it declares compute what torch does."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.datatypes import ModelInfo, TokenizedExample
from localpers.errors import LocalpersError

torch = pytest.importorskip("torch")

from localpers.tuning.device import Device  # noqa: E402
from localpers.tuning.methods import METHODS, adapt  # noqa: E402
from localpers.tuning.outcome import save_reference  # noqa: E402
from localpers.tuning.recipe import Recipe  # noqa: E402
from localpers.tuning.torch_base import load_base  # noqa: E402
from localpers.tuning.training import Trainer  # noqa: E402
from localpers.weights.adapter import write_adapter_gguf  # noqa: E402
from localpers.weights.merge import merge  # noqa: E402
from localpers.weights.parity import ReferenceLogits, parity  # noqa: E402
from localpers.weights.tokenizer import Tokenizer  # noqa: E402

CPU = Device("cpu", "", "float32", 1 << 33)
BOUND = 1e-4
TEXT = "The river was low that summer; why does she write 12 tests, and burn half by noon?"


@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_declares_computes_what_torch_trained(
    bases: dict[str, ModelInfo], examples: list[TokenizedExample], tmp_path: Path, method: str
) -> None:
    base = bases["llama"]
    recipe = Recipe(method=method, rank=4, learning_rate=1e-2, batch_tokens=64, max_length=64)
    loaded = load_base(base, "float32", tmp_path)
    model = adapt(loaded, recipe)
    losses = Trainer(model, examples, recipe, CPU, tmp_path / "state").train(20).losses
    assert losses[-1] < 0.7 * losses[0]
    save_reference(model, [TEXT], Tokenizer.open(base.path), tmp_path / "reference")
    reference = ReferenceLogits(tmp_path / "reference")
    assert parity(reference, base.path).mean_kl > 10 * BOUND

    declared, adapter = METHODS[method], METHODS[method].export(model, loaded, base.sha256)
    assert declared.mergeable or declared.loadable
    if declared.mergeable:
        merge(base.path, adapter, tmp_path / "merged.gguf")
        assert abs(parity(reference, tmp_path / "merged.gguf").mean_kl) <= BOUND
    if declared.loadable:
        write_adapter_gguf(adapter, base.path, tmp_path / "adapter.gguf")
        assert abs(parity(reference, base.path, tmp_path / "adapter.gguf").mean_kl) <= BOUND
    else:
        with pytest.raises(LocalpersError, match="merged"):
            write_adapter_gguf(adapter, base.path, tmp_path / "adapter.gguf")


def test_an_unknown_method_is_refused_with_those_there_are() -> None:
    with pytest.raises(LocalpersError, match=r"method.*dora"):
        Recipe.of({"method": "guess"})
