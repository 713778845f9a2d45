"""What a text states and its sources do not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from localpers.assistant.grounding import invented

NOTE = """I ran `git reset --soft HEAD~1` on 2024-05-17 with Natalie, see https://example.org/undo.
It took 3 minutes and used snake_case_name."""


def test_what_the_note_says_is_grounded() -> None:
    text = "On 2024-05-17 I ran `git reset --soft HEAD~1` with Natalie in 3 minutes [1]."
    assert invented(text, [NOTE]) == []


def test_commands_urls_numbers_and_names_of_its_own_are_found() -> None:
    text = "Run `git checkout -v` with Alex, see https://example.org/other, in 45 minutes."
    assert invented(text, [NOTE]) == ["git checkout -v", "https://example.org/other", "45", "Alex"]


def test_code_blocks_count_line_by_line() -> None:
    text = "```sh\ngit reset --soft HEAD~1\nrm -r data\n```"
    assert invented(text, [NOTE]) == ["rm -r data"]


@given(st.text(max_size=200))
def test_a_text_is_grounded_in_itself(text: str) -> None:
    assert invented(text, [text]) == []
