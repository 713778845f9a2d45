"""How the time of a run is shared out: training, conversion with parity, verdict."""

from __future__ import annotations

from dataclasses import dataclass

from localpers.tuning.outcome import MOST_POSITIONS
from localpers.tuning.recipe import Recipe

VERDICT_SHARE = 0.4
"""Of a budget, kept for the verdict; it takes what is left in the end."""
TRAINING_SHARE = 0.5
"""What training gets at least of the time that it shares with the verdict: on a slow machine there
would be nothing to judge otherwise.
"""
TRIAL_TOKENS = 900
"""What is read for a trial or a question from the notes, passages included, about."""
MOST_TRIALS_READ = 240
"""By a verdict that has all the time it can use, all settings together."""
LEAST_TRAINING_SECONDS = 5.0
READING = {True: 0.8, False: 1.0}
"""What reading a token costs llama.cpp, of what training on one costs torch, by whether gradients
go through prompts; about, measured on two cores.
"""


@dataclass(frozen=True, slots=True)
class Budget:
    """`seconds` for a whole run of `recipe` on a base of `parameters`, on a machine that takes
    `seconds_per_token` to train, prompts included.

    Writing, merging and quantizing take 50 ms per million parameters.
    """

    seconds: float
    recipe: Recipe
    parameters: int
    seconds_per_token: float

    def training(self, spent: float) -> float:
        """Seconds for training once `spent` seconds are gone."""
        left = self.seconds - spent - self.conversion
        return max(LEAST_TRAINING_SECONDS, left - self.verdict, TRAINING_SHARE * left)

    @property
    def conversion(self) -> float:
        """Seconds for the files and their parity."""
        return 4 * MOST_POSITIONS * self._reading + 0.05 * self.parameters / 1e6

    @property
    def verdict(self) -> float:
        """Seconds that the verdict can use, within its share."""
        return min(MOST_TRIALS_READ * TRIAL_TOKENS * self._reading, VERDICT_SHARE * self.seconds)

    @property
    def _reading(self) -> float:
        """Seconds per token."""
        return READING[self.recipe.prompt_gradients] * self.seconds_per_token
