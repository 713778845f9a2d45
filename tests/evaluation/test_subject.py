"""What is evaluated where nobody says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.datatypes import Kind
from localpers.evaluation.subject import find_subject
from localpers.evaluation.trials import Trial, write_trials
from localpers.profile import Profile
from localpers.runs import RunFolder
from localpers.runs.records import RecordedBase, RunRecord, RunServed
from localpers.store import Store
from localpers.weights.catalog import find
from tests.conftest import CommandLine, write
from tests.tiny_gguf import build_tiny_model

NOTE = "The river was low that summer, and the mill stood idle until the rain came in autumn."


def test_the_newest_run_that_can_answer_is_evaluated_else_the_base(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    build_tiny_model(models / "small.gguf", "llama")
    monkeypatch.setenv("LOCALPERS_MODELS", str(models))
    notes = {f"{day}.md": f"# Day {day}\n\n{day}: {NOTE} {NOTE}\n" for day in range(10, 16)}
    assert cli("ingest", write(tmp_path / "notes", notes)).code == 0
    profile = Profile.open()
    with Store.open(profile) as store:
        assert find_subject(profile, store, None).tuned is None
        able = _finished(profile, store, "20240102-000000-0000", answers=True)
        _finished(profile, store, "20240103-000000-0000", answers=False)
        found = find_subject(profile, store, None)
    assert found.run == able.id and len(found.trials) == 1


def _finished(profile: Profile, store: Store, id: str, *, answers: bool) -> RunFolder:
    folder = RunFolder(profile.runs / id)
    folder.path.mkdir()
    base, document = find("small"), next(iter(store.documents.all()))
    folder.model("f16").write_bytes(base.path.read_bytes())
    trial = Trial(
        task="title_from_body",
        kind=Kind.NOTE,
        document=document.id,
        content_hash=document.content_hash,
        date=document.date,
        request="Give this note a title.",
        query="river",
        completion=document.title,
    )
    write_trials([trial], folder.held_out)
    folder.finish(
        RunRecord(
            run=id,
            base="small",
            base_model=RecordedBase(name="small", sha256=base.sha256),
            served=RunServed(model=folder.model("f16").name) if answers else None,
        )
    )
    return folder
