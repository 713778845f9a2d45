"""The catalog, and the models folder: what is offered, what is there, under which name."""

from __future__ import annotations

import hashlib

import pytest

from localpers.errors import ModelNotFound
from localpers.weights.bert import FILES
from localpers.weights.catalog import catalog, encoders, find, models_folder
from localpers.weights.digest import note_of, sha256_of
from localpers.weights.pull import add, pull
from tests.weights.conftest import silent


def test_an_unknown_name_lists_the_catalog(models):
    with pytest.raises(ModelNotFound, match="smollm2-135m-instruct"):
        pull("nonsense", silent)


def test_find_names_the_command_that_helps(models, tiny):
    with pytest.raises(ModelNotFound, match="models pull smollm2-135m-instruct"):
        find("SmolLM2-135M-Instruct")
    with pytest.raises(ModelNotFound, match="models add"):
        find("nonsense")
    add(tiny, "Mine")
    assert find("mine").name == "Mine"


def test_digests_are_remembered_until_the_file_changes(tmp_path):
    file = tmp_path / "a.gguf"
    file.write_bytes(b"one")
    first = sha256_of(file)
    assert first == hashlib.sha256(b"one").hexdigest()
    note_of(file).write_text(note_of(file).read_text().replace(first, "f" * 64))
    assert sha256_of(file) == "f" * 64
    file.write_bytes(b"other")
    assert sha256_of(file) == hashlib.sha256(b"other").hexdigest()
    note_of(file).write_text("{")
    assert sha256_of(file) == hashlib.sha256(b"other").hexdigest()


def test_the_shipped_catalog_is_whole():
    entries = catalog()
    assert entries[0].name == "smollm2-135m-instruct"
    assert [e.parameters for e in entries] == sorted(e.parameters for e in entries)
    assert len({e.name for e in entries}) == len(entries) > 10
    assert [encoder.name for encoder in encoders()] == ["all-minilm-l6-v2"]
    assert set(encoders()[0].source.files) == set(FILES)
    for entry in entries:
        assert entry.licence and entry.languages and entry.description
        assert entry.ram_ask < entry.ram_tune
        assert entry.name == entry.name.casefold()


def test_models_lie_in_the_checkout_unless_stated_otherwise(models, monkeypatch):
    assert models_folder() == models
    monkeypatch.delenv("LOCALPERS_MODELS")
    assert (models_folder() / "catalog.toml").is_file()
