"""The results file: a Ledger of Records by question and condition.

What decides an answer stands in its head; how many users and which conditions does not, so that
more of either can be added.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localpers.errors import LocalpersError
from localpers.evaluation.ledger import Ledger, OtherSettings
from localpers.locks import locked


@dataclass(frozen=True, slots=True)
class Record:
    """One question answered under one condition.

    `number` is the question's place in the set; `text` is what the model wrote and `prediction` the
    answer in it; `scores` as scores.scores_of has them; `nats` the negative log-likelihood of the
    gold answer over its `tokens`. `details` tells of the drafts, the adapter and the choice behind
    it.
    """

    user: str
    question: str
    number: int
    condition: str
    text: str
    prediction: str
    gold: str
    scores: Mapping[str, float]
    nats: float
    tokens: int
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.question, self.condition


@contextmanager
def opened(path: Path, configuration: Mapping[str, Any], again: bool) -> Iterator[Ledger]:
    """The results of `configuration` at `path`, continued, or started over with `again`.

    Raises LocalpersError where the file holds another configuration's results, or something else,
    and where another run has it open.
    """
    busy = LocalpersError(
        f"Another run is writing {path}: wait for it to finish, or name another file with "
        "--results."
    )
    with locked(path.with_name(f".{path.name}.lock"), lambda: busy):
        if again:
            path.unlink(missing_ok=True)
        if path.exists():
            read_configuration(path)
        try:
            ledger = Ledger(path, configuration, restart=False)
        except OtherSettings as error:
            raise LocalpersError(
                f"{str(error).rstrip('.')}: name another file with --results, or start over with "
                "--again."
            ) from error
        yield ledger


def read_configuration(path: Path) -> dict[str, Any]:
    """The settings that a results file was measured under. Raises LocalpersError for another."""
    try:
        with path.open(encoding="utf-8") as file:
            found: dict[str, Any] = json.loads(file.readline())
        if "procedure" in found:
            return found
    except (OSError, ValueError, TypeError):
        pass
    raise LocalpersError(
        f"{path} holds no results that can be continued: name another file with --results, or "
        "start over with --again."
    )
