"""The training loop: knows no files but its checkpoint, no documents and no command line.

Only completions are learned, and logits are computed at their positions alone: with a vocabulary
of 50,000 to 260,000 they are the larger part of a small model's work. The number of steps is fixed
before training starts and everything else follows from seed and step, so that a resumed run ends
with the weights of an uninterrupted one, bit for bit on a CPU with the same number of threads.
"""

from __future__ import annotations

import math
import operator
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from localpers.datatypes import TokenizedExample
from localpers.errors import TrainingDiverged
from localpers.tuning import checkpoint
from localpers.tuning.checkpoint import TrainingState
from localpers.tuning.device import Device, import_torch
from localpers.tuning.fused import fused_lora
from localpers.tuning.loss import IGNORED, completion_targets, loss_and_gradient
from localpers.tuning.methods import METHODS
from localpers.tuning.prefill import choose_prefill
from localpers.tuning.prompt_store import PromptStore
from localpers.tuning.recipe import Recipe
from localpers.tuning.schedule import (
    Costs,
    Speed,
    Step,
    completion_tokens_per_step,
    learning_rate,
    micro_batches,
    steps,
)

MICRO_TOKENS = {"cpu": 512, "mps": 2048}
"""Tokens computed at once, padding counted; elsewhere GPU_MICRO_TOKENS."""
GPU_MICRO_TOKENS = 8192
MOST_PADDING = {"cpu": 48}
"""Of these, computed for nothing, before another turn is cheaper; a GPU computes them at once."""
LOGITS_BYTES = 1 << 30
"""Bounds the logits of the tokens computed at once, in float32: vocabularies reach 262,144."""
SHAPE_STEP = 32
"""Lengths are rounded up to it: oneDNN and GPUs compile kernels for every new shape."""
CALIBRATION_STEPS, CALIBRATION_SECONDS = 8, 5.0
"""Measured to plan by, at most: what a token costs differs by a fifth between examples."""
OVERRUN = 1.2
"""Share of the planned time after which training stops early, should it be slower than measured."""


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """After `step` of `total` steps; `loss` is the mean of the last few, in nats per token."""

    step: int
    total: int
    loss: float
    tokens: int
    tokens_per_second: float
    seconds_left: float


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """`tokens` counts completion tokens trained on, repeats included; `seconds` the loop alone.

    `steps` were done of the `planned` ones; fewer where training was slower than measured.
    """

    losses: tuple[float, ...]
    steps: int
    planned: int
    tokens: int
    seconds: float


