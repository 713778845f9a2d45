"""What is evaluated where nobody says it."""

from __future__ import annotations

import pytest

from localpers.evaluation import subject
from localpers.profile import Profile
from localpers.runs import RunFolder
from localpers.store import Store


def finished(profile: Profile, served: dict[str, str] | None) -> RunFolder:
    folder = RunFolder.create(profile)
    folder.finish({"served": served})
    return folder


def test_the_newest_run_that_can_answer_is_evaluated_else_the_base(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    profile = Profile.open()
    monkeypatch.setattr(subject, "_untuned", lambda *given: "base")
    monkeypatch.setattr(
        subject, "_of_run", lambda _, folder, __: type("S", (), {"trials": (1,), "run": folder.id})
    )
    with Store.open(profile) as store:
        finished(profile, None).path.rename(profile.runs / "20240103-000000-0000")
        assert subject.find_subject(profile, store, None) == "base"
        finished(profile, {"model": "m"}).path.rename(profile.runs / "20240102-000000-0000")
        found = subject.find_subject(profile, store, None)
        assert found.run == "20240102-000000-0000"
