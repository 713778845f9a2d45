from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localpers.corpus.passages import MAX_TOKENS, estimate_tokens, split_passages
from localpers.datatypes import Block, BlockKind, Document, Kind

KINDS = [kind for kind in BlockKind if kind is not BlockKind.HEADING]
pieces = st.lists(
    st.tuples(
        st.sampled_from([*KINDS, BlockKind.HEADING]),
        st.text(alphabet="ab .!?。\n日本é1_-", min_size=1, max_size=900).filter(str.strip),
    ),
    max_size=12,
)


def document_of(blocks: list[tuple[BlockKind, str]]) -> Document:
    text, found = "", []
    for kind, piece in blocks:
        found.append(Block(kind, len(text), len(text) + len(piece), 1))
        text += piece + "\n\n"
    return Document(text=text, title="t", kind=Kind.NOTE, blocks=tuple(found))


@given(pieces)
def test_passages_are_ordered_disjoint_bounded_and_lose_nothing(
    blocks: list[tuple[BlockKind, str]],
) -> None:
    document = document_of(blocks)
    passages = split_passages(document)
    end = 0
    for passage in passages:
        assert end <= passage.start < passage.end <= len(document.text)
        assert estimate_tokens(document.text[passage.start : passage.end]) <= MAX_TOKENS * 1.2
        end = passage.end
    covered = "".join(document.text[p.start : p.end] for p in passages)
    assert sorted(covered.replace("\n", "").replace(" ", "")) == sorted(
        document.text.replace("\n", "").replace(" ", "")
    )


def test_a_heading_opens_a_passage_and_names_it() -> None:
    filler = "Some plain words that fill the section well enough. " * 8
    document = document_of(
        [
            (BlockKind.HEADING, "# One"),
            (BlockKind.PARAGRAPH, filler),
            (BlockKind.HEADING, "# Two"),
            (BlockKind.PARAGRAPH, filler),
        ]
    )
    first, second = split_passages(document)
    assert (first.heading, second.heading) == ("One", "Two")
    assert document.text[second.start :].startswith("# Two")


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    sentence = "The quick brown fox jumps over the lazy dog again. "
    document = document_of([(BlockKind.PARAGRAPH, sentence * 60)])
    passages = split_passages(document)
    assert len(passages) > 2
    assert all(document.text[p.start : p.end].endswith("again.") for p in passages)


def test_long_code_is_cut_between_lines() -> None:
    document = document_of([(BlockKind.CODE, "value = compute(1, 2)  # step\n" * 80)])
    texts = [document.text[p.start : p.end] for p in split_passages(document)]
    assert len(texts) > 2
    assert all(text.startswith("value") and text.endswith("# step") for text in texts)
