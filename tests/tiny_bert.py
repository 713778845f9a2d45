"""A tiny, randomly initialised BERT in the layout of sentence-transformers, and as GGUF.

Drawn at std 0.2, so that a wrong tensor moves every vector. Texts that share words are near one
another, as the vectors of the tokens are most of what a random model has to go by.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

HIDDEN, INTERMEDIATE, LAYERS, HEADS, POSITIONS = 64, 128, 2, 2, 128
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
WORDS = ["river", "mill", "bread", "honey", "train", "garden", "the", "and", "日", "本"]
VOCABULARY = [*SPECIAL, *LETTERS, *(f"##{c}" for c in LETTERS), *WORDS, *".,!?-'()"]


def write_tiny_bert(folder: Path, seed: int = 0, **changes: Any) -> Path:
    """Write the files that weights.bert reads; `changes` go into config.json. Returns `folder`."""
    from safetensors.numpy import save_file

    (folder / "1_Pooling").mkdir(parents=True)
    config = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": POSITIONS,
        "type_vocab_size": 2,
        "vocab_size": len(VOCABULARY),
        "layer_norm_eps": 1e-12,
    }
    _dump(folder / "config.json", config | changes)
    _dump(folder / "tokenizer_config.json", {"do_lower_case": True})
    _dump(folder / "1_Pooling/config.json", {"pooling_mode_mean_tokens": True})
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    save_file(_tensors(seed), folder / "model.safetensors")
    return folder


def build_tiny_encoder(path: Path, seed: int = 0) -> Path:
    """Write the tiny BERT as GGUF to `path` and return it."""
    from localpers.weights.bert import convert_bert

    folder = write_tiny_bert(path.parent / f".{path.stem}-{seed}", seed)
    convert_bert(folder, path, path.stem, "Apache-2.0")
    return path


def _dump(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content))


def _tensors(seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)

    def normal(*size: int) -> Any:
        return (random.standard_normal(size) * 0.2).astype(np.float32)

    tensors = {
        "embeddings.word_embeddings.weight": normal(len(VOCABULARY), HIDDEN),
        "embeddings.position_embeddings.weight": normal(POSITIONS, HIDDEN) / 4,
        "embeddings.token_type_embeddings.weight": normal(2, HIDDEN),
        "embeddings.position_ids": np.arange(POSITIONS)[None],
        "pooler.dense.weight": normal(HIDDEN, HIDDEN),
        "pooler.dense.bias": normal(HIDDEN),
    }
    matrices = {
        "attention.self.query": (HIDDEN, HIDDEN),
        "attention.self.key": (HIDDEN, HIDDEN),
        "attention.self.value": (HIDDEN, HIDDEN),
        "attention.output.dense": (HIDDEN, HIDDEN),
        "intermediate.dense": (INTERMEDIATE, HIDDEN),
        "output.dense": (HIDDEN, INTERMEDIATE),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}"
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
        for name, size in matrices.items():
            tensors[f"{at}.{name}.weight"] = normal(*size)
            tensors[f"{at}.{name}.bias"] = normal(size[0])
    for name in norms:
        tensors[f"{name}.weight"] = 1 + normal(HIDDEN) / 2
        tensors[f"{name}.bias"] = normal(HIDDEN)
    return tensors
