"""Run folders: what one `tune` made. `run.json` is written last: without it a run does not count.

A folder with `plan.json` in its place is a run that was interrupted and can be resumed.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from localpers.errors import LocalpersError, RunNotFound
from localpers.profile import Profile, make_private, write_atomically

if TYPE_CHECKING:  # pydantic is slow to import, and most commands read no record.
    from localpers.runs.records import Record, RunData, RunPlan, RunRecord

R = TypeVar("R", bound="Record")

KEPT_RUNS = 3
"""Finished runs kept besides the promoted one; older ones are removed when a new one finishes."""
BASE = "base"
"""The name of the untuned base among run ids."""


class Origin(NamedTuple):
    """Where a document was when a run was made; `part` as in Document."""

    content_hash: str
    path: str
    part: str


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run. It counts once `record_file` exists."""

    path: Path

    @classmethod
    def create(cls, profile: Profile) -> RunFolder:
        """A new folder whose id sorts by time."""
        id = f"{datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        return cls(make_private(profile.runs / id))

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def record_file(self) -> Path:
        return self.path / "run.json"

    @property
    def plan_file(self) -> Path:
        return self.path / "plan.json"

    @property
    def examples(self) -> Path:
        return self.path / "examples.jsonl"

    @property
    def held_out(self) -> Path:
        return self.path / "held_out.jsonl"

    @property
    def provenance(self) -> Path:
        """Where each document that the run knew came from."""
        return self.path / "provenance.jsonl"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint"

    @property
    def peft_adapter(self) -> Path:
        return self.path / "adapter"

    @property
    def adapter(self) -> Path:
        return self.path / "adapter.gguf"

    @property
    def merged(self) -> Path:
        """The merged model in F16: made for parity and quantization, then removed."""
        return self.path / "merged-f16.gguf"

    @property
    def reference(self) -> Path:
        """Logits of the model in torch, for parity; removed afterwards."""
        return self.path / "reference"

    def model(self, quantization: str) -> Path:
        return self.path / f"model-{quantization}.gguf"

    @property
    def is_finished(self) -> bool:
        return self.record_file.exists()

    @property
    def is_resumable(self) -> bool:
        return not self.is_finished and self.plan_file.exists()

    def record(self) -> RunRecord:
        """The contents of `run.json`. Raises LocalpersError where they are damaged."""
        from localpers.runs.records import RunRecord

        return _read(RunRecord, self.record_file)

    def finish(self, record: RunRecord) -> None:
        """Write `run.json`, which makes the run count, and remove what only training needed."""
        _write(record, self.record_file)
        self.plan_file.unlink(missing_ok=True)
        self.merged.unlink(missing_ok=True)
        for folder in (self.checkpoint, self.reference):
            shutil.rmtree(folder, ignore_errors=True)

    def plan(self) -> RunPlan:
        """The contents of `plan.json`. Raises LocalpersError where they are damaged."""
        from localpers.runs.records import RunPlan

        return _read(RunPlan, self.plan_file)

    def save_plan(self, plan: RunPlan) -> None:
        _write(plan, self.plan_file)

    def write_origins(self, origins: Iterable[Origin]) -> None:
        rows = "".join(json.dumps(origin._asdict()) + "\n" for origin in origins)
        write_atomically(self.provenance, rows)

    def origins(self) -> list[Origin]:
        """Raises LocalpersError where they are damaged."""
        return [Origin(**row) for row in read_rows(self.provenance)]

    def data(self) -> RunData:
        """The documents of a finished or resumable run, none for another."""
        from localpers.runs.records import RunData

        if self.is_finished:
            return self.record().data
        return self.plan().data if self.is_resumable else RunData()


def finished_runs(profile: Profile) -> list[RunFolder]:
    """The runs that count, newest first."""
    return [run for run in all_runs(profile) if run.is_finished]


def interrupted_run(profile: Profile) -> RunFolder | None:
    """The newest run that can be resumed."""
    for run in all_runs(profile):
        if run.is_finished:
            return None
        if run.is_resumable:
            return run
    return None


def find_run(profile: Profile, id: str) -> RunFolder:
    """A finished run by its id. Raises RunNotFound, which names those there are."""
    runs = finished_runs(profile)
    for run in runs:
        if run.id == id:
            return run
    kept = ", ".join(run.id for run in runs) or "none"
    raise RunNotFound(
        f"No run '{id}' is kept (kept: {kept}): choose one with --run, or run 'localpers tune'."
    )


def rollback(profile: Profile, to: str | None = None) -> str | None:
    """Let what answered before answer again: `to` (a run's id, or BASE), else the latest of them
    that is still kept.

    Returns its id, None for the base itself. Raises LocalpersError where nothing answered before,
    RunNotFound for a run that never did or is gone.
    """
    kept = {run.id for run in finished_runs(profile)}
    there = [run for run in profile.earlier() if run is None or run in kept]
    wanted = None if to == BASE else to
    if to is not None and wanted not in there:
        names = ", ".join(run or BASE for run in reversed(there)) or "none"
        raise RunNotFound(f"'{to}' did not answer before, or is gone: choose among {names}.")
    if not there:
        raise LocalpersError(
            "Nothing answered before what answers now: 'localpers status' lists the runs, and "
            "'localpers ask --no-adapter' answers with the base."
        )
    profile.return_to(wanted if to is not None else there[-1])
    return profile.promoted()


def prune(profile: Profile) -> list[str]:
    """Remove interrupted runs and all finished ones but the promoted, the one that answered before
    it, and the KEPT_RUNS newest.

    Returns the ids of the removed runs.
    """
    promoted = profile.promoted()
    others = [run for run in finished_runs(profile) if run.id != promoted]
    keep = {promoted, *profile.earlier()[-1:], *(run.id for run in others[:KEPT_RUNS])}
    removed = [run for run in all_runs(profile) if run.id not in keep]
    for run in removed:
        # The record goes first: a folder removed halfway must not look like a run.
        run.record_file.unlink(missing_ok=True)
        shutil.rmtree(run.path, ignore_errors=True)
    return [run.id for run in removed]


def all_runs(profile: Profile) -> list[RunFolder]:
    """Finished or not, newest first."""
    folders = sorted(profile.runs.iterdir(), reverse=True) if profile.runs.exists() else []
    return [RunFolder(folder) for folder in folders if folder.is_dir()]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; none where it is missing. Raises LocalpersError where it
    is damaged.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        return [dict(json.loads(line)) for line in lines if line]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as error:
        raise LocalpersError(f"{path} is damaged: remove the folder {path.parent}.") from error


def _write(record: Record, path: Path) -> None:
    write_atomically(path, json.dumps(record.document(), indent=2, ensure_ascii=False) + "\n")


def _read(kind: type[R], path: Path) -> R:
    from pydantic import ValidationError

    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise LocalpersError(
            f"{path} is missing or damaged: remove the folder {path.parent} and tune again."
        ) from error
