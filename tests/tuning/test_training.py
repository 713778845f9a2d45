"""The loop on tiny models: it learns, it learns only completions, and it resumes bit for bit."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localpers.datatypes import ModelInfo, TokenizedExample
from localpers.errors import LocalpersError

torch = pytest.importorskip("torch")

from localpers.tuning.device import Device  # noqa: E402
from localpers.tuning.methods import adapt  # noqa: E402
from localpers.tuning.recipe import Recipe  # noqa: E402
from localpers.tuning.torch_base import LoadedBase, load_base  # noqa: E402
from localpers.tuning.training import Trainer, TrainingProgress  # noqa: E402
from tests.tuning.conftest import ARCHITECTURES  # noqa: E402

CPU = Device("cpu", "", "float32", 1 << 33)
RECIPE = Recipe(rank=4, learning_rate=1e-2, batch_tokens=64, max_length=64)
THROUGH_PROMPTS = RECIPE.model_copy(update={"prompt_gradients": True})
BOTH = pytest.mark.parametrize("recipe", [RECIPE, THROUGH_PROMPTS], ids=["answers", "prompts too"])
STEPS = 6

Load = Callable[[str], LoadedBase]
Examples = list[TokenizedExample]


@pytest.fixture(autouse=True)
def short_prompt_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most prompts here are longer than this."""
    monkeypatch.setattr("localpers.tuning.prefill.PROMPT_GRADIENT_TOKENS", 4)


@pytest.fixture
def load(bases: dict[str, ModelInfo], tmp_path: Path) -> Load:
    return lambda name: load_base(bases[name], "float32", tmp_path)


def weights(model: Any) -> list[Any]:
    return [p.detach().clone() for p in model.parameters() if p.requires_grad]


def same(one: list[Any], other: list[Any]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_falls_and_the_base_stays(
    load: Load, examples: Examples, tmp_path: Path, architecture: str
) -> None:
    base = load(architecture)
    model = adapt(base, RECIPE)
    frozen = {n: p.detach().clone() for n, p in model.named_parameters() if not p.requires_grad}
    result = Trainer(model, examples, RECIPE, CPU, tmp_path / "state").train(20)
    assert result.losses[-1] < 0.7 * result.losses[0]
    assert result.steps == len(result.losses) == 20
    assert all(torch.equal(p, frozen[n]) for n, p in model.named_parameters() if n in frozen)


@BOTH
def test_a_resumed_run_ends_bit_for_bit_as_an_uninterrupted_one(
    load: Load, examples: Examples, tmp_path: Path, recipe: Recipe
) -> None:
    def interrupt_at_3(progress: TrainingProgress) -> None:
        if progress.step == 3:
            signal.raise_signal(signal.SIGINT)

    whole = adapt(load("llama"), recipe)
    uninterrupted = Trainer(whole, examples, recipe, CPU, tmp_path / "whole").train(STEPS)

    state = tmp_path / "state"
    with pytest.raises(KeyboardInterrupt):
        trainer = Trainer(adapt(load("llama"), recipe), examples, recipe, CPU, state)
        trainer.train(STEPS, on_progress=interrupt_at_3)
    second = adapt(load("llama"), with_seed(recipe, 1))
    trainer = Trainer(second, examples, recipe, CPU, state)
    trainer.calibrate()
    resumed = trainer.train(STEPS)

    assert same(weights(second), weights(whole))
    assert resumed.losses == uninterrupted.losses
    assert resumed.tokens == uninterrupted.tokens
    assert not same(weights(whole), weights(adapt(load("llama"), recipe)))


def with_seed(recipe: Recipe, seed: int) -> Recipe:
    """Another start, so that what the checkpoint doesn't restore shows."""
    return recipe.model_copy(update={"seed": seed})


def test_a_run_that_resumes_a_finished_one_changes_nothing(
    load: Load, examples: Examples, tmp_path: Path
) -> None:
    model = adapt(load("llama"), RECIPE)
    first = Trainer(model, examples, RECIPE, CPU, tmp_path / "state").train(2)
    again = adapt(load("llama"), RECIPE)
    second = Trainer(again, examples, RECIPE, CPU, tmp_path / "state").train(2)
    assert same(weights(model), weights(again))
    assert second.losses == first.losses


def gradient(
    load: Load, examples: Examples, learned: Examples, folder: Path, recipe: Recipe
) -> dict[str, Any]:
    """Of each of the adapter's matrices, from those `learned` of the run's examples."""
    model = adapt(load("llama"), recipe)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(
                    parameter, std=0.1, generator=torch.Generator().manual_seed(len(name))
                )
    trainer = Trainer(model, examples, recipe, CPU, folder)
    trainer._backward(list(learned))
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}


