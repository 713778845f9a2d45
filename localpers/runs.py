"""Run folders: what one `tune` made, described by its own `run.json`, which is written last.

A folder without `run.json` is a run that was interrupted; `plan.json` holds what it needs to go on.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from localpers.errors import LocalpersError, RunNotFound
from localpers.profile import Profile, make_private, write_atomically

KEPT_RUNS = 3
"""Finished runs kept besides the promoted one; older ones are removed when a new one finishes."""
BASE = "base"
"""What the base itself is called where runs are named by their ids."""


class Origin(NamedTuple):
    """Where a document was when a run was made; `part` as in Document."""

    content_hash: str
    path: str
    part: str


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run. Nothing in it counts before `description` exists."""

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
    def description(self) -> Path:
        return self.path / "run.json"

    @property
    def plan(self) -> Path:
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
        return self.description.exists()

    def describe(self) -> dict[str, Any]:
        """The contents of `run.json`. Raises LocalpersError where they are damaged."""
        return _read(self.description)

    def finish(self, description: dict[str, Any]) -> None:
        """Write `run.json`, which makes the run count, and remove what only the making needed."""
        write_atomically(
            self.description, json.dumps(description, indent=2, ensure_ascii=False) + "\n"
        )
        self.plan.unlink(missing_ok=True)
        self.merged.unlink(missing_ok=True)
        for folder in (self.checkpoint, self.reference):
            shutil.rmtree(folder, ignore_errors=True)

    def save_plan(self, plan: dict[str, Any]) -> None:
        write_atomically(self.plan, json.dumps(plan, indent=2, ensure_ascii=False) + "\n")

    def load_plan(self) -> dict[str, Any]:
        return _read(self.plan)

    def write_origins(self, origins: Iterable[Origin]) -> None:
        rows = "".join(json.dumps(origin._asdict()) + "\n" for origin in origins)
        write_atomically(self.provenance, rows)

    def origins(self) -> list[Origin]:
        """Raises LocalpersError where they are damaged; runs of older versions have none."""
        return [Origin(**row) for row in read_rows(self.provenance)]

    def learned_from(self) -> frozenset[str]:
        """Content hashes of all documents whose text may have reached the adapter: learned, in a
        prompt beside it, or learned by the adapter that this one began with.
        """
        data = self._data()
        hashes = {*data.get("learned", ()), *data.get("sources", ()), *data.get("inherited", ())}
        if "sources" not in data:  # Older versions wrote them beside each example alone.
            for row in read_rows(self.examples):
                hashes.update((row.get("content_hash", ""), *row.get("sources", ())))
        return frozenset(hashes)

    def knows(self) -> frozenset[str]:
        """Content hashes of all documents that the run or its evaluation may hold words of."""
        data = self._data()
        others = {*data.get("retrievable", ()), *data.get("held_out", ())}
        return self.learned_from() | others

    def _data(self) -> dict[str, Any]:
        if not self.is_finished and not self.plan.exists():
            return {}
        return dict((self.describe() if self.is_finished else self.load_plan()).get("data", {}))


def finished_runs(profile: Profile) -> list[RunFolder]:
    """The runs that count, newest first."""
    return [run for run in all_runs(profile) if run.is_finished]


def interrupted_run(profile: Profile) -> RunFolder | None:
    """The newest run that can be resumed."""
    for run in all_runs(profile):
        if run.is_finished:
            return None
        if run.plan.exists():
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
        # The description goes first: a folder removed halfway must not look like a run.
        run.description.unlink(missing_ok=True)
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


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise LocalpersError(
            f"{path} is missing or damaged: remove the folder {path.parent} and tune again."
        ) from error
