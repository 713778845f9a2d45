"""Prompts read without gradients: one set of numbers in training, batches and serving."""

from __future__ import annotations

import time
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import pytest

from localpers.datatypes import ModelInfo, ServedModel, TokenizedExample
from localpers.errors import UnsupportedModel
from localpers.inference.engine import Engine

torch = pytest.importorskip("torch")

from localpers.tuning import schedule  # noqa: E402
from localpers.tuning.device import Device  # noqa: E402
from localpers.tuning.loss import IGNORED  # noqa: E402
from localpers.tuning.methods import METHODS, adapt, adapted, detach  # noqa: E402
from localpers.tuning.prefill import (  # noqa: E402
    PROMPT_GRADIENT_TOKENS,
    AdapterPrefill,
    BasePrefill,
    choose_prefill,
)
from localpers.tuning.prompt_store import PromptStore, longest_of  # noqa: E402
from localpers.tuning.recipe import Recipe  # noqa: E402
from localpers.tuning.torch_base import LoadedBase, load_base  # noqa: E402
from localpers.tuning.training import Trainer  # noqa: E402
from localpers.weights.adapter import write_adapter_gguf  # noqa: E402
from tests.tuning.conftest import ARCHITECTURES  # noqa: E402

CPU = Device("cpu", "", "float32", 1 << 33)
RECIPE = Recipe(method="activated", rank=4, learning_rate=1e-2, batch_tokens=64, max_length=64)
SLOW = 0.02

Examples = list[TokenizedExample]


def trained(base: LoadedBase, examples: Examples, folder: Path, steps: int = 12) -> Any:
    model = adapt(base, RECIPE)
    result = Trainer(model, examples, RECIPE, CPU, folder).train(steps)
    assert result.losses[-1] < 0.7 * result.losses[0]
    return model.eval()


