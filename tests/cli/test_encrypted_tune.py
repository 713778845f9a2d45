"""A tuning run in an encrypted profile works, and nothing of it reaches the disk in plain."""

from __future__ import annotations

import re
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from localpers.encryption import keys, memory, vault
from localpers.profile import Profile
from localpers.runs import RunFolder
from tests.cli.conftest import WORDS
from tests.cli.test_tune import RECIPE
from tests.conftest import CommandLine

pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="encryption needs Linux")

KEYS = ("content_hash", "promoted", "completion", "messages", "base_model", "nats", "lora_a")
LONG_WORDS = (*sorted({word for word in WORDS if len(word) > 5}), "zeppelin")
ON_DISK = re.compile(
    r"(\.[^/]+\.enc\.\w+|[^/]+\.enc|index\.sqlite(-wal|-shm|-journal)?"
    r"|(writer|measuring)\.lock|\.?(writer|measuring)\.json[^/]*)"
)
"""What may be made in the profile's folder, if only for a moment."""


@pytest.fixture(autouse=True)
def encrypted(
    cli: CommandLine,
    tiny_models: Path,
    diary: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """The folder of an encrypted profile with the diary."""
    monkeypatch.setenv("LOCALPERS_MODELS", str(tiny_models))
    monkeypatch.setattr(keys, "MEMORY_KIB", 64)
    (tmp_path / "passphrase").write_text("correct horse")
    monkeypatch.setenv("LOCALPERS_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    assert cli("profiles", "new", "default").code == 0
    assert cli("profiles", "encrypt", "default").code == 0
    assert cli("ingest", diary).code == 0
    return home / "profiles/default"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path / "recipe.toml"


def readable(root: Path) -> set[str]:
    """Words of the diary and keys of the files that anything below `root` holds."""
    contents = [path.read_bytes() for path in root.rglob("*") if path.is_file()]
    return {
        word
        for word in LONG_WORDS + KEYS
        for form in (word.encode(), word.encode("utf-16-le"))
        if any(form in content for content in contents)
    }


class Watched:
    """The names made below folders while it is watched."""

    def __init__(self, *folders: Path) -> None:
        self.names: set[str] = set()
        self._folders = folders
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        from watchfiles import Change, watch

        settings = {"yield_on_timeout": True, "rust_timeout": 50, "step": 10, "debounce": 20}
        for changes in watch(*self._folders, stop_event=self._stop, watch_filter=None, **settings):
            self._ready.set()
            self.names |= {path for change, path in changes if change is not Change.deleted}

    def __enter__(self) -> Watched:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def test_tune_ask_and_eval_leave_nothing_readable(
    cli: CommandLine, encrypted: Path, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    with Watched(encrypted, temporary) as watched:
        outcome = cli("tune", "--base", "llama", "--recipe", recipe, "--budget", "2m", "--json")
        assert outcome.code == 0, outcome.err
        run = outcome.json
        answer = cli("ask", "the garden", "--run", run["run"], "--json", "--max-tokens", 4)
        assert answer.json["adapter"] == run["run"]
        measured = cli("eval", "--run", run["run"], "--sample", 2, "--conditions", "rag,rag+peft")
        assert measured.code == 0 and "--report FILE" in measured.err
    made = {Path(name) for name in watched.names if not Path(name).is_dir()}
    assert made and not [path for path in made if path.is_relative_to(temporary)]
    assert not [path for path in made if path.suffix and not ON_DISK.fullmatch(path.name)]
    kept = {path.name for path in encrypted.rglob("*.enc")}
    assert kept >= {"run.json.enc", "adapter.gguf.enc", "model-q8_0.gguf.enc", "report.html.enc"}
    assert kept >= {"adapter_model.safetensors.enc", "examples.jsonl.enc", "evaluation.json.enc"}
    assert readable(encrypted) == set()
    assert cli("status", "--json").json["runs"][0]["run"] == run["run"]
    exported = tmp_path / "out"
    assert cli("export", exported, "--run", run["run"]).code == 0
    assert any(path.suffix == ".gguf" for path in exported.iterdir())
    assert cli("profiles", "decrypt", "default").code == 0
    assert len(readable(encrypted)) > len(KEYS)
    plain = cli("ask", "the garden", "--run", run["run"], "--json", "--max-tokens", 4).json
    assert plain["text"] == answer.json["text"]


def test_an_interrupted_run_goes_on_from_its_encrypted_checkpoint(
    cli: CommandLine, encrypted: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from localpers.tuning.training import Trainer

    recipe.write_text(RECIPE.replace("checkpoint_seconds = 0.2", "checkpoint_seconds = 0.01"))
    arguments = ("tune", "--base", "llama", "--recipe", recipe, "--budget", "none", "--json")
    save = Trainer._save

    def interrupted(self: Trainer, step: int) -> None:
        save(self, step)
        if step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_save", interrupted)
        assert cli(*arguments).code == 130
    kept = {path.name for path in encrypted.rglob("*.enc")}
    assert "state.safetensors.enc" in kept and "merged-f16.gguf.enc" not in kept
    assert readable(encrypted) == set()
    begun = cli("status", "--json").json["interrupted"]
    resumed = cli(*arguments, "--resume")
    assert resumed.code == 0, resumed.err
    assert resumed.json["run"] == begun and readable(encrypted) == set()
    kept = {path.name for path in encrypted.rglob("*.enc")}
    assert not kept & {"state.safetensors.enc", "plan.json.enc"}


def test_too_little_memory_is_refused_before_anything_is_made(
    cli: CommandLine, encrypted: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Profile, "free_bytes", lambda self: 64 << 20)
    outcome = cli("tune", "--base", "llama", "--recipe", recipe)
    assert outcome.code == 1 and memory.MEMORY in outcome.err and "of memory" in outcome.err
    assert not list(encrypted.glob("runs/*"))


def test_removed_weights_are_removed_from_the_disk(cli: CommandLine, encrypted: Path) -> None:
    profile = Profile.open("default", lambda name, header: b"correct horse")
    run = RunFolder.create(profile)
    run.model("q8_0").write_bytes(b"weights")
    vault.keep(run.path)
    assert list(encrypted.rglob("model-q8_0.gguf.enc"))
    run.model("q8_0").unlink()
    profile.close()
    assert not list(encrypted.rglob("model-q8_0.gguf.enc"))
