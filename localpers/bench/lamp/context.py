"""What one run of the benchmark computes; travels to worker processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers import __version__
from localpers.bench.lamp.data import User
from localpers.bench.lamp.retrieval import SOURCES
from localpers.bench.lamp.tasks import Task
from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError
from localpers.evaluation.conditions import Condition
from localpers.tuning.recipe import Recipe

RECIPE = Recipe(
    method="activated", learning_rate=1e-3, final_rate=0.1, epochs=1.5, batch_tokens=1200
)
"""Unless the user names another: an answer is short beside its prompt, which is read once."""
PROCEDURE = 4
"""Of asking, writing, choosing and scoring. Whatever changes an answer of the same settings bumps
it: older results are not continued.
"""
CHOSEN = "chosen"
"""The condition that is chosen for each person on their profile alone."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """`k` is the number of examples in a prompt; `budget` is in seconds of training per user;
    `folder` a private one for adapters, which stay there with `keep`.
    """

    task: Task
    instruction: str
    fingerprint: str
    base: ModelInfo
    recipe: Recipe
    k: int
    contrast: float
    budget: float
    seed: int
    device: str
    folder: Path
    keep: bool = False

    def configuration(self) -> dict[str, Any]:
        """What decides the answers, for the head of a results file."""
        return {
            "version": __version__,
            "procedure": PROCEDURE,
            "task": self.task.name,
            "data": self.fingerprint,
            "base": {"name": self.base.name, "sha256": self.base.sha256},
            "recipe": self.recipe.model_dump(mode="json"),
            "k": self.k,
            "contrast": self.contrast,
            "budget": self.budget,
            "seed": self.seed,
            "device": self.device,
        }


@dataclass(frozen=True, slots=True)
class Assignment:
    """A user and the names of the conditions that each of their questions still lacks, by id;
    `other` lends mismatched items.
    """

    user: User
    other: User | None
    missing: dict[str, tuple[str, ...]]

    @property
    def answers(self) -> int:
        return sum(map(len, self.missing.values()))

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for names in self.missing.values() for name in names)


def conditions_named(names: str) -> tuple[str, ...]:
    """The names of the conditions in a list separated by commas, each once, as reports have them.

    Raises LocalpersError for one that does not exist or cannot be measured here.
    """
    found = []
    for name in names.split(","):
        if name.strip() == CHOSEN:
            found.append(CHOSEN)
            continue
        condition = condition_called(name)
        if condition.retriever and condition.retriever not in SOURCES:
            raise LocalpersError(
                f"'{condition.name}' is not measured on LaMP's profiles: retrieve by one of "
                f"{', '.join(SOURCES)}."
            )
        found.append(condition.name)
    return tuple(dict.fromkeys(found))


def condition_called(name: str) -> Condition:
    return Condition.parse(name, ("paper",))