def log_probabilities(model: Any, group: Examples, folder: Path) -> list[Any]:
    """Of each completion's tokens, by example."""
    with torch.no_grad():
        logits, _ = BasePrefill(model, "cpu", PromptStore(folder)).answers(group)
    return [
        logits.log_softmax(-1)[row, range(len(example.completion)), list(example.completion)]
        for row, example in enumerate(group)
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_examples_of_a_group_do_not_touch_each_other(
    bases: dict[str, ModelInfo], examples: Examples, tmp_path: Path, architecture: str
) -> None:
    model = trained(load_base(bases[architecture], "float32", tmp_path), examples, tmp_path / "s")
    group = examples[:4]
    assert len({len(example.prompt) for example in group}) > 1
    together = log_probabilities(model, group, tmp_path / "a")
    for example, found in zip(group, together, strict=True):
        (alone,) = log_probabilities(model, [example], tmp_path / "b")
        assert torch.allclose(found, alone, atol=2e-4)


def test_before_training_it_is_the_base(
    bases: dict[str, ModelInfo], examples: Examples, tmp_path: Path
) -> None:
    base = load_base(bases["llama"], "float32", tmp_path)
    example = examples[0]
    tokens = [*example.prompt, *example.completion]
    with torch.no_grad():
        whole = base.model(input_ids=torch.tensor([tokens])).logits[0].log_softmax(-1)
    at = range(len(example.prompt) - 1, len(tokens) - 1)
    (found,) = log_probabilities(adapt(base, RECIPE).eval(), [example], tmp_path / "s")
    assert torch.allclose(found, whole[at, list(example.completion)], atol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_llama_cpp_serves_what_was_trained(
    bases: dict[str, ModelInfo], examples: Examples, tmp_path: Path, architecture: str
) -> None:
    described = bases[architecture]
    base = load_base(described, "float32", tmp_path)
    model = trained(base, examples, tmp_path / "s", steps=8)  # More, and all is certain.
    path = tmp_path / "adapter.gguf"
    write_adapter_gguf(
        METHODS[RECIPE.method].export(model, base, described.sha256), described.path, path
    )
    expected = log_probabilities(model, examples[:3], tmp_path / "a")
    served = ServedModel(described, described.path, path, base_reads_prompt=True)
    reading_too = replace(served, base_reads_prompt=False)
    with Engine.open(served) as engine, Engine.open(reading_too) as merged_like:
        for example, wanted in zip(examples, expected, strict=False):
            found = torch.tensor(engine.log_likelihood(example.prompt, example.completion)).float()
            other = merged_like.log_likelihood(example.prompt, example.completion)
            assert torch.allclose(found, wanted, atol=0.05)
            assert not torch.allclose(torch.tensor(other).float(), wanted, atol=0.05)


def test_a_prompt_stays_read_while_the_adapter_is_switched(
    bases: dict[str, ModelInfo], examples: Examples, tmp_path: Path
) -> None:
    described = bases["llama"]
    base = load_base(described, "float32", tmp_path)
    model = trained(base, examples, tmp_path / "s")
    path = tmp_path / "adapter.gguf"
    write_adapter_gguf(
        METHODS[RECIPE.method].export(model, base, described.sha256), described.path, path
    )
    prompt, completion = examples[0].prompt, examples[0].completion
    bare = ServedModel(described, described.path)
    for activated in (True, False):
        served = ServedModel(described, described.path, path, base_reads_prompt=activated)
        with Engine.open(served) as engine, Engine.open(bare) as plain:
            first = engine.log_likelihood(prompt, completion)
            without = engine.log_likelihood(prompt, completion, adapted=False)
            assert without == pytest.approx(plain.log_likelihood(prompt, completion), abs=1e-3)
            assert engine.log_likelihood(prompt, completion) == pytest.approx(first, abs=1e-3)
            # What the adapter wrote is no part of a prompt that the base has read.
            longer = [*prompt, *completion[:-1]]
            engine.log_likelihood(longer, completion[-1:])
            fresh = Engine.open(served)
            assert engine.log_likelihood(longer, completion[-1:]) == pytest.approx(
                fresh.log_likelihood(longer, completion[-1:]), abs=1e-3
            )
            fresh.close()


def test_a_first_pass_is_measured_as_one_that_reads_though_prompts_are_kept(
    bases: dict[str, ModelInfo], examples: Examples, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(BasePrefill, "_compute_by_base", slowly(BasePrefill._compute_by_base))
    base = load_base(bases["llama"], "float32", tmp_path)
    store = PromptStore(tmp_path)
    assert store.missing_share(examples) == 1
    for number in range(2):
        model = adapt(base, RECIPE)
        state = tmp_path / str(number)
        trainer = Trainer(model, examples, RECIPE, CPU, state, read=store)
        missing = store.missing_share(examples)
        speed = trainer.calibrate()
        assert speed.read >= SLOW / max(len(example.prompt) for example in examples)
        assert speed.learned >= speed.read
        costs = trainer.costs(speed, missing)
        assert all(first > again for first, again in zip(*astuple(costs), strict=True)) == (
            number == 0
        )
        trainer.train(12)
        detach(model)
    assert store.missing_share(examples) == 0


def test_what_reading_costs_is_known_though_the_first_step_has_nothing_to_read(
    bases: dict[str, ModelInfo], tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"method": "lora", "batch_tokens": 1})
    short = [TokenizedExample((5 + n, 6), (7, 8, 9)) for n in range(40)]
    examples = [*short, TokenizedExample(tuple(range(10, 60)), (7, 8, 9))]
    assert next(schedule.steps(examples, recipe)) != (len(short),)
    model = adapt(load_base(bases["llama"], "float32", tmp_path), recipe)
    trainer = Trainer(model, examples, recipe, CPU, tmp_path / "state")
    costs = trainer.costs(trainer.calibrate())
    assert costs.first[-1] > costs.again[-1] > costs.first[0] == costs.again[0] > 0


def test_a_prompt_is_the_beginning_of_the_same_longer_one_whatever_is_read_first(
    bases: dict[str, ModelInfo], tmp_path: Path
) -> None:
    """Else a run that is resumed would go on from other numbers than one that was not."""
    recipe = RECIPE.model_copy(update={"method": "lora"})
    shared = tuple(range(5, 15))
    coming = [
        TokenizedExample((*shared, *more, *range(50, 50 + PROMPT_GRADIENT_TOKENS)), (7, 8))
        for more in ((), range(20, 30), range(30, 37))
    ]
    model = adapt(load_base(bases["llama"], "float32", tmp_path), recipe).eval()
    read = [example.prompt[:-PROMPT_GRADIENT_TOKENS] for example in coming]
    for first in (1, 2):
        store = PromptStore(tmp_path / str(first))
        reader = choose_prefill(model, "cpu", recipe, False, store, coming)
        assert reader is not None
        reader.expect([*coming, *coming])
        reader.keep([coming[first]])
        reader.keep([coming[0]])
        found = store._found(shared)
        assert found and found == store._found(longest_of(read)[shared])


def slowly(compute: Any) -> Any:
    def slow(self: BasePrefill, prompt: tuple[int, ...]) -> Any:
        time.sleep(SLOW)
        return compute(self, prompt)

    return slow


def test_only_prompts_that_come_again_are_left_to_the_base_and_kept(
    bases: dict[str, ModelInfo], tmp_path: Path, monkeypatch: Any
) -> None:
    examples = [TokenizedExample((5 + n, *range(10, 50 + n)), (7, 8, 9)) for n in range(4)]
    recipe = RECIPE.model_copy(update={"method": "lora", "batch_tokens": 50})
    by_base: list[int] = []
    really = BasePrefill._compute_by_base
    monkeypatch.setattr(
        BasePrefill,
        "_compute_by_base",
        lambda self, one: by_base.append(len(one)) or really(self, one),
    )
    for steps, expected in ((4, 0), (6, 2), (12, 4)):
        by_base.clear()
        model = adapt(load_base(bases["llama"], "float32", tmp_path), recipe)
        trainer = Trainer(model, examples, recipe, CPU, tmp_path / str(steps))
        trainer.calibrate()
        by_base.clear()
        trainer.train(steps)
        assert len(by_base) == len(set(by_base)) == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_prompt_that_begins_another_is_read_with_it(
    bases: dict[str, ModelInfo], tmp_path: Path, monkeypatch: Any, architecture: str
) -> None:
    """Also where layers have a sliding window, which a long prompt leaves behind."""
    reads: list[int] = []
    really = BasePrefill._compute_by_base

    def counting(self: BasePrefill, prompt: tuple[int, ...]) -> Any:
        reads.append(len(prompt))
        return really(self, prompt)

    base = load_base(bases[architecture], "float32", tmp_path)
    model = adapt(base, RECIPE).eval()
    for longest in (40, 300):
        ids = tuple(1 + number % 90 for number in range(longest))
        nested = [TokenizedExample(ids[:end], (5, 6, 7)) for end in (12, 25, longest)]
        alone = [log_probabilities(model, [one], tmp_path / str(longest)) for one in nested]
        monkeypatch.setattr(BasePrefill, "_compute_by_base", counting)
        reads.clear()
        prompts = BasePrefill(model, "cpu", PromptStore(tmp_path / f"n{longest}"), nested)
        with torch.no_grad():
            for one, (expected,) in zip(nested, alone, strict=True):
                prompts.keep([one])
                logits, _ = prompts.answers([one])
                found = logits[0].log_softmax(-1)[range(3), list(one.completion)]
                assert torch.allclose(found, expected, atol=2e-4)
        monkeypatch.undo()
        assert reads[0] == longest - 1
        assert len(reads) == 1 or (architecture == "gemma3" and longest == 300)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(("longest", "end"), [(20, 1), (300, 1), (300, 13), (20, 13)])
def test_prompts_read_by_the_adapter_are_those_of_the_whole_model(
    bases: dict[str, ModelInfo],
    examples: Examples,
    tmp_path: Path,
    architecture: str,
    longest: int,
    end: int,
) -> None:
    """Of unlike lengths together as well, where a layer's window is shorter than the prompt, and
    where nothing is read before the end that belongs to the answer.
    """
    model = trained(load_base(bases[architecture], "float32", tmp_path), examples, tmp_path / "s")
    ids = tuple(1 + number % 90 for number in range(longest))
    group = [TokenizedExample(ids[-length:], (5, 6, 7)) for length in (12, longest, 15)]
    prompts = AdapterPrefill(model, "cpu", end)
    one_by_one = prompts._read([example.prompt[:-1] for example in group])
    at_once = prompts._compute([example.prompt[:-1] for example in group])
    for one, other in zip(one_by_one, at_once, strict=True):
        for pair, same in zip(one, other, strict=True):
            for part, alike in zip(pair, same, strict=True):
                torch.testing.assert_close(part, alike, rtol=1e-3, atol=1e-4)
    with torch.no_grad():
        answers, targets = prompts.answers(group)
        for example, answer, target in zip(group, answers, targets, strict=True):
            whole = model(torch.tensor([[*example.prompt, *example.completion[:-1]]])).logits[0]
            learned = target != IGNORED
            assert target[learned].tolist() == list(example.completion)
            torch.testing.assert_close(answer[learned], whole[-3:], rtol=1e-3, atol=1e-3)


def test_a_prompt_that_is_all_end_is_learned_through(
    bases: dict[str, ModelInfo], examples: Examples, tmp_path: Path, monkeypatch: Any
) -> None:
    lora = RECIPE.model_copy(update={"method": "lora"})
    losses = []
    for end, recipe in (
        (1000, lora),
        (1000, lora.model_copy(update={"prompt_gradients": True})),
        (1, lora),
    ):
        monkeypatch.setattr("localpers.tuning.prefill.PROMPT_GRADIENT_TOKENS", end)
        model = adapt(load_base(bases["llama"], "float32", tmp_path), recipe)
        folder = tmp_path / str(len(losses))
        losses.append(Trainer(model, examples, recipe, CPU, folder).train(12).losses)
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0] != pytest.approx(losses[2], rel=1e-3)


@pytest.mark.parametrize("batch_tokens", [64, 400])
def test_a_gpu_learns_the_same_in_groups(
    bases: dict[str, ModelInfo],
    examples: Examples,
    tmp_path: Path,
    batch_tokens: int,
    monkeypatch: Any,
) -> None:
    """There the adapter reads all prompts of a group at once."""
    monkeypatch.setattr("localpers.tuning.prefill.PROMPT_GRADIENT_TOKENS", 4)
    recipe = RECIPE.model_copy(update={"method": "lora", "batch_tokens": batch_tokens})
    losses = []
    for at_once in (True, False):
        model = adapt(load_base(bases["llama"], "float32", tmp_path), recipe)
        trainer = Trainer(model, examples, recipe, CPU, tmp_path / str(at_once))
        if at_once:
            trainer._read = AdapterPrefill(model, "cpu", 4)
        losses.append(trainer.train(4 if batch_tokens == 64 else 1).losses)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("length", [1, 2])
def test_a_prompt_may_be_one_token(
    bases: dict[str, ModelInfo], tmp_path: Path, length: int
) -> None:
    model = adapt(load_base(bases["llama"], "float32", tmp_path), RECIPE).eval()
    example = TokenizedExample((5, 6)[:length], (7, 8, 9))
    whole = model(torch.tensor([[*example.prompt, 7, 8]])).logits[0, length - 1 :]
    for reader in (AdapterPrefill(model, "cpu"), BasePrefill(model, "cpu", PromptStore(tmp_path))):
        logits, _ = reader.answers([example])
        torch.testing.assert_close(logits[0], whole, rtol=1e-3, atol=1e-4)


def test_a_base_that_keeps_something_else_than_keys_and_values(
    bases: dict[str, ModelInfo], examples: Examples, tmp_path: Path
) -> None:
    """It is tuned with gradients through prompts, and not by activated adapters."""

    def forgetful(_module: Any, _given: Any, kwargs: dict[str, Any]) -> Any:
        kwargs["past_key_values"] = None
        return _given, kwargs

    base = load_base(bases["llama"], "float32", tmp_path)
    base.model.model.register_forward_pre_hook(forgetful, with_kwargs=True)
    lora = RECIPE.model_copy(update={"method": "lora"})
    with adapted(base, lora) as model:
        losses = Trainer(model, examples, lora, CPU, tmp_path / "lora").train(12).losses
    assert losses[-1] < 0.7 * losses[0]
    with pytest.raises(UnsupportedModel, match="--method lora"):
        Trainer(adapt(base, RECIPE), examples, RECIPE, CPU, tmp_path / "activated")


def test_the_longest_of_prompts_begins_with_them() -> None:
    prompts = [(), (1,), (1, 2), (1, 2, 3), (2,), (1, 3)]
    found = longest_of(prompts)
    assert found[(1, 2)] == (1, 2, 3) and found[(2,)] == (2,) and found[(1, 3)] == (1, 3)
    assert all(longer[: len(prompt)] == prompt for prompt, longer in found.items())
