"""Users spread over processes; with one job everything happens in this one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from localpers.evaluation.lamp.records import Record
from localpers.evaluation.lamp.settings import Assignment, Settings
from localpers.evaluation.lamp.users import Session


def run_assignments(
    settings: Settings, assignments: Sequence[Assignment], jobs: int, training: bool
) -> Iterator[Record]:
    with Session(settings) as session:
        for assignment in assignments:
            yield from session.records(assignment)
