"""The hub: what it answers, what it learns, where it may send a download."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from localpers.errors import LocalpersError
from localpers.weights import hub as hub_module
from localpers.weights.digest import note_of
from localpers.weights.pull import pull
from tests.weights.conftest import silent, visible


class Hub:
    """Answers as the hub does: a redirect that states the digest, then the bytes, by range."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.digest = hashlib.sha256(data).hexdigest()
        self.stop_after = len(data)
        self.ranges: list[str | None] = []
        self.headers: list[dict[str, str]] = []
        self.storage = "/storage"
        self.token = ""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer()

            def do_GET(self) -> None:
                self.answer()

            def answer(self) -> None:
                hub.headers.append(dict(self.headers))
                if self.path not in ("/some/repo/resolve/main/t.gguf", "/storage"):
                    self.send_error(404)
                elif hub.token and self.headers["Authorization"] != f"Bearer {hub.token}":
                    self.send_error(401)
                elif self.path != "/storage":
                    self.send_response(302)
                    self.send_header("X-Linked-ETag", f'"{hub.digest}"')
                    self.send_header("X-Linked-Size", str(len(hub.data)))
                    self.send_header("Location", hub.storage)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif self.command == "HEAD":
                    self.send_response(200)
                    self.send_header("ETag", f'"{hub.digest}"')
                    self.send_header("Content-Length", str(len(hub.data)))
                    self.end_headers()
                else:
                    self.send_bytes()

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
    monkeypatch.setattr("time.sleep", lambda _: None)  # Between the tries of one download.
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


def test_an_interrupted_download_is_resumed(models, hub, offered, monkeypatch):
    # Of a chunk that is cut short nothing is kept; the real size is above that of the tiny model.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 100_000)
    hub.stop_after = 1_000_000
    with pytest.raises(LocalpersError, match="to resume it"):
        pull("hubbed", silent)
    assert visible(models) == set()
    hub.stop_after = len(hub.data)
    assert pull("hubbed", silent).sha256 == hub.digest
    assert hub.ranges[0] is None and set(hub.ranges[1:]) == {"bytes=1000000-"}


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


def test_what_the_hub_publishes_no_digest_for_is_not_fetched(models, hub, offered):
    hub.digest = ""
    with pytest.raises(LocalpersError, match="publishes no SHA-256"):
        pull("hubbed", silent)
    assert visible(models) == set()


def test_the_hub_learns_nothing_but_which_file_is_wanted(models, hub, offered, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    pull("hubbed", silent)
    for headers in hub.headers:
        assert set(headers) <= {"Accept", "Accept-Encoding", "Host", "User-Agent", "Connection"}
        assert headers["User-Agent"] == "localpers"


def test_a_token_is_sent_where_the_hub_asks_for_one(models, hub, offered, monkeypatch):
    hub.token = "hf_secret"
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(LocalpersError, match="HF_TOKEN"):
        pull("hubbed", silent)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: hub.token)
    assert pull("hubbed", silent).sha256 == hub.digest


@pytest.mark.parametrize("place", ["http://localhost:9/t.gguf", "http://hf.co.example/t.gguf"])
def test_a_download_that_is_sent_on_to_a_stranger_is_refused(models, hub, offered, place):
    hub.storage = place
    with pytest.raises(LocalpersError, match="neither the hub"):
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
        with pytest.raises(LocalpersError, match="neither the hub"):
            hub_module.check_permitted(address)
