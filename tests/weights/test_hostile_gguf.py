"""GGUF files made to crash, to fill the memory or to show what they should not: one line each."""

from __future__ import annotations

import os
import resource
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localpers.errors import LocalpersError, UnsupportedModel
from localpers.weights import vetting
from localpers.weights.gguf_file import read_header, read_metadata
from localpers.weights.vetting import vet
from tests import tiny_gguf
from tests.conftest import CommandLine

START = b"GGUF" + struct.pack("<I", 3)
COUNTS = st.one_of(st.integers(0, 3), st.sampled_from([2**16, 2**31, 2**40, 2**60, 2**64 - 1]))
MOST_GROWTH = 64 << 10  # KiB


def text(value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(value) if length is None else length) + value


def tensor(name: bytes, shape: tuple[int, ...], offset: int, kind: int = 0) -> bytes:
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


def written(path: Path, *entries: bytes, tensors: int, keys: int = 0, data: int = 4096) -> Path:
    path.write_bytes(START + struct.pack("<QQ", tensors, keys) + b"".join(entries) + bytes(data))
    return path


@pytest.mark.parametrize(
    ("entries", "tensors", "keys"),
    [
        ([tensor(b"a", (64,), 0), tensor(b"b", (64,), 128)], 2, 0),  # one over the other
        ([tensor(b"a", (64,), 7)], 1, 0),  # where no alignment allows it
        ([tensor(b"a", (64,), 2**63)], 1, 0),
        ([tensor(b"a", (2**62, 2**62), 0)], 1, 0),
        ([tensor(b"a", (1,) * 5, 0)], 1, 0),
        ([tensor(b"a", (64,), 0, kind=4_000_000_000)], 1, 0),
        ([tensor(b"a", (64,), 0), tensor(b"a", (64,), 256)], 2, 0),
        ([text(b"k", 2**40)], 0, 1),
        ([text(b"k"), struct.pack("<I", 8), text(b"v", 2**40)], 0, 1),
        ([text(b"k"), struct.pack("<IIQ", 9, 9, 3), struct.pack("<IQ", 9, 1) * 3], 0, 1),
        ([text(b"k"), struct.pack("<IIQ", 9, 8, 3), text(b"x", 2**64 - 9)], 0, 1),
        ([text(b"general.alignment"), struct.pack("<II", 4, 3)], 0, 1),
        ([text(b"general.alignment"), struct.pack("<II", 4, 0)], 0, 1),
    ],
)
def test_what_contradicts_itself_is_refused_in_one_line(
    tmp_path: Path, entries: list[bytes], tensors: int, keys: int
) -> None:
    path = written(tmp_path / "model.gguf", *entries, tensors=tensors, keys=keys)
    with pytest.raises(UnsupportedModel) as caught:
        read_metadata(path)
    assert "\n" not in str(caught.value)


VALUES = st.one_of(
    st.tuples(st.integers(0, 14), st.binary(max_size=40)).map(
        lambda value: struct.pack("<I", value[0]) + value[1]
    ),
    st.tuples(COUNTS, st.binary(max_size=8)).map(
        lambda value: struct.pack("<I", 8) + text(value[1], value[0])
    ),
    st.tuples(st.integers(0, 14), COUNTS, st.binary(max_size=40)).map(
        lambda value: struct.pack("<IIQ", 9, value[0], value[1]) + value[2]
    ),
)
KEYS = st.sampled_from(
    [
        b"general.architecture",
        b"general.alignment",
        b"general.languages",
        b"general.name",
        b"general.file_type",
        b"tokenizer.chat_template",
        b".context_length",
        b".block_count",
        b"k",
    ]
)
TENSORS = st.builds(
    tensor,
    st.binary(max_size=8),
    st.lists(COUNTS, max_size=5).map(tuple),
    COUNTS,
    st.integers(0, 45),
)


@settings(max_examples=300, deadline=None)
@given(
    keys=st.lists(st.tuples(KEYS, VALUES), max_size=5),
    tensors=st.lists(TENSORS, max_size=3),
    claimed=st.tuples(COUNTS, COUNTS) | st.none(),
)
def test_any_header_is_read_or_refused_and_takes_no_memory(
    tmp_path_factory: pytest.TempPathFactory,
    keys: list[tuple[bytes, bytes]],
    tensors: list[bytes],
    claimed: tuple[int, int] | None,
) -> None:
    entries = [text(key) + value for key, value in keys] + tensors
    path = tmp_path_factory.mktemp("g") / "model.gguf"
    written(
        path,
        *entries,
        tensors=claimed[0] if claimed else len(tensors),
        keys=claimed[1] if claimed else len(keys),
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        info = read_metadata(path)
    except LocalpersError as error:
        assert "\n" not in str(error)
    else:
        shown = f"{info.name}{info.architecture}{info.licence}"
        assert "\n" not in shown and len(shown) < 1000
    path.unlink()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_GROWTH


def changed(path: Path, key: str, value: int) -> Path:
    """The model with another number under `key`."""
    _, end = read_header(path).spans[key]
    data = bytearray(path.read_bytes())
    data[end - 4 : end] = struct.pack("<I", value)
    path.write_bytes(data)
    return path


def test_a_sound_model_passes(tmp_path: Path) -> None:
    for architecture in ("llama", "gemma3"):
        vet(tiny_gguf.build_tiny_model(tmp_path / f"{architecture}.gguf", architecture))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("llama.attention.head_count", 0),
        ("llama.attention.head_count", 7),
        ("llama.attention.head_count_kv", 3),
        ("llama.block_count", 2**31),
        ("llama.rope.dimension_count", 2**31),
        ("llama.embedding_length", 0),
        ("tokenizer.ggml.eos_token_id", 2**31),
    ],
)
def test_a_model_that_llama_cpp_may_stumble_over_stumbles_in_the_child(
    tmp_path: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch, key: str, value: int
) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path / "models"))
    path = changed(tiny_gguf.build_tiny_model(tmp_path / "m.gguf", "llama"), key, value)
    outcome = cli("models", "add", path)
    assert outcome.code in (0, 1)
    if outcome.code:
        assert len(outcome.err.splitlines()) == 1 and "Traceback" not in outcome.err
        assert list((tmp_path / "models").glob("*.gguf")) == []


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashes llama.cpp"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "too long"),
        ("import os; os._exit(0)", "crashes llama.cpp"),
        ("print('[1]')", "crashes llama.cpp"),
        ("import json; print(json.dumps({'refused': 'a\\nb' * 9000}))", "^a ba b"),
    ],
)
def test_a_child_that_dies_or_lies_refuses_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    monkeypatch.setattr(vetting, "_START", code)
    with pytest.raises(UnsupportedModel, match=reason) as caught:
        vet(tiny_gguf.build_tiny_model(tmp_path / "m.gguf", "llama"))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_a_model_with_an_endless_template_is_not_taken(
    tmp_path: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path / "models"))
    endless = "{% for i in range(10**9) %}{% endfor %}"
    path = tiny_gguf.build_tiny_model(tmp_path / "m.gguf", "llama", chat_template=endless)
    outcome = cli("models", "add", path)
    assert outcome.code == 1 and "chat template fails" in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_a_pipe_is_no_model(tmp_path: Path, cli: CommandLine) -> None:
    os.mkfifo(tmp_path / "m.gguf")
    outcome = cli("models", "add", tmp_path / "m.gguf")
    assert outcome.code == 1 and len(outcome.err.splitlines()) == 1
