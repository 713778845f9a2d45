"""Units cover a note's words once, in order, in pieces that stand on their own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localpers.assistant.units import MOST_WORDS, Unit, count_words, first_words, units_of
from localpers.corpus.readers.markdown import markdown_blocks
from localpers.datatypes import Kind, StoredDocument

NOTE = """# Undo a commit

I committed to the wrong branch and had not pushed yet.

The fix keeps the changes:

```sh
git reset --soft HEAD~1
```

## Several at once

Steps:

- count the commits
- use the number

![a picture](picture.png)
"""


def units(text: str) -> list[Unit]:
    blocks, title = markdown_blocks(text)
    document = StoredDocument(
        id=1,
        path="/notes/a.md",
        part="",
        title=title or "",
        kind=Kind.NOTE,
        date="2024-05-17",
        date_from="metadata",
        language="en",
        content_hash="x",
        text=text,
        blocks=blocks,
    )
    return units_of(document)


def test_code_stays_with_the_sentence_that_introduces_it() -> None:
    found = units(NOTE)
    (code,) = [unit for unit in found if unit.has_code]
    assert code.text.startswith("The fix keeps the changes:")
    assert "git reset --soft HEAD~1" in code.text
    assert code.heading == "Undo a commit"


def test_lists_stay_whole_under_their_heading_and_pictures_go() -> None:
    found = units(NOTE)
    (steps,) = [unit for unit in found if "count the commits" in unit.text]
    assert "use the number" in steps.text
    assert steps.heading == "Several at once"
    assert not any("picture" in unit.text for unit in found)


def test_parts_of_long_code_keep_their_fences() -> None:
    lines = "\n".join(f"echo this is line number {number} of the script" for number in range(40))
    found = units(f"# Script\n\nIt does this:\n\n```sh\n{lines}\n```\n\nThat is all of it.\n")
    parts = [unit for unit in found if unit.has_code]
    assert len(parts) > 2
    assert all(unit.text.count("```") == 2 for unit in parts)


@pytest.mark.parametrize("name", ["README.md", "docs/privacy.md"])
def test_long_pages_are_cut_into_short_pieces(name: str) -> None:
    text = (Path(__file__).parents[2] / name).read_text(encoding="utf-8")
    found = units(text)
    assert found
    # A line of a table or of code cannot be cut.
    longest = max(len(line.split()) for line in text.splitlines())
    assert max(unit.words for unit in found) <= MOST_WORDS + longest


words = st.lists(
    st.sampled_from(["alpha", "beta.", "gamma", "delta!", "epsilon", "zeta"]), min_size=1
)
block = words.map(" ".join)
notes = st.lists(st.one_of(block, block.map("- {}".format), block.map("    {}".format)), min_size=1)


@settings(max_examples=60)
@given(notes)
def test_no_word_is_lost_or_repeated(parts: list[str]) -> None:
    text = "\n\n".join(parts)
    found = units(text)
    spans = [(unit.start, unit.end) for unit in found]
    assert spans == sorted(spans)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    covered = " ".join(text[start:end] for start, end in spans).split()
    assert [word for word in covered if word != "-"] == [w for w in text.split() if w != "-"]


def test_words_are_counted_in_scripts_without_spaces() -> None:
    assert count_words("the last commit") == 3
    assert count_words("東京で昼食を食べた") == 5
    assert count_words("git で戻す") == 3
    assert first_words("one two three", 2) == "one two"
    assert first_words("東京で昼食", 2) == "東京で昼"


@given(st.text(max_size=80), st.integers(1, 20))
def test_first_words_are_a_beginning_of_that_many(text: str, most: int) -> None:
    kept = first_words(text, most)
    assert text.startswith(kept)
    assert count_words(kept) <= most
