"""Converted encoders compute in llama.cpp what they compute in torch, or are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from localpers.errors import UnsupportedModel
from localpers.inference.encoder import Encoder
from localpers.weights.bert import convert_bert
from localpers.weights.catalog import describe
from tests import tiny_bert

TEXTS = (
    "The river and the mill.",
    "Café NAÏVE àéî",
    "日本 honey日bread",
    "unknownword 42 (don't) e-mail!",
    "x",
    "tabs\tand\nnew   lines\u200b",
    "bread " * 100,
    "a" * 90,
)


def test_vectors_are_those_of_transformers(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tiny_bert.write_tiny_bert(tmp_path / "bert")
    tokenizer = transformers.BertTokenizer(str(folder / "vocab.txt"), do_lower_case=True)
    model = transformers.BertModel.from_pretrained(folder, attn_implementation="eager").eval()
    convert_bert(folder, tmp_path / "tiny.gguf", "tiny", "Apache-2.0")
    with Encoder.open(describe(tmp_path / "tiny.gguf")) as encoder:
        ours = encoder.encode(TEXTS)
    for text, vector in zip(TEXTS, ours, strict=True):
        ids = tokenizer(text, truncation=True, max_length=tiny_bert.POSITIONS)["input_ids"]
        with torch.no_grad():
            theirs = model(torch.tensor([ids])).last_hidden_state[0].mean(0).numpy()
        assert vector @ theirs / np.linalg.norm(theirs) > 0.9999, text
    others = ours @ ours.T - 2 * np.eye(len(TEXTS))
    assert others.max() < 0.999  # else the comparison above could not fail


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", {"hidden_act": "gelu_new"}),
        ("config.json", {"model_type": "roberta"}),
        ("config.json", {"num_hidden_layers": 3}),
        ("config.json", {"num_hidden_layers": 1}),
        ("tokenizer_config.json", {"do_lower_case": False}),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}),
    ],
)
def test_what_llama_cpp_would_compute_differently_is_refused(
    tmp_path: Path, name: str, content: dict[str, object]
) -> None:
    folder = tiny_bert.write_tiny_bert(tmp_path / "bert")
    file = folder / name
    file.write_text(json.dumps(json.loads(file.read_text()) | content))
    with pytest.raises(UnsupportedModel):
        convert_bert(folder, tmp_path / "tiny.gguf", "tiny", "Apache-2.0")


def test_a_vocabulary_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = tiny_bert.write_tiny_bert(tmp_path / "bert")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    with pytest.raises(UnsupportedModel):
        convert_bert(folder, tmp_path / "tiny.gguf", "tiny", "Apache-2.0")
