"""Headers of good files, and of files that are not what they should be."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.errors import LocalpersError, ModelNotFound, UnsupportedModel
from localpers.weights.gguf_file import dequantized, dequantized_rows, read_header, read_metadata


def test_header_agrees_with_the_gguf_package(tuned):
    ours, theirs = read_header(tuned.base), gguf.GGUFReader(tuned.base)
    for key, field in theirs.fields.items():
        if key.startswith("GGUF."):
            continue
        expected = field.contents()
        found = ours.array(key) if isinstance(expected, list) else ours.values[key]
        assert found == expected, key
    assert len(ours.tensors) == len(theirs.tensors)
    for tensor in theirs.tensors:
        mine = ours.tensors[tensor.name]
        assert mine.shape == tuple(reversed(tensor.shape.tolist()))
        assert (mine.type, mine.offset, mine.size) == (
            tensor.tensor_type,
            tensor.data_offset,
            tensor.n_bytes,
        )
        np.testing.assert_array_equal(dequantized(ours, mine), tensor.data)


def test_metadata_describes_the_model(tiny):
    info = read_metadata(tiny)
    assert (info.architecture, info.name, info.quantization) == ("llama", "Tiny", "F16")
    assert (info.context_length, info.layers, info.licence) == (2048, 2, "apache-2.0")
    assert info.languages == ("en",)
    assert info.chat_template is not None and "<|im_start|>" in info.chat_template
    assert info.parameters == sum(t.elements for t in read_header(tiny).tensors.values())
    assert 16 < info.bits_per_weight < 16.1
    assert info.mix[0][0] == "F16"
    assert "F16" in info.real_mix and "bits per weight" in info.real_mix


def test_rows_of_a_tensor_are_those_of_the_whole(tiny):
    header = read_header(tiny)
    tensor = header.tensors["blk.0.ffn_up.weight"]
    np.testing.assert_array_equal(
        dequantized_rows(header, tensor, 100, 130), dequantized(header, tensor)[100:130]
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"GG", "not a GGUF"),
        (b"PK\x03\x04 a zip archive", "not a GGUF"),
        (b"GGUF", "truncated"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**50), "damaged"),
        (b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<I", 77), "unknown"),
        (
            b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 8, 2**23),
            "truncated",
        ),
        (
            b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"k" + struct.pack("<IIQ", 9, 12, 2**24),
            "truncated",
        ),
    ],
)
def test_what_is_not_a_model_is_refused_in_one_line(tmp_path, content, reason):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(UnsupportedModel, match=reason) as caught:
        read_metadata(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(ModelNotFound):
        read_metadata(tmp_path / "nowhere.gguf")
    with pytest.raises(UnsupportedModel):
        read_metadata(tmp_path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_damage_ends_quickly_in_an_answer_or_a_refusal(tiny, tmp_path, data):
    original = tiny.read_bytes()
    header_size = min(t.offset for t in read_header(tiny).tensors.values())
    damaged = bytearray(original[: data.draw(st.integers(0, header_size + 4096))])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            at = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at] = data.draw(st.integers(0, 255))
    path = Path(tmp_path) / "damaged.gguf"
    path.write_bytes(bytes(damaged))
    began = time.monotonic()
    with pytest.raises(LocalpersError):
        read_metadata(path)
    assert time.monotonic() - began < 2


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_flipped_bytes_of_a_whole_file_never_crash_the_reader(tiny, tmp_path, data):
    damaged = bytearray(tiny.read_bytes())
    header_size = min(t.offset for t in read_header(tiny).tensors.values())
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, header_size - 1))] = data.draw(st.integers(0, 255))
    path = Path(tmp_path) / "damaged.gguf"
    path.write_bytes(bytes(damaged))
    try:
        info = read_metadata(path)
    except LocalpersError:
        return
    assert info.bytes == len(damaged)
