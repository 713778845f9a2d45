"""Which files answer, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from localpers.errors import LocalpersError, ModelNotFound, RunNotFound, WrongBase
from localpers.inference.served import served_model
from localpers.profile import Profile
from localpers.weights.adapter import LoraAdapter, write_adapter_gguf
from localpers.weights.digest import sha256_of


@pytest.fixture
def models(tmp_path: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder that holds `small` alone."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(tiny, folder / "small.gguf")
    monkeypatch.setenv("LOCALPERS_MODELS", str(folder))
    return folder


@pytest.fixture
def profile(models: Path) -> Profile:
    return Profile.open()


def add_run(profile: Profile, models: Path, id: str, **served: Any) -> Path:
    """A finished run on `small`: a merged model unless `served` says otherwise."""
    folder = profile.runs / id
    folder.mkdir()
    base = models / "small.gguf"
    shutil.copy(base, folder / "model-q4_k_m.gguf")
    write_adapter_gguf(LoraAdapter((), 8.0, 4, sha256_of(base)), base, folder / "adapter.gguf")
    description = {
        "run": id,
        "base": "tiny",
        "base_model": {"name": "small", "sha256": sha256_of(base)},
        "served": served or {"model": "model-q4_k_m.gguf", "adapter": None, "scale": 1.0},
    }
    (folder / "run.json").write_text(json.dumps(description))
    return folder


def test_the_only_base_answers_before_anything_was_tuned(profile: Profile, models: Path) -> None:
    served = served_model(profile)
    assert (served.model, served.run) == (models / "small.gguf", None)


def test_the_base_last_tuned_on_is_preferred(profile: Profile, models: Path) -> None:
    shutil.copy(models / "small.gguf", models / "other.gguf")
    with pytest.raises(ModelNotFound, match="--base"):
        served_model(profile)
    profile.promote(None, "other")
    assert served_model(profile).base.name == "other"
    assert served_model(profile, base="small").base.name == "small"


def test_without_any_model_the_way_to_one_is_named(profile: Profile, models: Path) -> None:
    (models / "small.gguf").unlink()
    with pytest.raises(ModelNotFound, match="models pull"):
        served_model(profile)


def test_the_promoted_run_answers_unless_another_is_named(profile: Profile, models: Path) -> None:
    first = add_run(profile, models, "20240101-000000-aaaa")
    second = add_run(profile, models, "20240102-000000-bbbb")
    assert served_model(profile).run is None
    profile.promote(first.name)
    assert served_model(profile).model == first / "model-q4_k_m.gguf"
    assert served_model(profile, second.name).model == second / "model-q4_k_m.gguf"
    untuned = served_model(profile, use_adapter=False)
    assert (untuned.model, untuned.run) == (models / "small.gguf", None)


def test_base_and_adapter(profile: Profile, models: Path) -> None:
    run = add_run(profile, models, "r", model=None, adapter="adapter.gguf", scale=0.5)
    served = served_model(profile, "r")
    assert served.model == models / "small.gguf"
    assert (served.adapter, served.adapter_scale) == (run / "adapter.gguf", 0.5)


def test_an_adapter_is_refused_on_another_base(
    profile: Profile, models: Path, build_tiny_model: Any
) -> None:
    add_run(profile, models, "adapted", model=None, adapter="adapter.gguf")
    add_run(profile, models, "merged")
    build_tiny_model(models / "small.gguf", "llama", seed=1)
    with pytest.raises(WrongBase, match="small"):
        served_model(profile, "adapted")
    assert served_model(profile, "merged").run == "merged"


def test_a_merged_model_outlives_its_base(profile: Profile, models: Path) -> None:
    add_run(profile, models, "merged")
    add_run(profile, models, "adapted", model=None, adapter="adapter.gguf")
    (models / "small.gguf").unlink()
    assert served_model(profile, "merged").base.name == "small"
    with pytest.raises(ModelNotFound, match="small"):
        served_model(profile, "adapted")


def test_unknown_runs_list_those_kept(profile: Profile, models: Path) -> None:
    add_run(profile, models, "kept")
    (profile.runs / "unfinished").mkdir()
    for wrong in ("gone", "unfinished", "../runs/kept"):
        with pytest.raises(RunNotFound, match=r"\(kept: kept\)"):
            served_model(profile, wrong)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[]",
        "{}",
        '{"base": "tiny", "base_model": {"name": "small", "sha256": "0"}, "served": null}',
    ],
)
def test_a_damaged_description_is_one_line(profile: Profile, models: Path, damage: str) -> None:
    folder = add_run(profile, models, "broken")
    (folder / "run.json").write_text(damage)
    with pytest.raises(LocalpersError, match="broken"):
        served_model(profile, "broken")


def test_a_missing_file_of_a_run_is_named(profile: Profile, models: Path) -> None:
    (add_run(profile, models, "r") / "model-q4_k_m.gguf").unlink()
    with pytest.raises(ModelNotFound, match="model-q4_k_m"):
        served_model(profile, "r")
