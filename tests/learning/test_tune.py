"""`localpers.tune`: the budget holds, an interrupted run resumes, wrong files promote nothing."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("torch")

from localpers import Recipe, TuneOptions, tune
from localpers.datatypes import ModelInfo, TokenizedExample
from localpers.errors import LocalpersError, ParityFailed
from localpers.learning import conversion, flow
from localpers.profile import Profile
from localpers.runs import finished_runs, interrupted_run
from localpers.tuning.adapter_trainer import AdapterTrainer, served_with
from localpers.weights.catalog import find
from localpers.weights.parity import Parity
from tests.conftest import CommandLine, write
from tests.tiny_gguf import build_tiny_model

TEXT = (
    "the river mill stood idle that summer and bread salt honey onions went over the pass with us "
    "while gardens flooded under the north wall and we walked home late talking about trains"
)
WORDS = TEXT.split()
FAST = Recipe(rank=4, epochs=0.2, learning_rate=5e-3, quantization="q8_0")


class Silent:
    """A reporter that may interrupt at a step of training, as Ctrl-C does."""

    def __init__(self, interrupt_at: int | None = None) -> None:
        self.warnings: list[str] = []
        self._interrupt_at = interrupt_at
        self._training = False

    def stage(self, what: str) -> None:
        self._training = what.startswith("Training")

    def progress(self, done: int, total: int, detail: str, seconds_left: float | None) -> None:
        if self._training and done == self._interrupt_at:
            signal.raise_signal(signal.SIGINT)

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture
def profile(cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Profile:
    """Notes to learn from and a tiny base; verdicts have no time for evidence."""
    models, random = tmp_path / "models", Random(7)
    models.mkdir()
    build_tiny_model(models / "small.gguf", "llama")
    monkeypatch.setenv("LOCALPERS_MODELS", str(models))
    notes = {
        f"{n}.md": f"# {_text(random, 4)}\n\n" + "\n\n".join(_text(random, 65) for _ in range(4))
        for n in range(22)
    }
    assert cli("ingest", write(tmp_path / "notes", notes)).code == 0
    judge = flow.judge

    def at_once(*arguments: Any, **options: Any) -> Any:
        return judge(*arguments, **options | {"seconds": 0.0})

    monkeypatch.setattr(flow, "judge", at_once)
    return Profile.open()


def _text(random: Random, words: int) -> str:
    return " ".join(random.choice(WORDS) for _ in range(words)).capitalize() + "."


def test_an_interrupted_run_resumes(profile: Profile) -> None:
    options = TuneOptions("small", FAST, "cpu", float("inf"))
    with pytest.raises(KeyboardInterrupt):
        tune(profile, options, Silent(interrupt_at=1))
    interrupted = interrupted_run(profile)
    assert interrupted is not None and not finished_runs(profile)
    steps = interrupted.plan().steps
    record = tune(profile, TuneOptions("small", FAST, "cpu", resume=True), Silent())
    assert record.run == interrupted.id and record.steps == record.steps_planned == steps
    assert interrupted_run(profile) is None


def test_what_fails_parity_is_kept_but_not_promoted(
    profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*_: object) -> Parity:
        return Parity(mean_kl=1.0, top1_agreement=0.1, positions=9, tokens_equal=True)

    monkeypatch.setattr(conversion, "parity", wrong)
    with pytest.raises(ParityFailed, match="does not compute what was trained"):
        tune(profile, TuneOptions("small", FAST, "cpu", 60.0), Silent())
    (run,) = finished_runs(profile)
    record = run.record()
    assert run.adapter.exists() and record.served is None and not record.promoted
    assert profile.promoted() is None


def test_an_activated_run_makes_no_merged_files(profile: Profile) -> None:
    recipe = FAST.model_copy(update={"method": "activated"})
    record = tune(profile, TuneOptions("small", recipe, "cpu", 60.0), Silent())
    assert record.quantization is None and record.parity.merged_f16 is None
    assert record.parity.adapter is not None and record.served is not None
    assert record.served.activated and record.served.adapter
    (run,) = finished_runs(profile)
    assert not list(run.path.glob("model-*.gguf"))


def test_a_dora_run_makes_a_merged_file_alone(profile: Profile) -> None:
    recipe = FAST.model_copy(update={"method": "dora"})
    record = tune(profile, TuneOptions("small", recipe, "cpu", 60.0), Silent())
    (run,) = finished_runs(profile)
    assert record.parity.adapter is None and not run.adapter.exists()
    assert record.served is not None and record.served.model == run.model("q8_0").name


def test_a_small_budget_plans_fewer_steps(profile: Profile) -> None:
    recipe = FAST.model_copy(update={"epochs": 50.0})
    began = time.monotonic()
    record = tune(profile, TuneOptions("small", recipe, "cpu", 20.0), Silent())
    # Training gets five seconds at least, however slow the machine is.
    assert record.seconds < 20.0 and time.monotonic() - began < 120.0


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelInfo:
    build_tiny_model(tmp_path / "small.gguf", "llama")
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path))
    return find("small")


def test_adapters_are_trained_one_after_another_on_one_base(
    base: ModelInfo, tmp_path: Path
) -> None:
    recipe = Recipe(method="activated", rank=4)
    trainer = AdapterTrainer(base, recipe, tmp_path / "work", "cpu")
    paths = [tmp_path / f"{name}.gguf" for name in ("first", "second", "again")]
    for path, begin in zip(paths, (10, 40, 10), strict=True):
        made = trainer.train(_examples(begin), 60.0, path)
        assert made is not None and path.exists() and made.steps >= 1
        assert served_with(base, path, recipe).base_reads_prompt
        trainer.forget()
    first, second, again = (path.read_bytes() for path in paths)
    assert first != second and first == again
    assert trainer.train(_examples(10)[:2], 60.0, paths[0]) is None


def test_methods_that_are_merged_only_train_no_adapter_files(
    base: ModelInfo, tmp_path: Path
) -> None:
    with pytest.raises(LocalpersError, match="another method"):
        AdapterTrainer(base, Recipe(method="dora"), tmp_path / "work", "cpu")


def _examples(begin: int) -> Sequence[TokenizedExample]:
    return [TokenizedExample(tuple(range(begin, begin + 9 + n)), (7, 8, 9)) for n in range(6)]