class Trainer:
    """Trains one peft model; `examples` are learned in the order of tuning.schedule."""

    def __init__(
        self,
        model: Any,
        examples: Sequence[TokenizedExample],
        recipe: Recipe,
        device: Device,
        folder: Path,
        checkpointing: bool = False,
        read: PromptStore | None = None,
    ) -> None:
        """`read` holds what earlier trainers on the same base have read for activated adapters,
        and outlives this one.

        With `checkpointing`, gradients go through prompts, whatever the recipe says: it computes
        forward again, and finds no cache then. Raises what choose_prefill raises.
        """
        self._torch = import_torch()
        self._model = model.to(device.name)
        self._shared = METHODS[recipe.method].base_reads_prompt and read is not None
        store = read if read and self._shared else PromptStore(folder)
        self._read = choose_prefill(
            self._model, device.name, recipe, checkpointing, store, examples
        )
        self._model.train()
        if checkpointing and not self._read:
            self._model.enable_input_require_grads()
            self._model.gradient_checkpointing_enable()
        self._examples = examples
        self._recipe = recipe
        self._tokens_per_step = completion_tokens_per_step(examples, recipe)
        self._device = device
        self._folder = folder
        most = LOGITS_BYTES // (4 * model.get_output_embeddings().weight.shape[0])
        self._micro = min(MICRO_TOKENS.get(device.name, GPU_MICRO_TOKENS), most)
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        self._optimizer = self._torch.optim.AdamW(
            self._parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self._losses: list[float] = []
        self._tokens = 0
        self._seconds = 0.0
        self._interrupted = False

    def calibrate(self) -> Speed:
        """How fast this device is: measured, leaving no trace."""
        random = self._torch.get_rng_state()
        first = islice(steps(self._examples, self._recipe), CALIBRATION_STEPS)
        groups = [group for step in first for group in self._groups(step)]
        if self._read:
            self._read.expect([example for group in groups for example in [*group, *group]])
            self._read.keep(groups[0])
        self._backward(groups[0])  # Warms up.
        seconds, measured = 0.0, []
        for group in groups:
            if self._read:
                self._read.keep(group)
            seconds += self._timed(self._backward, group)
            measured += group
            if seconds >= CALIBRATION_SECONDS:
                break
        per_read = self._reading()
        self._forget()
        self._optimizer.zero_grad(set_to_none=True)
        self._torch.set_rng_state(random)
        learned = sum(map(self._learned, measured))
        if self._read and self._read.anew:
            seconds -= per_read * (sum(example.length for example in measured) - learned)
        return Speed(max(seconds / learned, per_read), per_read)

    def _reading(self) -> float:
        """Seconds per token that is only read, of the longest prompt."""
        example = max(self._examples, key=lambda example: len(example.prompt))
        if not self._read:
            return 0.0
        with fused_lora(self._model):
            seconds = self._timed(self._read.read_again, [example])
        return seconds / max(1, example.length - self._learned(example))

    def costs(self, speed: Speed, missing: float = 1.0) -> Costs:
        """What the examples cost at this speed, where the share `missing` of what is read for them
        and kept is not kept yet.
        """
        learned = tuple(self._learned(example) * speed.learned for example in self._examples)
        read = [(e.length - self._learned(e)) * speed.read for e in self._examples]
        anew = self._read is not None and self._read.anew
        share = 1.0 if anew else missing
        first = tuple(a + b * share for a, b in zip(learned, read, strict=True))
        return Costs(first, first if anew else learned)

    def _learned(self, example: TokenizedExample) -> int:
        return self._read.learned(example) if self._read else example.length

    def _groups(self, step: Step) -> list[list[TokenizedExample]]:
        padding = MOST_PADDING.get(self._device.name, math.inf)
        width = self._read.width if self._read else operator.attrgetter("length")
        return micro_batches(step, self._examples, self._micro, padding, width)

    def _timed(
        self, work: Callable[[list[TokenizedExample]], object], group: list[TokenizedExample]
    ) -> float:
        """Seconds."""
        self._synchronize()
        began = time.monotonic()
        work(group)
        self._synchronize()
        return time.monotonic() - began

    def train(
        self,
        total: int,
        *,
        planned_seconds: float = math.inf,
        on_progress: Callable[[TrainingProgress], None] | None = None,
    ) -> TrainingResult:
        """Run the steps up to `total`, going on from the folder's checkpoint if there is one.

        Raises KeyboardInterrupt once the state is saved, and TrainingDiverged where the loss is no
        number any more.
        """
        done = self._restore()
        saved_at = began = time.monotonic()
        before = self._seconds
        if self._read:
            planned = islice(steps(self._examples, self._recipe), total)
            self._read.expect(self._examples[n] for step in planned for n in step)
        with self._catching_interrupts():
            for number, step in islice(enumerate(steps(self._examples, self._recipe)), done, total):
                loss = self._step(number, total, self._groups(step))
                if loss is None:
                    self._save(number)
                    raise KeyboardInterrupt
                self._losses.append(loss)
                self._seconds = before + time.monotonic() - began
                if on_progress:
                    on_progress(self._progress(number + 1, total))
                if time.monotonic() - saved_at >= self._recipe.checkpoint_seconds:
                    self._save(number + 1)
                    saved_at = time.monotonic()
                if self._seconds > planned_seconds * OVERRUN:
                    break
        self._forget()
        self._save(len(self._losses))
        return TrainingResult(
            losses=tuple(self._losses),
            steps=len(self._losses),
            planned=total,
            tokens=self._tokens,
            seconds=round(self._seconds, 3),
        )

    def _forget(self) -> None:
        if self._read and not self._shared:
            self._read.forget()

    def _step(self, number: int, total: int, groups: list[list[TokenizedExample]]) -> float | None:
        """One optimizer step; its mean loss, or None if it was abandoned for an interrupt."""
        completion_tokens = sum(len(e.completion) for group in groups for e in group)
        nats = 0.0
        for group in groups:
            nats += self._backward(group)
            if self._interrupted:
                self._optimizer.zero_grad(set_to_none=True)
                return None
        loss = nats / completion_tokens
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"Training diverged at step {number + 1} (the loss is {loss}): tune again with a "
                "lower learning_rate in the recipe. Nothing was promoted."
            )
        self._torch.nn.utils.clip_grad_norm_(self._parameters, self._recipe.gradient_clip)
        for parameters in self._optimizer.param_groups:
            parameters["lr"] = learning_rate(number, total, self._recipe)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._tokens += completion_tokens
        return loss

    def _backward(self, group: list[TokenizedExample]) -> float:
        """Adds the gradient of the group's summed loss / the completion tokens of a mean step, so
        that each token counts the same, in long answers and in short ones; returns that sum.
        """
        if self._read:
            self._read.keep(group)
        # Gradient checkpointing computes forward again in backward: both happen in one context.
        with fused_lora(self._model):
            logits, targets = self._logits_and_targets(group)
            nats, gradient = loss_and_gradient(logits, targets.to(self._device.name))
            logits.backward(gradient.div_(self._tokens_per_step))
        return nats

    def _logits_and_targets(self, group: list[TokenizedExample]) -> tuple[Any, Any]:
        torch, device = self._torch, self._device.name
        if self._read:
            return self._read.answers(group)
        longest = max(example.length for example in group)
        ids = torch.zeros((len(group), _rounded(longest)), dtype=torch.long)
        for row, example in enumerate(group):
            tokens = torch.tensor([*example.prompt, *example.completion])
            ids[row, : len(tokens)] = tokens
        targets, first = completion_targets(group, [0] * len(group))
        last = first + targets.shape[1]
        begin = max(0, last - _rounded(last - first))
        # No attention mask: padding stands at the end, where causal attention never looks.
        logits = self._model(
            input_ids=ids.to(device),
            logits_to_keep=torch.arange(begin, last, device=device),
            use_cache=False,
        ).logits
        return logits, torch.nn.functional.pad(targets, (first - begin, 0), value=IGNORED)

    def _progress(self, step: int, total: int) -> TrainingProgress:
        recent = self._losses[-8:]
        return TrainingProgress(
            step=step,
            total=total,
            loss=sum(recent) / len(recent),
            tokens=self._tokens,
            tokens_per_second=self._tokens / self._seconds,
            seconds_left=self._seconds / step * (total - step),
        )

    def _synchronize(self) -> None:
        if self._device.name in ("cuda", "mps", "xpu"):
            getattr(self._torch, self._device.name).synchronize()

    def _save(self, step: int) -> None:
        tensors = {"random": self._torch.get_rng_state()}
        for number, parameter in enumerate(self._parameters):
            tensors[f"parameter.{number}"] = parameter.detach().cpu().contiguous()
            for name, value in self._optimizer.state.get(parameter, {}).items():
                tensors[f"{name}.{number}"] = value.detach().cpu().contiguous()
        checkpoint.save(
            TrainingState(tensors, step, self._tokens, self._seconds, tuple(self._losses)),
            self._folder,
        )

    def _restore(self) -> int:
        """Take up the checkpoint; returns the number of steps that are done."""
        state = checkpoint.load(self._folder)
        if state is None:
            return 0
        torch = self._torch
        with torch.no_grad():
            for number, parameter in enumerate(self._parameters):
                parameter.copy_(state.tensors[f"parameter.{number}"])
                moments = {
                    name: state.tensors[f"{name}.{number}"]
                    for name in ("step", "exp_avg", "exp_avg_sq")
                    if f"{name}.{number}" in state.tensors
                }
                if moments:
                    self._optimizer.state[parameter] = {
                        name: value if name == "step" else value.to(parameter.device)
                        for name, value in moments.items()
                    }
        torch.set_rng_state(state.tensors["random"])
        self._losses = list(state.losses)
        self._tokens = state.tokens
        self._seconds = state.seconds
        return state.step

    @contextmanager
    def _catching_interrupts(self) -> Iterator[None]:
        """Ctrl-C takes effect between two micro-batches, where the state is whole."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def remember(_signal: int, _frame: FrameType | None) -> None:
            self._interrupted = True

        previous = signal.signal(signal.SIGINT, remember)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, previous)


def _rounded(length: int) -> int:
    return -(-length // SHAPE_STEP) * SHAPE_STEP
