"""Models of one's own: which are taken in, which can be trained, and why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest

from localpers.errors import LocalpersError, ModelNotFound, UnsupportedModel
from localpers.weights.catalog import find, installed, remove
from localpers.weights.digest import sha256_of
from localpers.weights.gguf_file import read_metadata
from localpers.weights.pull import add
from localpers.weights.suitability import trainable
from tests import tiny_bert, tiny_gguf
from tests.weights.conftest import visible


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


def test_add_takes_an_embedding_model_that_states_no_end_of_text(models, tmp_path):
    model = add(tiny_bert.build_tiny_encoder(tmp_path / "mine.gguf"))
    assert model.embeds and installed() == [model]
