"""`search --retriever dense|hybrid` and what keeps vectors up to date, through the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.profile import Profile
from localpers.retrieval.dense import embed_passages, encoder_note, rank_by_vector
from localpers.retrieval.fusion import VECTOR_WEIGHT, K, fuse
from localpers.store import Store
from localpers.weights.catalog import CatalogEntry, encoders
from tests import tiny_bert, tiny_gguf
from tests.conftest import CommandLine, write

NOTES = {
    "river.md": "# River\n\nThe river and the mill, the river and the mill.\n",
    "bread.md": "# Food\n\nBread and honey, bread and honey, bread.\n",
    "train.md": "# Travel\n\nA train, the garden, a train, trains.\n",
}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    tiny_bert.build_tiny_encoder(folder / "tiny.gguf")
    monkeypatch.setenv("LOCALPERS_MODELS", str(folder))
    return folder


@pytest.fixture
def notes(cli: CommandLine, tmp_path: Path) -> Path:
    folder = write(tmp_path / "notes", NOTES)
    assert cli("ingest", folder).code == 0
    return folder


def titles(cli: CommandLine, *arguments: object) -> list[str]:
    outcome = cli("search", *arguments, "--json")
    assert outcome.code == 0, outcome.err
    return [hit["title"] for hit in outcome.json]


def vectors(cli: CommandLine) -> Any:
    return cli("status", "--json").json["vectors"]


@pytest.mark.usefixtures("models", "notes")
def test_dense_ranks_all_by_cosine_and_hybrid_fuses_it_with_words(cli: CommandLine) -> None:
    hits = cli("search", "bread, honey", "--retriever", "dense", "--json").json
    assert hits[0]["title"] == "Food" and len(hits) == 3
    assert [hit["score"] for hit in hits] == sorted((hit["score"] for hit in hits), reverse=True)
    hybrid = cli("search", "bread", "--retriever", "hybrid", "--json").json
    assert len(hybrid) == 3 and hybrid[0]["title"] == "Food"
    dense = titles(cli, "bread", "--retriever", "dense")
    by_vector = VECTOR_WEIGHT / (K + 1 + dense.index("Food"))
    assert hybrid[0]["score"] == pytest.approx(1 / (K + 1) + by_vector)


@pytest.mark.usefixtures("models")
def test_hybrid_finds_what_stands_behind_a_window_full_of_copies(
    cli: CommandLine, tmp_path: Path
) -> None:
    text = " ".join(f"The walnut tree in yard {n} bears nuts this autumn." for n in range(9))
    files = {f"copy{n}.md": f"# News\n\n{text} Number {n}.\n" for n in range(110)}
    files |= {f"own{n}.md": f"# Own {n}\n\n{'stone bridge ' * 60} walnut\n" for n in range(3)}
    files["own2.md"] = f"# Own 2\n\n{'deep river ' * 60} walnut\n"
    files["own1.md"] = f"# Own 1\n\n{'old letter ' * 60} walnut\n"
    assert cli("ingest", write(tmp_path / "walnuts", files)).code == 0
    for retriever in ("auto", "hybrid"):
        found = titles(cli, "walnut", "--retriever", retriever, "-k", "10")
        assert set(found) == {"News", "Own 0", "Own 1", "Own 2"}, retriever


@pytest.mark.usefixtures("models", "notes")
def test_explain_tells_where_a_hit_stands_by_words_and_by_vectors(cli: CommandLine) -> None:
    asked = "write a tweet about bread"
    dense = cli("search", asked, "--retriever", "dense", "--explain", "--json").json
    assert [hit["explain"]["ranks"]["vectors"] for hit in dense] == [1, 2, 3]
    assert {hit["explain"]["query"]["embedded"] for hit in dense} == {"bread"}
    hybrid = cli("search", asked, "--retriever", "hybrid", "--explain", "--json").json
    weights = {"words": 1.0, "vectors": VECTOR_WEIGHT}
    for hit in hybrid:
        ranks = hit["explain"]["ranks"]
        assert hit["score"] == pytest.approx(
            sum(weights[by] / (K + rank) for by, rank in ranks.items() if rank is not None)
        )
        assert (ranks["words"] is None) is (hit["title"] != "Food")
        assert bool(hit["explain"]["terms"]) is (hit["title"] == "Food")
    assert "1. by words" in cli("search", asked, "--retriever", "hybrid", "--explain").out
    exact = cli("search", "bread", "--retriever", "bm25", "--explain", "--json").json
    assert exact[0]["explain"]["ranks"] is None and len(exact) == 1


@pytest.mark.usefixtures("models")
def test_vectors_come_once_and_go_with_their_notes(cli: CommandLine, notes: Path) -> None:
    titles(cli, "river", "--retriever", "dense")
    assert (vectors(cli)["embedded"], vectors(cli)["passages"]) == (3, 3)
    (notes / "bread.md").unlink()
    (notes / "new.md").write_text("# New\n\nHoney in the garden.\n")
    assert cli("ingest", notes).code == 0
    state = vectors(cli)
    assert (state["embedded"], state["passages"], state["encoder"]) == (3, 3, "tiny")
    found = titles(cli, "honey", "--retriever", "dense")
    assert "New" in found and "Food" not in found
    assert cli("ingest", notes, "--encoder", "none").code == 0
    assert vectors(cli) is None
    assert cli("ingest", notes).code == 0
    assert vectors(cli) is None


@pytest.mark.usefixtures("models", "notes")
def test_another_encoder_replaces_all_vectors(cli: CommandLine, models: Path) -> None:
    titles(cli, "river", "--retriever", "dense")
    tiny_bert.build_tiny_encoder(models / "other.gguf", seed=1)
    with Store.open(Profile.open()) as store:
        before = next(iter(store.vectors.all(tiny_bert.HIDDEN)))[1]
    assert cli("ingest", models.parent / "notes", "--encoder", "other").code == 0
    with Store.open(Profile.open()) as store:
        after = next(iter(store.vectors.all(tiny_bert.HIDDEN)))[1]
    assert vectors(cli)["encoder"] == "other" and not np.allclose(before, after)


class Letters:
    """Counts letters: an encoder for tests of what is kept, which stops after `batches`."""

    name, sha256, dimension = "letters", "0" * 64, 26

    def __init__(
        self, batches: int = 1000, query_prefix: str = "", passage_prefix: str = ""
    ) -> None:
        self.batches = batches
        self.query_prefix = query_prefix
        self.passage_prefix = passage_prefix
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self.batches == 0:
            raise KeyboardInterrupt
        self.batches -= 1
        self.seen += texts
        counts = [[text.lower().count(chr(97 + at)) for at in range(26)] for text in texts]
        found = np.asarray(counts, np.float32) + 1e-6
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_interrupted_embedding_goes_on(cli: CommandLine, tmp_path: Path) -> None:
    many = {
        f"{n:03}.md": f"# Note {n}\n\nWord {'abcdefgh'[n % 8] * (n % 7 + 1)}.\n" for n in range(150)
    }
    assert cli("ingest", write(tmp_path / "many", many)).code == 0
    with Store.open(Profile.open()) as store:
        with pytest.raises(KeyboardInterrupt):
            embed_passages(store, Letters(batches=2))
        kept = store.vectors.count()
        assert 0 < kept < 150
        rest = Letters()
        steps: list[tuple[int, int]] = []
        assert embed_passages(store, rest, lambda *step: steps.append(step)) == 150 - kept
        assert len(rest.seen) == 150 - kept and steps[-1] == (150 - kept, 150 - kept)
        assert embed_passages(store, Letters(batches=0)) == 0
        note = encoder_note(store)
        assert note is not None and note.name == "letters"
        exact = rank_by_vector(store, rest, "aaa", 150)
        assert rank_by_vector(store, rest, "aaa", 10) == exact[:10] and len(exact) == 150


def test_auto_uses_the_vectors_of_an_encoder_that_speaks_the_language_of_the_notes(
    cli: CommandLine, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    english = "The river was low in summer, and the mill stood still for many weeks."
    folder = write(tmp_path / "mill", {"a.md": f"# Mill\n\n{english}", **NOTES})
    monkeypatch.setattr("localpers.weights.catalog.encoders", _english_tiny)
    assert cli("ingest", folder).code == 0
    assert vectors(cli)["auto"] is True and "auto uses them" in cli("status").out
    assert titles(cli, "bread") == titles(cli, "bread", "--retriever", "hybrid")
    assert titles(cli, "zeppelin") == []
    german = "Der Fluss war im Sommer niedrig, und die Mühle stand viele Wochen lang still."
    for name in folder.iterdir():
        name.write_text(f"# Mühle\n\n{german} {name.stem}\n")
    assert cli("ingest", folder).code == 0
    assert vectors(cli)["auto"] is False and "not made for your notes" in cli("status").out
    assert cli("search", "Fluss", "--explain", "--json").json[0]["explain"]["ranks"] is None


def _english_tiny() -> tuple[CatalogEntry, ...]:
    (starter, *_) = encoders()
    return (replace(starter, name="tiny", languages=("en",)),)


@pytest.mark.usefixtures("notes")
def test_without_an_encoder_words_go_on_and_dense_says_what_to_do(
    cli: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCALPERS_MODELS", str(tmp_path / "none"))
    outcome = cli("search", "bread", "--retriever", "dense")
    assert outcome.code == 1 and "models pull all-minilm-l6-v2" in outcome.err
    assert outcome.err.count("\n") == 1
    assert titles(cli, "bread") == ["Food"]


@pytest.mark.usefixtures("models", "notes")
def test_reranking_keeps_the_hits_and_scores_them_by_the_base(
    cli: CommandLine, models: Path
) -> None:
    tiny_gguf.build_tiny_model(models / "base.gguf", "llama")
    plain = cli("search", "the river", "--retriever", "hybrid", "--json").json
    outcome = cli("search", "the river", "--retriever", "hybrid", "--rerank", "--json")
    assert outcome.code == 0, outcome.err
    assert {hit["path"] for hit in outcome.json} == {hit["path"] for hit in plain}
    scores = [hit["score"] for hit in outcome.json]
    assert scores == sorted(scores, reverse=True) and scores[0] < 0
    answer = cli("ask", "the river", "--rerank", "-k", "1", "--max-tokens", "4", "--json")
    assert answer.code == 0, answer.err
    assert [source["score"] for source in answer.json["sources"]] != []


rankings = st.lists(
    st.tuples(st.lists(st.integers(0, 30), unique=True), st.floats(0.1, 1)), max_size=4
)


@given(rankings)
def test_fusion_is_the_weighted_sum_of_reciprocal_ranks(
    lists: list[tuple[list[int], float]],
) -> None:
    fused = fuse(lists)
    assert {id for id, _ in fused} == {id for ranking, _ in lists for id in ranking}
    assert fused == sorted(fused, key=lambda hit: (-hit[1], hit[0]))
    for id, score in fused:
        expected = sum(
            weight / (K + ranking.index(id) + 1) for ranking, weight in lists if id in ranking
        )
        assert score == pytest.approx(expected)


@given(st.lists(st.integers(0, 30), unique=True))
def test_fusion_of_one_ranking_changes_nothing(ranking: list[int]) -> None:
    assert [id for id, _ in fuse([(ranking, 1.0)])] == ranking
    assert [id for id, _ in fuse([(ranking, 1.0), (ranking, 0.5)])] == ranking


def test_texts_are_embedded_behind_the_prefixes_of_the_model(
    cli: CommandLine, tmp_path: Path
) -> None:
    assert cli("ingest", write(tmp_path / "few", {"a.md": "One.", "b.md": "Two."})).code == 0
    with Store.open(Profile.open()) as store:
        embed_passages(store, Letters())
        prefixed = Letters(query_prefix="query: ", passage_prefix="passage: ")
        # The vectors of bare passages are none of prefixed ones.
        assert embed_passages(store, prefixed) == 2
        assert prefixed.seen == ["passage: One.", "passage: Two."]
        rank_by_vector(store, prefixed, "one", 2)
        assert prefixed.seen[2:] == ["query: one"]
        assert embed_passages(store, prefixed) == 0
