"""Tiny models: tuned at random, with what torch computes, and offered by a catalog of their own."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from localpers.weights import catalog as catalog_module
from localpers.weights.adapter import (
    LoraAdapter,
    LoraTensor,
    heads_in,
    row_order,
    tensor_name_map,
)
from localpers.weights.catalog import CatalogEntry, HubSource, PackageSource
from localpers.weights.gguf_file import dequantized, read_header
from localpers.weights.parity import ReferenceLogits
from localpers.weights.tokenizer import Tokenizer
from tests import tiny_gguf

ARCHITECTURES = ("llama", "qwen2", "gemma3", "qwen3", "phi3")
RANK, ALPHA = 4, 8.0
MEMBER = "tiny_weights/tiny.gguf"
"""Of the wheel that holds the tiny model."""
TEXTS = (
    "The river was low; why does she write 12 tests, and burn half of them by noon?",
    "def area(width, height): return width * height — or so he had promised, in café 1894.",
)


@dataclass(frozen=True)
class Tuned:
    base: Path
    adapter: LoraAdapter
    reference: ReferenceLogits
    """With the adapter."""
    base_reference: ReferenceLogits
    """Without it."""


@pytest.fixture(scope="session", params=ARCHITECTURES)
def tuned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    return tune_at_random(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny llama model in F16."""
    folder = tmp_path_factory.mktemp("tiny")
    return tiny_gguf.build_tiny_model(folder / "tiny.gguf", "llama", half=True)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


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
    return {path.name for path in folder.glob("[!.]*")}


def tune_at_random(architecture: str, folder: Path) -> Tuned:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, GgufConfig

    base = tiny_gguf.build_tiny_model(folder / "base.gguf", architecture)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        gguf_file=base.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.float32,
    ).eval()
    tokenizer = Tokenizer.open(base)

    def save(name: str) -> ReferenceLogits:
        (folder / name).mkdir()
        reference = ReferenceLogits(folder / name)
        for text in TEXTS:
            tokens = tokenizer.encode(text, special=True, bos=True)
            with torch.no_grad():
                logits = model(torch.tensor([tokens])).logits[0].numpy()
            reference.add(tokens, logits, text)
        return reference

    base_reference = save("base-reference")
    torch.manual_seed(0)
    config = LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules="all-linear", init_lora_weights=False
    )
    model = get_peft_model(model, config).eval()
    header = read_header(base)
    weight_of = tensor_name_map(header.architecture, header.of_architecture("block_count"))
    tensors = []
    for name, module in model.named_modules():
        if not hasattr(module, "lora_A"):
            continue
        gguf_name = weight_of(name.removeprefix("base_model.model."))
        assert gguf_name is not None
        stored = dequantized(header, header.tensors[gguf_name])
        weight = module.base_layer.weight.detach().numpy()
        order = row_order(stored, weight, heads_in(header, len(weight)))
        a = module.lora_A["default"].weight.detach().numpy().astype(np.float32)
        b = module.lora_B["default"].weight.detach().numpy().astype(np.float32)
        tensors.append(LoraTensor(gguf_name, a, b, order == "permuted"))
    adapter = LoraAdapter(tuple(tensors), ALPHA, RANK, "ba5e" * 16)
    return Tuned(base, adapter, save("reference"), base_reference)
