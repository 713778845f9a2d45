"""Tiny, randomly initialised, fully valid GGUF models, so that tests need no download.

They load in llama.cpp and, dequantized, in transformers, and both compute the same. Weights are
drawn at std 0.2: at the usual 0.02 a wrongly permuted merge moves the mean KL by 8e-7 nats and a
dropped adapter by 2e-4, so that no test would notice either.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

CONTEXT_LENGTH = 2048
EMBEDDING = 256
FEED_FORWARD = 512
VOCABULARY = 512

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' "
    "+ message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
GEMMA_TURNS = (
    "{{ bos_token }}"
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}"
    "{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
OWN_TEMPLATE = "own"

CORPUS = (
    "The river was low that summer, and the mill stood idle for most of the week.",
    "She wrote every morning before the house was awake, and burned half of it by noon.",
    "To read the log, open the terminal and run the command again with a longer timeout.",
    "Bread, salt, two onions, a jar of honey: what we carried over the pass in October.",
    "He had promised to return the book on Tuesday; it is still on my table in March.",
    "A function that returns nothing should say so, and a test should be able to fail.",
    "In 1894 the bridge was closed for 12 weeks, and the ferry made 3 trips a day.",
    "Why does the garden flood? Because the drain under the north wall is blocked!",
    "def area(width, height):\n    return width * height\n",
    "I note here, for my own memory, that the second key opens the lower door.",
)


@dataclass(frozen=True)
class _Shape:
    heads: int
    kv_heads: int
    head: int

    @property
    def query(self) -> int:
        return self.heads * self.head

    @property
    def key(self) -> int:
        return self.kv_heads * self.head


# Head sizes that transformers assumes because GGUF metadata is not mapped (qwen3: 128; gemma3:
# the attention scale of 256) have to be these.
SHAPES = {
    "llama": _Shape(4, 2, 64),
    "qwen2": _Shape(4, 2, 64),
    "qwen3": _Shape(4, 2, 128),
    "gemma3": _Shape(2, 1, 256),
    "phi3": _Shape(4, 4, 64),
}


def build_tiny_model(
    path: Path,
    architecture: str,
    *,
    seed: int = 0,
    layers: int = 2,
    std: float = 0.2,
    chat_template: str | None = OWN_TEMPLATE,
    half: bool = False,
) -> Path:
    """Write a tiny model of `architecture` (a key of SHAPES) to `path` and return `path`.

    `chat_template` OWN_TEMPLATE is ChatML, for gemma3 its turns; None writes none. Matrices are
    F32, or F16 with `half`. The rows of q and k are random, so that "as the `llama` architecture
    permutes them" needs no step here: transformers undoes the permutation when it loads them.
    """
    import gguf

    shape = SHAPES[architecture]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("Tiny")  # llama.cpp and transformers both read meaning into real names
    writer.add_license("apache-2.0")
    writer.add_languages(["en"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16 if half else gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1_000_000.0 if architecture == "gemma3" else 50_000.0)
    if architecture in ("gemma3", "qwen3"):
        writer.add_key_length(shape.head)
        writer.add_value_length(shape.head)
    else:
        writer.add_rope_dimension_count(shape.head)
    if architecture == "gemma3":
        writer.add_sliding_window(64)
    template = CHATML
    if architecture == "gemma3":
        template = GEMMA_TURNS
        _add_sentencepiece(writer)
    else:
        _add_byte_level_bpe(writer, "qwen2" if architecture.startswith("qwen") else "smollm")
    if chat_template is not None:
        writer.add_chat_template(template if chat_template == OWN_TEMPLATE else chat_template)
    for name, tensor in _tensors(architecture, layers, seed, std).items():
        writer.add_tensor(name, tensor.astype(np.float16) if half and tensor.ndim > 1 else tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensors(
    architecture: str, layers: int, seed: int, std: float
) -> dict[str, npt.NDArray[np.float32]]:
    """Every tensor of the architecture by its GGUF name, in numpy (row-major) shape."""
    random = np.random.default_rng(seed)
    shape = SHAPES[architecture]
    matrices: dict[str, tuple[int, int]] = {
        "attn_q": (shape.query, EMBEDDING),
        "attn_k": (shape.key, EMBEDDING),
        "attn_v": (shape.key, EMBEDDING),
        "attn_output": (EMBEDDING, shape.query),
        "ffn_gate": (FEED_FORWARD, EMBEDDING),
        "ffn_up": (FEED_FORWARD, EMBEDDING),
        "ffn_down": (EMBEDDING, FEED_FORWARD),
    }
    vectors = {"attn_norm": EMBEDDING, "ffn_norm": EMBEDDING}
    biases: dict[str, int] = {}
    if architecture == "phi3":
        for name in ("attn_q", "attn_k", "attn_v", "ffn_gate", "ffn_up"):
            del matrices[name]
        matrices["attn_qkv"] = (shape.query + 2 * shape.key, EMBEDDING)
        matrices["ffn_up"] = (2 * FEED_FORWARD, EMBEDDING)
    if architecture == "qwen2":
        biases = {"attn_q": shape.query, "attn_k": shape.key, "attn_v": shape.key}
    if architecture in ("gemma3", "qwen3"):
        vectors |= {"attn_q_norm": shape.head, "attn_k_norm": shape.head}
    if architecture == "gemma3":
        vectors |= {"post_attention_norm": EMBEDDING, "post_ffw_norm": EMBEDDING}

    def normal(*size: int) -> npt.NDArray[np.float32]:
        return (random.standard_normal(size) * std).astype(np.float32)

    tensors = {"token_embd.weight": normal(VOCABULARY, EMBEDDING)}
    for layer in range(layers):
        for name, size in matrices.items():
            tensors[f"blk.{layer}.{name}.weight"] = normal(*size)
        for name, length in vectors.items():
            tensors[f"blk.{layer}.{name}.weight"] = 1 + normal(length) / 2
        for name, length in biases.items():
            tensors[f"blk.{layer}.{name}.bias"] = normal(length)
    tensors["output_norm.weight"] = 1 + normal(EMBEDDING) / 2
    if architecture == "gemma3":
        # Tied, and scaled by sqrt(EMBEDDING) on the way in: unless the table is small and the last
        # norm large, every token predicts itself with certainty and no comparison can fail.
        tensors["token_embd.weight"] /= 16
        tensors["output_norm.weight"] *= 12
    else:
        tensors["output.weight"] = normal(VOCABULARY, EMBEDDING)
    return tensors


def _add_byte_level_bpe(writer: Any, pre: str) -> None:
    import gguf

    specials, vocabulary, merges = _byte_level_bpe()
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(vocabulary)
    writer.add_token_types(
        [
            gguf.TokenType.CONTROL if token in specials else gguf.TokenType.NORMAL
            for token in vocabulary
        ]
    )
    writer.add_token_merges(merges)
    writer.add_bos_token_id(vocabulary.index("<|endoftext|>"))
    writer.add_eos_token_id(vocabulary.index("<|im_end|>"))
    writer.add_pad_token_id(vocabulary.index("<|im_end|>"))
    writer.add_add_bos_token(False)


@cache
def _byte_level_bpe() -> tuple[list[str], list[str], list[str]]:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    specials = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS * 4, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    vocabulary = sorted(model["vocab"], key=model["vocab"].__getitem__)
    if len(vocabulary) != VOCABULARY:
        raise ValueError(f"the corpus yields {len(vocabulary)} tokens, not {VOCABULARY}")
    return specials, vocabulary, [" ".join(pair) for pair in model["merges"]]


def _add_sentencepiece(writer: Any) -> None:
    import gguf

    tokens, scores, types = _sentencepiece()
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types([gguf.TokenType(kind) for kind in types])
    writer.add_pad_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_unk_token_id(3)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)


@cache
def _sentencepiece() -> tuple[list[str], list[float], list[int]]:
    """Tokens, scores and types of a SentencePiece-like BPE vocabulary with byte fallback."""
    import gguf
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    control = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    tokens = control + [f"<0x{byte:02X}>" for byte in range(256)]
    types = [int(gguf.TokenType.CONTROL)] * len(control) + [int(gguf.TokenType.BYTE)] * 256
    types[control.index("<unk>")] = int(gguf.TokenType.UNKNOWN)
    learned = VOCABULARY - len(tokens)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    tokenizer.train_from_iterator(
        (text.replace("\n", " ") for text in CORPUS * 4),
        trainers.BpeTrainer(vocab_size=learned, show_progress=False),
    )
    vocabulary = tokenizer.get_vocab()
    if len(vocabulary) != learned:
        raise ValueError(f"the corpus yields {len(vocabulary)} tokens, not {learned}")
    tokens += sorted(vocabulary, key=vocabulary.__getitem__)
    scores = [0.0] * len(types) + [-float(rank) for rank in range(learned)]
    return tokens, scores, types + [int(gguf.TokenType.NORMAL)] * learned