@BOTH
def test_a_padded_batch_has_the_gradient_of_its_members(
    load: Load, examples: Examples, tmp_path: Path, recipe: Recipe
) -> None:
    """Padding, differing prompts and the choice of positions must not change what is learned, nor
    does it matter to a token with which others it is learned.
    """
    pair = examples[:2]
    assert len(pair[0].prompt) != len(pair[1].prompt)
    together = gradient(load, examples, pair, tmp_path, recipe)
    first, second = (gradient(load, examples, [one], tmp_path, recipe) for one in pair)
    for name, whole in together.items():
        torch.testing.assert_close(whole, first[name] + second[name], rtol=1e-3, atol=1e-5)


def test_what_works_on_answers_alone_has_the_whole_gradient(
    load: Load, examples: Examples, tmp_path: Path
) -> None:
    """Of the last layer only keys and values reach from prompts to answers."""
    example = examples[:1]
    assert len(example[0].prompt) > 4
    answers = gradient(load, example, example, tmp_path, RECIPE)
    whole = gradient(load, example, example, tmp_path, THROUGH_PROMPTS)
    last = [name for name in whole if "layers.1." in name]
    reaching = [name for name in last if "k_proj" in name or "v_proj" in name]
    assert len(reaching) == 4 and len(last) > len(reaching)
    for name in last:
        same = torch.allclose(answers[name], whole[name], rtol=1e-3, atol=1e-5)
        assert same != (name in reaching)


@BOTH
def test_only_the_completion_is_learned(
    load: Load, examples: Examples, tmp_path: Path, recipe: Recipe
) -> None:
    """The loss is the mean negative log-likelihood of the completion by the model's own logits."""
    example = examples[0]
    model = adapt(load("llama"), recipe)
    trainer = Trainer(model, [example], recipe, CPU, tmp_path)
    loss = trainer._backward([example]) / len(example.completion)
    with torch.no_grad():
        logits = model(torch.tensor([example.prompt + example.completion])).logits[0]
    first = len(example.prompt)
    predictions = logits[first - 1 : -1].log_softmax(-1)
    wanted = torch.tensor(example.completion)
    expected = -predictions[torch.arange(len(wanted)), wanted].mean()
    assert loss == pytest.approx(float(expected), rel=1e-4)


def test_a_diverging_run_stops_and_says_what_to_do(
    load: Load, examples: Examples, tmp_path: Path
) -> None:
    model = adapt(load("llama"), RECIPE)
    with torch.no_grad():
        next(p for n, p in model.named_parameters() if "lora_B" in n).fill_(float("nan"))
    with pytest.raises(LocalpersError, match="learning_rate"):
        Trainer(model, examples, RECIPE, CPU, tmp_path / "state").train(2)
    assert not (tmp_path / "state").exists()


def test_calibrating_leaves_no_trace(load: Load, examples: Examples, tmp_path: Path) -> None:
    model = adapt(load("llama"), RECIPE)
    before, random = weights(model), torch.get_rng_state()
    trainer = Trainer(model, examples, RECIPE, CPU, tmp_path / "state")
    assert trainer.calibrate().learned > 0
    assert same(weights(model), before)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(p.grad is None for p in model.parameters())


def test_gradient_checkpointing_learns_the_same(
    load: Load, examples: Examples, tmp_path: Path
) -> None:
    losses = []
    # What is computed twice is not kept: gradients go through prompts then.
    for recipe, checkpointing in ((THROUGH_PROMPTS, False), (RECIPE, True)):
        model = adapt(load("llama"), recipe)
        trainer = Trainer(model, examples, recipe, CPU, tmp_path / recipe.method, checkpointing)
        losses.append(trainer.train(3).losses)
        shutil.rmtree(tmp_path / recipe.method)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_a_damaged_checkpoint_is_named(load: Load, examples: Examples, tmp_path: Path) -> None:
    model = adapt(load("llama"), RECIPE)
    state = tmp_path / "state"
    Trainer(model, examples, RECIPE, CPU, state).train(1)
    (file,) = state.iterdir()
    file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(LocalpersError, match="without --resume"):
        Trainer(model, examples, RECIPE, CPU, state).train(2)
