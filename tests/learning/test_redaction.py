"""What is held back leaves no trace in any example, and the rest of a document is still learned."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localpers.corpus.secrets.findings import Finding
from localpers.corpus.secrets.rules import Rules
from localpers.datatypes import Block, BlockKind, Kind, RetrievedPassage, StoredDocument
from localpers.learning.redaction import Redaction, cut_blocks, redact
from localpers.tuning.examples import ExampleMaker
from localpers.tuning.recipe import Recipe
from localpers.weights.tokenizer import Tokenizer
from tests import tiny_gguf

SECRET = "password: Tr0ub4dor&3"
PLAIN = (
    "The mill stood idle that summer.",
    "We walked home late, talking about trains.",
    "Bread, salt and honey went over the pass with us.",
)
PART = st.tuples(
    st.sampled_from([BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.CODE, BlockKind.TABLE]),
    st.lists(
        st.sampled_from([*PLAIN, f"Note the {SECRET} of the router."]), min_size=1, max_size=4
    ),
)


def document(
    parts: Sequence[tuple[BlockKind, Sequence[str]]], title: str = "On mills", id: int = 1
) -> StoredDocument:
    text, blocks = "", []
    for kind, sentences in parts:
        start = len(text)
        text += " ".join(sentences)
        blocks.append(Block(kind, start, len(text)))
        text += "\n\n"
    return StoredDocument(
        id=id,
        path=f"/notes/{id}.md",
        part="",
        title=title,
        kind=Kind.NOTE,
        date=f"2024-01-{id:02}",
        date_from="metadata",
        language="en",
        content_hash=f"hash {id}",
        text=text,
        blocks=tuple(blocks),
    )


def held(*documents: StoredDocument, rules: Rules | None = None) -> Redaction:
    return redact(documents, rules or Rules(), lambda ids: dict.fromkeys(ids, 1))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("base") / "llama.gguf"
    tiny_gguf.build_tiny_model(path, "llama")
    return Tokenizer.open(path)


def passage(of: StoredDocument, start: int, end: int) -> RetrievedPassage:
    text = of.text[start:end]
    return RetrievedPassage(1, 1.0, of.id, of.path, of.title, of.date, start, end, text)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(PART, min_size=1, max_size=8), st.lists(PART, min_size=1, max_size=4), st.booleans()
)
def test_no_example_holds_a_finding_in_prompt_or_completion(
    tokenizer: Tokenizer,
    parts: list[tuple[BlockKind, list[str]]],
    others: list[tuple[BlockKind, list[str]]],
    in_title: bool,
) -> None:
    found = held(
        document(parts, title=f"My {SECRET}" if in_title else "On mills"), document(others, id=2)
    )
    own, other = found.documents

    def retrieve(query: str, asking: StoredDocument) -> list[RetrievedPassage]:
        hits = [passage(other, block.start, block.end) for block in document(others, id=2).blocks]
        return [hit for hit in hits if not found.touches(hit)]

    recipe = Recipe(retrieval_share=1.0, max_length=4096)
    maker = ExampleMaker(tokenizer, recipe, retrieve, {1: "hash 1", 2: "hash 2"})
    for example, _ in maker.training([own]):
        assert not any("Tr0ub4dor" in message.content for message in example.messages)


def test_a_paragraph_loses_the_sentence_and_keeps_the_rest() -> None:
    found = held(document([(BlockKind.PARAGRAPH, [PLAIN[0], f"It is {SECRET}.", PLAIN[1]])]))
    (own,) = found.documents
    assert [own.text[b.start : b.end] for b in own.blocks] == [PLAIN[0], PLAIN[1]]
    assert found.counts().kinds == {"password": 1}


def test_code_lists_and_tables_go_as_a_whole() -> None:
    whole = [(kind, [PLAIN[0], SECRET]) for kind in (BlockKind.CODE, BlockKind.TABLE)]
    found = held(document([*whole, (BlockKind.LIST_ITEM, [PLAIN[1]])]))
    (own,) = found.documents
    assert [own.text[b.start : b.end] for b in own.blocks] == [PLAIN[1]]


def test_a_password_is_held_back_wherever_else_it_stands() -> None:
    first = document([(BlockKind.PARAGRAPH, [f"It is {SECRET}."])])
    second = document(
        [(BlockKind.PARAGRAPH, ["Type Tr0ub4dor&3 and press the key.", PLAIN[0]])], id=2
    )
    found = held(first, second)
    assert {place.path for place in found.places} == {"/notes/1.md", "/notes/2.md"}
    own = found.documents[1]
    assert [own.text[b.start : b.end] for b in own.blocks] == [PLAIN[0]]


def test_places_are_told_by_line_and_kind_and_never_by_content() -> None:
    found = held(document([(BlockKind.PARAGRAPH, [PLAIN[0]]), (BlockKind.PARAGRAPH, [SECRET])]))
    (place,) = found.places
    assert (place.line, place.kind) == (3, "password")
    assert "Tr0ub4dor" not in repr(place) + " ".join(found.lines())


@given(st.text("ab. \n", min_size=1, max_size=80), st.data())
def test_what_is_cut_away_holds_every_finding_and_blocks_stay_in_order(
    text: str, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    block = Block(BlockKind.PARAGRAPH, 0, len(text))
    rests = cut_blocks(text, [block], [Finding("x", start, end)])
    assert all(rest.end <= start or rest.start >= end for rest in rests)
    assert all(a.end <= b.start for a, b in itertools.pairwise(rests))


def test_mails_of_others_are_searched_and_not_learned() -> None:
    from dataclasses import replace

    def mail(id: int, author: str, recipient: str) -> StoredDocument:
        made = document([(BlockKind.PARAGRAPH, list(PLAIN))], id=id)
        return replace(made, kind=Kind.EMAIL, author=author, recipients=(recipient,))

    sent = [mail(n, "me@x.org", f"{n}@y.org") for n in range(1, 5)]
    found = held(*sent, mail(9, "ann@y.org", "me@x.org"))
    assert [document.id for document in found.documents] == [1, 2, 3, 4, 9]
    assert {block.kind for block in found.documents[-1].blocks} == {BlockKind.QUOTE}
    assert all(document.blocks[0].kind is BlockKind.PARAGRAPH for document in found.documents[:4])
    assert "1 mails of 1 others" in " ".join(found.lines())


def test_rules_are_fingerprinted(tmp_path: Path) -> None:
    one = held(document([(BlockKind.PARAGRAPH, PLAIN)]))
    other = held(document([(BlockKind.PARAGRAPH, PLAIN)]), rules=Rules(hold_back={"x": "mill"}))
    assert one.rules != other.rules and other.counts().kinds == {"x": 1}
