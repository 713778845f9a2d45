"""What one run of the benchmark computes; travels to worker processes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from localpers import __version__
from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError
from localpers.evaluation.conditions import Condition
from localpers.evaluation.lamp.data import User
from localpers.evaluation.lamp.prompts import Form
from localpers.evaluation.lamp.retrieval import SOURCES
from localpers.evaluation.lamp.tasks import Task
from localpers.tuning.recipe import Recipe

RECIPE = Recipe(
    method="activated", learning_rate=1e-3, final_rate=0.1, epochs=1.5, batch_tokens=1200
)
"""Unless the user names another: an answer is short beside its prompt, which is read once."""
CONTRAST = 0.5
"""What the base's liking counts against a text of the tuned model with items in its prompt."""
PROCEDURE = 3
"""Of asking, writing, choosing and scoring. Whatever changes an answer of the same settings bumps
it: older results are not gone on with.
"""
CHOSEN = "chosen"
"""The condition that is chosen for each person on their profile alone."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`budget` is in seconds of training per user; `folder` a private one for adapters, which stay
    there with `keep`; `threads` are those of one worker.
    """

    task: Task
    instruction: str
    fingerprint: str
    base: ModelInfo
    form: Form
    recipe: Recipe
    budget: float
    seed: int
    device: str
    folder: Path
    contrast: float = CONTRAST
    keep: bool = False
    threads: int = 0

    def configuration(self) -> dict[str, Any]:
        """What decides the answers, for the head of a results file."""
        return {
            "version": __version__,
            "procedure": PROCEDURE,
            "task": self.task.name,
            "data": self.fingerprint,
            "base": {"name": self.base.name, "sha256": self.base.sha256},
            "form": asdict(self.form),
            "recipe": self.recipe.model_dump(mode="json"),
            "contrast": self.contrast,
            "budget": self.budget,
            "seed": self.seed,
            "device": self.device,
        }


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is to be done for one user: the names of the conditions that each question lacks."""

    user: User
    other: User | None
    missing: dict[str, tuple[str, ...]]
    """By question id; questions that lack nothing are left out."""

    @property
    def answers(self) -> int:
        return sum(map(len, self.missing.values()))


def conditions_named(names: str) -> tuple[str, ...]:
    """The names of the conditions in a list separated by commas, each once, as reports have them.

    Raises LocalpersError for one that does not exist or cannot be measured here.
    """
    found = []
    for name in names.split(","):
        if name.strip() == CHOSEN:
            found.append(CHOSEN)
            continue
        condition = Condition.parse(name, ("paper",))
        if condition.retriever and condition.retriever not in SOURCES:
            raise LocalpersError(
                f"'{condition.name}' is not measured on LaMP's profiles: retrieve by one of "
                f"{', '.join(SOURCES)}."
            )
        found.append(condition.name)
    return tuple(dict.fromkeys(found))


def condition_called(name: str) -> Condition:
    return Condition.parse(name, ("paper",))


def needs_adapter(names: tuple[str, ...]) -> bool:
    return any(name == CHOSEN or condition_called(name).adapter for name in names)


def needs_stranger(names: tuple[str, ...]) -> bool:
    return any(
        name != CHOSEN and condition_called(name).retriever == "mismatched" for name in names
    )
