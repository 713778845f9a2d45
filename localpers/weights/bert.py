"""Convert BERT encoders from safetensors to GGUF.

Layout and keys follow llama.cpp's own converter (`convert_hf_to_gguf.py`, BertModel; MIT):
gguf's tensor names; WordPiece entries that begin a word get U+2581, the others lose their `##`. All
tensors stay F32, which llama.cpp multiplies 1.6 times as fast as F16 on processors without
half-precision arithmetic.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from localpers.errors import UnsupportedModel

CONFIG = "config.json"
TENSORS = "model.safetensors"
VOCABULARY = "vocab.txt"
TOKENIZER = "tokenizer_config.json"
POOLING = "1_Pooling/config.json"
FILES = (CONFIG, TENSORS, VOCABULARY, TOKENIZER, POOLING)
"""Files of a sentence-transformers folder that are read."""

_WORD_START = "\u2581"
_SPECIAL = {
    "[PAD]": "pad_token_id",
    "[UNK]": "unk_token_id",
    "[CLS]": "bos_token_id",
    "[SEP]": "sep_token_id",
    "[MASK]": "mask_token_id",
}


def convert_bert(folder: Path, target: Path, name: str, licence: str) -> None:
    """Write the encoder in `folder`, which holds FILES, to `target`.

    Raises UnsupportedModel for what llama.cpp would compute differently: another architecture,
    activation, position embedding or pooling, a cased vocabulary, other tensors than BERT's.
    """
    import gguf
    from safetensors.numpy import load_file

    config, pooling = _read_json(folder / CONFIG), _read_json(folder / POOLING)
    _check(config, pooling, _read_json(folder / TOKENIZER))
    tokens = (folder / VOCABULARY).read_text(encoding="utf-8").rstrip("\n").split("\n")
    layers = int(config["num_hidden_layers"])
    tensors = _named(load_file(folder / TENSORS), layers)
    if len(tokens) != len(tensors["token_embd.weight"]):
        raise UnsupportedModel(f"{name}: the vocabulary and the embedding table differ in size.")

    writer = gguf.GGUFWriter(target, "bert")
    writer.add_name(name)
    writer.add_license(licence)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_block_count(layers)
    writer.add_head_count(int(config["num_attention_heads"]))
    writer.add_layer_norm_eps(float(config["layer_norm_eps"]))
    writer.add_causal_attention(False)
    writer.add_pooling_type(
        gguf.PoolingType.CLS if pooling.get("pooling_mode_cls_token") else gguf.PoolingType.MEAN
    )
    _add_wordpiece(writer, tokens, int(config["type_vocab_size"]))
    for tensor, numbers in tensors.items():
        writer.add_tensor(tensor, numbers.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _check(config: Mapping[str, Any], pooling: Mapping[str, Any], words: Mapping[str, Any]) -> None:
    expected = {
        "model_type": "bert",
        "hidden_act": "gelu",
        "position_embedding_type": "absolute",
    }
    odd = [key for key, value in expected.items() if config.get(key, value) != value]
    if not words.get("do_lower_case", True) or words.get("strip_accents") is False:
        odd.append("do_lower_case")  # llama.cpp folds case and accents for every WordPiece model.
    modes = [key for key, on in pooling.items() if key.startswith("pooling_mode_") and on is True]
    if modes not in (["pooling_mode_mean_tokens"], ["pooling_mode_cls_token"]):
        odd.append("pooling")
    if odd:
        raise UnsupportedModel(
            f"This encoder cannot be converted ({', '.join(odd)}): get it as GGUF and run "
            "'localpers models add FILE.gguf'."
        )


def _named(stored: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """The tensors by GGUF name, without the pooler and position ids, which embeddings don't use."""
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, layers)
    found: dict[str, Any] = {}
    for name, numbers in stored.items():
        bare = name.removeprefix("bert.")
        if bare.startswith("pooler.") or bare.endswith("position_ids"):
            continue
        bare = re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", bare))
        known = names.get_name(bare, try_suffixes=(".weight", ".bias"))
        if known is None:
            raise UnsupportedModel(f"The encoder has a tensor that BERT has not, '{name}'.")
        found[known] = numbers
    fixed = {"token_embd.weight", "position_embd.weight", "token_types.weight"}
    expected = fixed | {f"token_embd_norm.{part}" for part in ("weight", "bias")}
    for layer in range(layers):
        for part in ("attn_q", "attn_k", "attn_v", "attn_output", "attn_output_norm"):
            expected |= {f"blk.{layer}.{part}.weight", f"blk.{layer}.{part}.bias"}
        for part in ("ffn_up", "ffn_down", "layer_output_norm"):
            expected |= {f"blk.{layer}.{part}.weight", f"blk.{layer}.{part}.bias"}
    if found.keys() != expected:
        odd = sorted(found.keys() ^ expected)
        raise UnsupportedModel(f"The encoder's tensors are not those of a BERT ({odd[0]}).")
    return found


def _add_wordpiece(writer: Any, tokens: list[str], types: int) -> None:
    import gguf

    control = {at for at, token in enumerate(tokens) if re.fullmatch(r"\[(?!unused)\w+\]", token)}
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_type_count(types)
    writer.add_token_list(
        [token if at in control else _gguf_token(token) for at, token in enumerate(tokens)]
    )
    writer.add_token_types(
        [
            gguf.TokenType.CONTROL if at in control else gguf.TokenType.NORMAL
            for at in range(len(tokens))
        ]
    )
    for token, key in _SPECIAL.items():
        if token not in tokens:
            raise UnsupportedModel(f"The encoder's vocabulary has no {token}.")
        getattr(writer, f"add_{key}")(tokens.index(token))


def _gguf_token(token: str) -> str:
    return token[2:] if token.startswith("##") else _WORD_START + token
