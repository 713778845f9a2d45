"""What every test shares: a home of its own and the command line, driven in this process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from localpers.cli.app import main
from localpers.privacy import airgap
from localpers.threads import THREADS, threads
from localpers.weights.catalog import installed

# How long an example takes is a matter of the machine and of who else uses it.
settings.register_profile("localpers", deadline=None)
settings.load_profile("localpers")


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


CommandLine = Callable[..., Outcome]


def pytest_configure() -> None:
    """Beside other workers (pytest-xdist) each takes its part of the cores: native threads that
    outnumber them wait for each other in loops.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if workers > 1:
        os.environ[THREADS] = os.environ["OMP_NUM_THREADS"] = str(max(1, threads() // workers))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("e2e") is None)


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty LOCALPERS_HOME for each test, so that none ever meets a real profile."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("LOCALPERS_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def writing_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed models but embedding models, with which every `ingest` would embed."""
    folder = tmp_path_factory.mktemp("writing-models")
    for model in installed():
        if not model.embeds:
            for file in model.path.parent.glob(f"{model.path.name}*"):
                (folder / file.name).symlink_to(file)
    return folder


@pytest.fixture(autouse=True)
def no_encoder(writing_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests of vectors install an encoder of their own."""
    monkeypatch.setenv("LOCALPERS_MODELS", str(writing_models))


@pytest.fixture(autouse=True)
def unsealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's filter can never be taken off again, so no command driven here may install it;
    tests/privacy drives real processes. Libraries stay offline all the same.
    """
    monkeypatch.setattr(airgap, "seal", lambda serving=False: None)
    for name, value in airgap.OFFLINE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> CommandLine:
    """Run `localpers ARGUMENTS…`; paths may be given as such."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        assert isinstance(stop.value.code, int)
        return Outcome(stop.value.code, captured.out, captured.err)

    return run


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write `files` (name → text) below `folder`; returns the folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
