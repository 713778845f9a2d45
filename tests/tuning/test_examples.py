"""Examples are the person's own words, fit the length, and never see the future or themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.datatypes import (
    Block,
    BlockKind,
    Example,
    Kind,
    Message,
    ModelInfo,
    RetrievedPassage,
    StoredDocument,
)
from localpers.errors import LocalpersError, TooLittleText
from localpers.evaluation.trials import make_trials
from localpers.tuning.context import OtherDocuments
from localpers.tuning.dataset import read_jsonl, write_jsonl
from localpers.tuning.examples import ExampleMaker, own_words, require_enough
from localpers.tuning.recipe import Recipe
from localpers.weights.tokenizer import Tokenizer

QUOTED = "QUOTED"
WORDS = st.lists(st.sampled_from(("river", "mill", "12", "honey", "log", "über")), min_size=1)
PARAGRAPH = WORDS.map(" ".join)
BLOCKS = st.lists(
    st.tuples(st.sampled_from([BlockKind.PARAGRAPH, BlockKind.CODE, BlockKind.QUOTE]), PARAGRAPH),
    min_size=1,
    max_size=12,
)


def document(
    number: int,
    parts: Sequence[tuple[BlockKind, str]],
    title: str = "On mills",
    kind: Kind = Kind.NOTE,
    content_hash: str = "",
) -> StoredDocument:
    text, blocks = "", []
    for block, words in parts:
        start = len(text)
        text += f"{QUOTED} {words}" if block is BlockKind.QUOTE else words
        blocks.append(Block(block, start, len(text)))
        text += "\n\n"
    return StoredDocument(
        id=number,
        path=f"/notes/{number}.md",
        part="",
        title=title,
        kind=kind,
        date=f"2024-01-{number + 1:02}",
        date_from="metadata",
        language="en",
        content_hash=content_hash or f"hash {number}",
        text=text,
        blocks=tuple(blocks),
    )


def passage(of: StoredDocument, rank: int) -> RetrievedPassage:
    return RetrievedPassage(rank, 1.0, of.id, of.path, of.title, of.date, 0, len(of.text), of.text)


class Everything:
    """Finds a passage of every document, whatever is asked: the hardest case for the filter."""

    def __init__(self, documents: Sequence[StoredDocument]) -> None:
        self.documents = documents

    def search(self, query: str, k: int, *, today: date | None) -> list[RetrievedPassage]:
        return [passage(found, n) for n, found in enumerate(self.documents[:k], 1)]


@pytest.fixture(scope="session")
def tokenizer(bases: dict[str, ModelInfo]) -> Tokenizer:
    return Tokenizer.open(bases["llama"].path)


def made(
    tokenizer: Tokenizer, documents: Sequence[StoredDocument], recipe: Recipe
) -> list[Example]:
    others = OtherDocuments(Everything(documents), documents, 2, only_earlier=True)
    maker = ExampleMaker(tokenizer, recipe, others, {d.id: d.content_hash for d in documents})
    return [example for example, _ in maker.training(documents)]


@st.composite
def corpora(draw: st.DrawFn) -> list[StoredDocument]:
    rows = draw(st.lists(st.tuples(BLOCKS, st.sampled_from(list(Kind))), min_size=1, max_size=5))
    copies = draw(st.booleans())
    return [
        document(n, parts, kind=kind, content_hash="same" if copies and n < 2 else "")
        for n, (parts, kind) in enumerate(rows)
    ]


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(corpora(), st.integers(200, 700), st.integers(0, 3))
def test_examples_fit_hold_own_words_and_see_only_earlier_documents(
    tokenizer: Tokenizer, documents: list[StoredDocument], longest: int, seed: int
) -> None:
    recipe = Recipe(max_length=longest, retrieval_share=0.7, seed=seed)
    training = made(tokenizer, documents, recipe)
    by_id = {d.id: d for d in documents}
    for example in training:
        ids = tokenizer.example_ids(example.messages)
        assert len(ids.prompt) + len(ids.completion) <= longest
        completion = example.messages[-1]
        assert completion.role == "assistant"
        assert QUOTED not in completion.content
        asking = by_id[example.document]
        assert example.content_hash == asking.content_hash
        earlier = {d.content_hash for d in documents if d.id < asking.id}
        assert set(example.sources) <= earlier - {asking.content_hash}
    assert made(tokenizer, documents, recipe) == training


def test_passages_are_of_earlier_documents_and_never_of_a_copy() -> None:
    words = [(BlockKind.PARAGRAPH, "Bread, salt, two onions.")]
    documents = [document(n, words, content_hash="copy" if n in (1, 3) else "") for n in range(5)]
    everything = Everything(documents)
    earlier = OtherDocuments(everything, documents, 9, only_earlier=True)
    assert [found.document for found in earlier("bread", documents[3])] == [0, 2]
    learned = OtherDocuments(everything, documents[:3], 9, only_earlier=False)
    assert [found.document for found in learned("bread", documents[4])] == [0, 1, 2]


def test_completions_are_pieces_of_the_document(tokenizer: Tokenizer) -> None:
    parts = [
        (BlockKind.PARAGRAPH, f"The river was low in {n}, and the mill idle.") for n in range(60)
    ]
    training = made(tokenizer, [document(0, parts)], Recipe())
    text = document(0, parts).text
    tasks = {example.task for example in training}
    assert tasks == {"write_from_title", "write_from_opening", "continue", "title_from_body"}
    for example in training:
        assert example.messages[-1].content in (
            text if "title_" not in example.task else "On mills"
        )


def test_an_email_is_asked_for_as_one(tokenizer: Tokenizer) -> None:
    mail = document(
        0, [(BlockKind.PARAGRAPH, "He had promised to return the book on Tuesday.")] * 2,
        "The book", Kind.EMAIL,
    )  # fmt: skip
    requests = [trial.request for trial in make_trials(tokenizer, Recipe(), [mail])]
    assert any("e-mail with the subject “The book”" in request for request in requests)
    assert any("subject line" in request for request in requests)


def test_retrieval_share_is_kept(tokenizer: Tokenizer) -> None:
    words = [(BlockKind.PARAGRAPH, "Bread, salt, two onions, a jar of honey: in October.")] * 3
    documents = [document(n, words) for n in range(25)]
    shares = {}
    for share in (0.0, 0.5, 1.0):
        training = made(tokenizer, documents[:1] + documents, Recipe(retrieval_share=share))
        later = [example for example in training if example.document > 2]
        shares[share] = sum(bool(example.sources) for example in later) / len(later)
    assert shares[0.0] == 0
    assert 0.3 < shares[0.5] < 0.7
    assert shares[1.0] == 1


def test_too_little_text_is_declined_with_the_counts() -> None:
    with pytest.raises(TooLittleText, match=r"3 documents with 6 words .* 20 with 5,000"):
        require_enough([document(n, [(BlockKind.PARAGRAPH, "two words")]) for n in range(3)])
    plenty = [document(n, [(BlockKind.PARAGRAPH, "word " * 300)]) for n in range(20)]
    assert require_enough(plenty) == 6_000
    with pytest.raises(TooLittleText):
        require_enough(plenty[:19])


def test_quoted_words_are_not_own_and_japanese_counts_by_character() -> None:
    assert own_words(document(0, [(BlockKind.QUOTE, "not mine"), (BlockKind.CODE, "x = 1")])) == 2
    assert own_words(document(0, [(BlockKind.PARAGRAPH, "川の水は低かった")])) == 4


MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["user", "assistant"]), st.text()), min_size=1, max_size=3
)


def _any_examples() -> st.SearchStrategy[list[Example]]:
    one = st.builds(
        Example,
        messages=MESSAGES.map(tuple),
        task=st.text(max_size=5),
        kind=st.sampled_from(list(Kind)),
        document=st.integers(0, 9),
        content_hash=st.text(max_size=5),
        sources=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    )
    return st.lists(one, max_size=4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_any_examples())
def test_examples_survive_the_disk(tmp_path: Path, some: list[Example]) -> None:
    write_jsonl(some, tmp_path / "examples.jsonl")
    assert read_jsonl(tmp_path / "examples.jsonl") == some


def _broken() -> Iterator[tuple[str, str]]:
    yield "rank = 0", "rank"
    yield "learning_rate = 'fast'", "learning_rate"
    yield "checkpoint_seconds = 600", "checkpoint_seconds"
    yield "nose = 1", "nose"
    yield "method = 'magic'", "method"


@pytest.mark.parametrize(("content", "field"), list(_broken()))
def test_a_wrong_recipe_names_the_field(tmp_path: Path, content: str, field: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(content)
    with pytest.raises(LocalpersError, match=f"Recipe field '{field}'"):
        Recipe.load(path)


def test_a_recipe_is_read_or_refused_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text('rank = 4\ntargets = ["q_proj"]\n')
    assert Recipe.load(path) == Recipe(rank=4, targets=("q_proj",))
    path.write_text("rank = = 4")
    with pytest.raises(LocalpersError, match="not valid TOML"):
        Recipe.load(path)
    with pytest.raises(LocalpersError, match="cannot be read"):
        Recipe.load(tmp_path / "none.toml")
