"""Several prompts in one cache and ensemble decoding, compared with one prompt at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.datatypes import ServedModel
from localpers.inference import loading
from localpers.inference.engine import Engine
from localpers.inference.ensemble import PLAUSIBLE, EnsembleMember, contrasted
from localpers.inference.kv_cache import KeyValueCache
from localpers.weights.adapter import LoraAdapter, LoraTensor, write_adapter_gguf

TEXT = "the river was low that summer and the mill stood idle for most of the week"
WORDS = TEXT.split()


@pytest.fixture(scope="module")
def tuned(served: ServedModel, tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    random = np.random.default_rng(0)
    factors = [random.standard_normal(size).astype(np.float32) for size in ((4, 256), (512, 4))]
    tensor = LoraTensor("blk.0.ffn_up.weight", *factors)
    path = tmp_path_factory.mktemp("adapter") / "adapter.gguf"
    write_adapter_gguf(LoraAdapter((tensor,), 8.0, 4, served.base.sha256), served.model, path)
    return replace(served, adapter=path)


def next_log_p(engine: Engine, prompt: tuple[int, ...], adapted: bool) -> np.ndarray:
    """ln p of every token of the vocabulary after `prompt`, one by one."""
    every = range(engine.vocabulary)
    return np.array([engine.log_likelihood(prompt, [token], adapted=adapted)[0] for token in every])


@pytest.mark.parametrize("activated", [False, True])
def test_members_take_the_token_that_their_weighted_sum_likes_best(
    tuned: ServedModel, activated: bool
) -> None:
    with Engine.open(replace(tuned, base_reads_prompt=activated)) as engine:
        first, second = (
            tuple(engine.tokenizer.encode(" ".join(words), bos=True))
            for words in (WORDS, WORDS[::-1])
        )
        members = [
            EnsembleMember(first, True, 0.8),
            EnsembleMember(second, True, 0.7),
            EnsembleMember(first, False, -0.5),
        ]
        opinions = [next_log_p(engine, one.prompt_ids, one.adapted) for one in members]
        total = sum(one.weight * log_p for one, log_p in zip(members, opinions, strict=True))
        likeliest = np.maximum(opinions[0], opinions[1])
        total[likeliest < likeliest.max() + np.log(PLAUSIBLE)] = -np.inf
        piece = next(iter(engine.generate_ensemble(members, 1)))
        expected = engine.tokenizer.decode([int(total.argmax())])
        assert piece.text == expected or "\ufffd" in expected


def test_members_that_agree_write_what_one_writes_alone(tuned: ServedModel) -> None:
    with Engine.open(tuned) as engine:
        prompt = tuple(engine.tokenizer.encode(" ".join(WORDS), bos=True))
        alone = [piece.text for piece in engine.generate(prompt, 12)]
        halves = [EnsembleMember(prompt, True, 0.5)] * 2
        assert [piece.text for piece in engine.generate_ensemble(halves, 12)] == alone
        unmoved = contrasted(prompt, 0.0)
        assert [piece.text for piece in engine.generate_ensemble(unmoved, 12)] == alone


def test_contrast_moves_away_from_the_base(tuned: ServedModel) -> None:
    with Engine.open(tuned) as engine:
        prompt = tuple(engine.tokenizer.encode(" ".join(WORDS), bos=True))

        def preference(contrast: float) -> float:
            """How much more the tuned model likes the text than the base does, in nats a token."""
            pieces = engine.generate_ensemble(contrasted(prompt, contrast), 16)
            text = engine.tokenizer.encode("".join(piece.text for piece in pieces))
            likes = []
            for adapted in (True, False):
                logs = engine.log_likelihood(prompt, text, adapted=adapted)
                likes.append(float(logs.mean()))
            return likes[0] - likes[1]

        assert preference(1.0) > preference(0.0)


@pytest.mark.parametrize("activated", [False, True])
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    turns=st.lists(
        st.tuples(st.integers(1, 5), st.integers(1, 15), st.integers(1, 9), st.booleans()),
        min_size=2,
        max_size=8,
    )
)
def test_prompts_that_take_turns_are_answered_as_by_a_fresh_engine(
    tuned: ServedModel, activated: bool, turns: list[tuple[int, int, int, bool]]
) -> None:
    """More prompts than sequences, with common beginnings, and the adapter going on and off."""
    served = replace(tuned, base_reads_prompt=activated)
    with Engine.open(served) as engine:
        tokens = [
            engine.tokenizer.encode(" ".join(WORDS[at:] + WORDS), bos=True) for at in range(6)
        ]
        for which, length, more, adapted in turns:
            prompt, completion = tokens[which][:length], tokens[which][length : length + more]
            with Engine.open(served) as fresh:
                expected = fresh.log_likelihood(prompt, completion, adapted=adapted)
            found = engine.log_likelihood(prompt, completion, adapted=adapted)
            assert np.allclose(found, expected, atol=0.02)


def test_a_full_cache_forgets_what_was_unused_longest(
    tuned: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "FIRST_WINDOW", 512)
    with Engine.open(tuned, n_ctx=512) as engine:
        tokens = engine.tokenizer.encode(" ".join(WORDS * 60), bos=True)
        prompts = [tokens[at : at + 200] for at in (0, 7, 13, 0, 29, 7)]
        found = [engine.log_likelihood(prompt, tokens[500:520]) for prompt in prompts]
    for prompt, known in zip(prompts, found, strict=True):
        with Engine.open(tuned) as engine:
            assert np.allclose(engine.log_likelihood(prompt, tokens[500:520]), known, atol=0.02)


def test_prompts_that_begin_alike_and_take_turns_are_read_once_each(
    tuned: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    really = KeyValueCache._decode

    def counting(self: KeyValueCache, rows: list[tuple[int, int, bool]]) -> None:
        steps.append(len(rows))
        really(self, rows)

    monkeypatch.setattr(KeyValueCache, "_decode", counting)
    with Engine.open(tuned) as engine:
        tokens = engine.tokenizer.encode(" ".join(WORDS * 20), bos=True)
        prompts = [tokens[:40] + tokens[at : at + 150] for at in (50, 57, 63)]
        for prompt in prompts * 2:
            engine.log_likelihood(prompt, tokens[:5])
    # The two later ones share the beginning; the second round computes the answers alone.
    assert sum(steps) <= 190 + 2 * 150 + 6 * 5
