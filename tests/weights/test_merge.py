"""A merged file computes what torch computes with the adapter; a wrongly merged one does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError, UnsupportedModel, WrongBase
from localpers.weights.adapter import (
    LoraAdapter,
    LoraTensor,
    check_base,
    permute_rows,
    row_order,
    tensor_name_map,
    write_adapter_gguf,
)
from localpers.weights.gguf_file import dequantized, read_header
from localpers.weights.merge import merge
from localpers.weights.parity import parity
from localpers.weights.quantize import TYPES, quantize

BOUND = 1e-4


def test_torch_and_llama_cpp_agree_on_the_base(tuned):
    result = parity(tuned.base_reference, tuned.base)
    assert result.mean_kl < 1e-5
    assert result.tokens_equal is True
    assert result.positions > 50


def test_merged_file_computes_what_torch_does(tuned, tmp_path):
    merged = tmp_path / "merged.gguf"
    merge(tuned.base, tuned.adapter, merged)
    result = parity(tuned.reference, merged)
    assert abs(result.mean_kl) <= BOUND
    assert result.top1_agreement > 0.95


def test_merge_without_the_adapter_fails_the_bound(tuned, tmp_path):
    merged = tmp_path / "merged.gguf"
    merge(tuned.base, tuned.adapter, merged, scale=0.0)
    assert parity(tuned.reference, merged).mean_kl > 10 * BOUND


def test_merge_in_the_wrong_row_order_fails_the_bound(tuned, tmp_path):
    swapped = tuple(
        replace(t, permuted=not t.permuted)
        if ".attn_q." in t.module or ".attn_k." in t.module
        else t
        for t in tuned.adapter.tensors
    )
    if swapped == tuned.adapter.tensors:
        pytest.skip("q and k are one matrix here, which no architecture permutes")
    merged = tmp_path / "merged.gguf"
    merge(tuned.base, replace(tuned.adapter, tensors=swapped), merged)
    assert parity(tuned.reference, merged).mean_kl > 10 * BOUND


def test_base_with_adapter_computes_what_torch_does(tuned, tmp_path):
    adapter = tmp_path / "adapter.gguf"
    write_adapter_gguf(tuned.adapter, tuned.base, adapter)
    assert abs(parity(tuned.reference, tuned.base, adapter).mean_kl) <= BOUND
    assert parity(tuned.reference, tuned.base, adapter, scale=0.0).mean_kl > 10 * BOUND


def test_merge_copies_every_metadata_key_unchanged(tuned, tmp_path):
    merged = tmp_path / "merged.gguf"
    merge(tuned.base, tuned.adapter, merged)
    before, after = gguf.GGUFReader(tuned.base), gguf.GGUFReader(merged)
    keys = [key for key in before.fields if not key.startswith("GGUF.")]
    assert keys == [key for key in after.fields if not key.startswith("GGUF.")]
    for key in keys:
        if key != "general.file_type":
            assert before.fields[key].types == after.fields[key].types
            assert before.fields[key].contents() == after.fields[key].contents(), key
    assert after.fields["general.file_type"].contents() == gguf.LlamaFileType.MOSTLY_F16
    assert [t.name for t in before.tensors] == [t.name for t in after.tensors]
    for tensor in after.tensors:
        wanted = "F32" if len(tensor.shape) == 1 else "F16"
        assert tensor.tensor_type.name == wanted


def test_merge_reports_progress_to_the_end(tuned, tmp_path):
    seen: list[tuple[int, int]] = []
    merge(tuned.base, tuned.adapter, tmp_path / "m.gguf", progress=lambda *s: seen.append(s))
    assert seen[-1][0] == seen[-1][1] > 0
    assert seen == sorted(seen)


def test_merging_into_a_quantized_base_adds_to_its_dequantized_weights(tiny, tmp_path):
    base = tmp_path / "q8.gguf"
    quantize(tiny, base, "q8_0")
    random = np.random.default_rng(1)
    name = "blk.1.ffn_up.weight"
    before = read_header(base)
    rows, columns = before.tensors[name].shape
    a = random.standard_normal((2, columns)).astype(np.float32)
    b = random.standard_normal((rows, 2)).astype(np.float32)
    out = tmp_path / "merged.gguf"
    merge(base, LoraAdapter((LoraTensor(name, a, b),), 6.0, 2, ""), out, scale=0.5)
    after = read_header(out)
    expected = dequantized(before, before.tensors[name]) + 1.5 * b @ a
    np.testing.assert_allclose(
        dequantized(after, after.tensors[name]), expected, rtol=2e-3, atol=1e-3
    )
    untouched = "blk.0.ffn_up.weight"
    np.testing.assert_allclose(
        dequantized(after, after.tensors[untouched]),
        dequantized(before, before.tensors[untouched]),
        rtol=1e-3,
    )


def test_merge_refuses_a_tensor_that_the_base_lacks_and_leaves_nothing(tiny, tmp_path):
    wrong = LoraTensor(
        "blk.9.attn_q.weight", np.ones((1, 256), np.float32), np.ones((256, 1), np.float32)
    )
    with pytest.raises(UnsupportedModel, match=r"blk\.9\.attn_q"):
        merge(tiny, LoraAdapter((wrong,), 1, 1, ""), tmp_path / "out.gguf")
    assert not any(tmp_path.iterdir())


def test_merge_refuses_what_f16_cannot_hold_and_leaves_nothing(tiny, tmp_path):
    huge = LoraTensor(
        "blk.0.attn_v.weight",
        np.full((1, 256), 1e3, np.float32),
        np.full((128, 1), 1e3, np.float32),
    )
    with pytest.raises(UnsupportedModel, match="F16"):
        merge(tiny, LoraAdapter((huge,), 1, 1, ""), tmp_path / "out.gguf")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("kind", "share"), [("q8_0", 0.02), ("q4_k_m", 0.6)])
def test_quantized_merge_stays_close(tuned, tmp_path, kind, share):
    """White noise quantizes far worse than a model does, so the bound is a share of the damage
    that a dropped adapter does.
    """
    merged, small = tmp_path / "merged.gguf", tmp_path / "small.gguf"
    merge(tuned.base, tuned.adapter, merged)
    report = quantize(merged, small, kind)
    assert report.type.lower() == kind
    assert report.bytes == small.stat().st_size < merged.stat().st_size
    assert 4 < report.bits_per_weight < 10
    assert sum(share for _, share in report.mix) == pytest.approx(1)
    result = parity(tuned.reference, small)
    assert BOUND < result.mean_kl < share * parity(tuned.reference, tuned.base).mean_kl
    assert result.tokens_equal is True


@pytest.mark.parametrize("kind", TYPES)
def test_every_listed_type_can_be_made(tiny, tmp_path, kind):
    assert quantize(tiny, tmp_path / "out.gguf", kind).bytes > 0


@pytest.mark.parametrize("kind", ["iq2_xxs", "iq1_s", "q5_k_xl", "", "guessed"])
def test_types_that_cannot_be_made_are_refused_with_the_good_ones(tiny, tmp_path, kind):
    with pytest.raises(LocalpersError, match="q4_k_m"):
        quantize(tiny, tmp_path / "out.gguf", kind)
    assert not any(tmp_path.iterdir())


def test_quantizing_a_quantized_file_is_refused_with_llama_cpps_reason(tiny, tmp_path):
    quantize(tiny, tmp_path / "q8.gguf", "q8_0")
    with pytest.raises(LocalpersError, match="requantizing"):
        quantize(tmp_path / "q8.gguf", tmp_path / "out.gguf", "q4_k_m")
    assert not (tmp_path / "out.gguf").exists()


def test_an_adapter_on_another_base_is_refused(tuned, tmp_path):
    path = tmp_path / "adapter.gguf"
    write_adapter_gguf(tuned.adapter, tuned.base, path)
    base = ModelInfo("tiny", tuned.base, "", "", 0, 0, "ba5e" * 16, 0, None)
    check_base(path, base)
    with pytest.raises(WrongBase):
        check_base(path, replace(base, sha256="0ff1" * 16))


def test_row_order_is_found_by_the_numbers():
    matrix = np.random.default_rng(0).standard_normal((128, 16)).astype(np.float32)
    assert row_order(matrix, matrix, 2) == "same"
    assert row_order(permute_rows(matrix, 2), matrix, 2) == "permuted"
    assert row_order(matrix, matrix * np.float32(1.003), 2) == "same"
    with pytest.raises(UnsupportedModel):
        row_order(matrix[::-1], matrix, 2)
    with pytest.raises(UnsupportedModel):
        row_order(matrix, matrix[:, :8], 0)


def test_names_map_from_torch_to_gguf():
    weight_of = tensor_name_map("gemma3", 2)
    assert weight_of("model.layers.1.self_attn.q_proj") == "blk.1.attn_q.weight"
    assert weight_of("model.layers.1.nothing") is None
    with pytest.raises(UnsupportedModel, match="wonder"):
        tensor_name_map("wonder", 2)


def test_parity_without_a_reference_is_an_error(tiny, tmp_path):
    from localpers.weights.parity import ReferenceLogits

    with pytest.raises(LocalpersError, match="missing"):
        parity(ReferenceLogits(Path(tmp_path)), tiny)
