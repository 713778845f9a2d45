"""The engine against llama-cpp-python's own wrapper, at the borders of the context, and closed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.datatypes import Message, ServedModel
from localpers.errors import LocalpersError, ModelNotFound, OutOfMemory, UnsupportedModel
from localpers.inference import loading
from localpers.inference.engine import Engine, Finish, Piece, StopStrings
from localpers.weights.adapter import LoraAdapter, LoraTensor, write_adapter_gguf
from localpers.weights.catalog import describe
from localpers.weights.native import llama_cpp

ARCHITECTURES = ("llama", "qwen2", "gemma3", "qwen3", "phi3")
TEXT = "The river was low that summer, and the mill stood idle for most of the week. " * 4


def spoken(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def oracle_log_likelihood(path: Path, prompt: list[int], completion: list[int]) -> np.ndarray:
    """ln p of the completion by the wrapper class, all logits kept."""
    model = llama_cpp().Llama(str(path), n_ctx=512, logits_all=True, flash_attn=True, verbose=False)
    tokens = [*prompt, *completion]
    model.eval(tokens)
    logits = model.scores[len(prompt) - 1 : len(tokens) - 1].astype(np.float64)
    model.close()
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return log_p[np.arange(len(completion)), completion]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_log_likelihood_is_what_the_wrapper_computes(
    architecture: str,
    tmp_path: Path,
    build_tiny_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = build_tiny_model(tmp_path / "tiny.gguf", architecture)
    monkeypatch.setattr(loading, "LOGITS_BYTES", 4 * 512 * 10)  # ten rows at once
    with Engine.open(ServedModel(describe(path), path)) as engine:
        tokens = engine.tokenizer.encode(TEXT, bos=True)
        prompt, completion = tokens[:60], tokens[60:95]
        expected = oracle_log_likelihood(path, prompt, completion)
        assert np.allclose(engine.log_likelihood(prompt, completion), expected, atol=0.02)
        # Again from the cache, and after another sequence with the same beginning.
        assert np.allclose(engine.log_likelihood(prompt, completion), expected, atol=0.02)
        engine.log_likelihood(prompt[:30], completion[::-1])
        assert np.allclose(engine.log_likelihood(prompt, completion), expected, atol=0.02)


def test_greedy_text_is_repeatable_and_seeds_decide_the_rest(engine: Engine) -> None:
    prompt = engine.tokenizer.prompt_ids([Message("user", "Why does the garden flood?")])
    greedy = [spoken(list(engine.generate(prompt, 24))) for _ in range(2)]
    assert greedy[0] == greedy[1] != ""
    drawn = [spoken(list(engine.generate(prompt, 24, 2.0, seed))) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_pieces_are_unicode_however_the_bytes_fall(engine: Engine) -> None:
    prompt = engine.tokenizer.prompt_ids([Message("user", "é 日本 🙂")])
    pieces = list(engine.generate(prompt, 200, 3.0, seed=7))
    assert all(piece.text.encode("utf-8").decode("utf-8") == piece.text for piece in pieces)
    # A model of random weights emits stray bytes; none may be lost as an empty answer.
    assert "\ufffd" in spoken(pieces)


def test_an_answer_ends_at_its_limit_and_at_the_window(served: ServedModel) -> None:
    with Engine.open(served, n_ctx=64) as engine:
        prompt = engine.tokenizer.encode(TEXT)[:40]
        *_, last = engine.generate(prompt, 4)
        assert last.finish is Finish.LENGTH
        pieces = list(engine.generate(prompt, 1000))
        assert pieces[-1].finish in (Finish.CONTEXT, Finish.STOP)
        assert len(pieces) <= 64 - 40 + 2


def test_a_prompt_that_fills_the_window_is_refused(served: ServedModel) -> None:
    with Engine.open(served, n_ctx=32) as engine:
        tokens = engine.tokenizer.encode(TEXT)
        with pytest.raises(LocalpersError, match="32"):
            next(engine.generate(tokens[:32], 4))
        with pytest.raises(LocalpersError, match="32"):
            engine.log_likelihood(tokens[:20], tokens[20:40])
        with pytest.raises(LocalpersError, match="nothing"):
            next(engine.generate([], 4))


def test_the_window_grows_with_what_is_asked(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine.open(served) as engine:
        tokens = engine.tokenizer.encode(TEXT * 12)[:800]
        expected = engine.log_likelihood(tokens[:100], tokens[100:])
    monkeypatch.setattr(loading, "FIRST_WINDOW", 512)
    with Engine.open(served) as engine:
        engine.log_likelihood(tokens[:5], tokens[5:10])
        assert np.allclose(engine.log_likelihood(tokens[:100], tokens[100:]), expected, atol=1e-3)


def test_a_stop_string_ends_the_answer(engine: Engine) -> None:
    prompt = engine.tokenizer.prompt_ids([Message("user", "Bread, salt, two onions?")])
    whole = spoken(list(engine.generate(prompt, 30)))
    stop = whole[10:14]
    pieces = list(engine.generate(prompt, 30, stop=[stop]))
    assert spoken(pieces) == whole[: whole.index(stop)]
    assert pieces[-1].finish is Finish.STOP


@given(
    st.text("abc", max_size=30),
    st.lists(st.text("abc", min_size=1, max_size=3), max_size=3),
    st.lists(st.integers(1, 4), min_size=30, max_size=30),
)
def test_stop_strings_cut_where_the_first_begins(
    text: str, stops: list[str], sizes: list[int]
) -> None:
    held = StopStrings(stops)
    characters = iter(text)
    passed = ""
    for size in sizes:
        if held.met:
            break
        passed += held.feed("".join(itertools.islice(characters, size)))
    passed += held.rest()
    if not held.met:
        assert passed == text and not any(stop in text for stop in stops)
    else:
        ends = [text.index(stop) + len(stop) for stop in stops if stop in text]
        assert text.startswith(passed) and any(text[len(passed) :].startswith(s) for s in stops)
        assert len(passed) < min(ends) + max(sizes)


def random_adapter(base: Path, folder: Path) -> Path:
    random = np.random.default_rng(0)

    def normal(*size: int) -> np.ndarray:
        return random.standard_normal(size).astype(np.float32)

    tensor = LoraTensor("blk.0.ffn_up.weight", normal(4, 256), normal(512, 4))
    adapter = LoraAdapter((tensor,), 8.0, 4, describe(base).sha256)
    write_adapter_gguf(adapter, base, folder / "adapter.gguf")
    return folder / "adapter.gguf"


def test_an_adapter_works_at_its_scale(served: ServedModel, tiny: Path, tmp_path: Path) -> None:
    adapter = random_adapter(tiny, tmp_path)

    def log_likelihood(**changes: Any) -> np.ndarray:
        with Engine.open(replace(ServedModel(served.base, tiny), **changes)) as engine:
            tokens = engine.tokenizer.encode(TEXT)[:40]
            return engine.log_likelihood(tokens[:10], tokens[10:])

    bare = log_likelihood()
    assert np.allclose(log_likelihood(adapter=adapter, adapter_scale=0.0), bare, atol=1e-3)
    full = log_likelihood(adapter=adapter)
    assert np.abs(full - bare).max() > 0.1
    assert np.abs(log_likelihood(adapter=adapter, adapter_scale=0.5) - full).max() > 0.1


def test_an_adapter_survives_a_growing_window(
    served: ServedModel, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = ServedModel(served.base, tiny, random_adapter(tiny, tmp_path))
    results = []
    for window in (4096, 512):
        monkeypatch.setattr(loading, "FIRST_WINDOW", window)
        with Engine.open(tuned) as engine:
            tokens = engine.tokenizer.encode(TEXT * 12)[:800]
            results.append(engine.log_likelihood(tokens[:10], tokens[10:]))
    assert np.allclose(*results, atol=1e-3)


def test_files_that_cannot_be_loaded_are_named_in_one_line(
    served: ServedModel, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(served.model.read_bytes()[:50_000])
    for wrong in (
        ServedModel(served.base, damaged),
        ServedModel(served.base, served.model, adapter=damaged),
    ):
        with pytest.raises(UnsupportedModel, match="damaged") as caught:
            Engine.open(wrong)
        assert "\n" not in str(caught.value)
    with pytest.raises(ModelNotFound, match="gone"):
        Engine.open(ServedModel(served.base, tmp_path / "gone.gguf"))
    assert capfd.readouterr() == ("", "")


def test_closing_twice_is_harmless(served: ServedModel) -> None:
    engine = Engine.open(served)
    engine.close()
    engine.close()


def tried_layers(served: ServedModel, monkeypatch: pytest.MonkeyPatch, fits: int) -> list[int]:
    """The numbers of layers tried on a GPU that holds `fits`."""
    tried: list[int] = []
    really = loading._load

    def load(served: ServedModel, n_ctx: int, layers: int) -> loading.LoadedModel:
        tried.append(layers)
        if layers < 0 or layers > fits:
            raise OutOfMemory("too many")
        return really(served, n_ctx, layers)

    monkeypatch.setattr(loading, "_load", load)
    monkeypatch.setattr(llama_cpp(), "llama_supports_gpu_offload", lambda: True)
    Engine.open(served).close()
    return tried


def test_as_many_layers_on_the_gpu_as_fit(
    tmp_path: Path, build_tiny_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = build_tiny_model(tmp_path / "deep.gguf", "llama", layers=8)
    served = ServedModel(describe(path), path)
    assert tried_layers(served, monkeypatch, fits=3) == [-1, 4, 2]


def test_no_layer_on_a_gpu_without_memory(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tried_layers(served, monkeypatch, fits=0) == [-1, 1, 0]


def test_the_environment_states_the_layers(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(loading.GPU_LAYERS, "0")
    assert tried_layers(served, monkeypatch, fits=0) == [0]
    monkeypatch.setenv(loading.GPU_LAYERS, "many")
    with pytest.raises(LocalpersError, match="LOCALPERS_GPU_LAYERS"):
        Engine.open(served)
