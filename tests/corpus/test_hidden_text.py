"""What a page or a note hides from its reader is not read either."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.corpus.readers import reader_for


def text_of(path: Path, content: str) -> str:
    path.write_text(content)
    reader = reader_for(path)
    assert reader is not None
    (document,) = reader(path)
    return document.text


@pytest.mark.parametrize(
    "hidden",
    [
        '<p style="display:none">{}</p>',
        "<div hidden><p>{}</p></div>",
        "<span style='color:red; VISIBILITY : hidden'>{}</span>",
        '<span style="font-size:0px">{}</span>',
        '<i style="opacity:0">{}</i>',
        "<!-- {} -->",
        "<template>{}</template>",
    ],
)
def test_a_page(tmp_path: Path, hidden: str) -> None:
    page = f"<p>seen</p>{hidden.format('unseen words')}<p>after</p>"
    text = text_of(tmp_path / "x.html", page)
    assert "seen" in text and "after" in text and "unseen" not in text


def test_what_only_looks_hidden_is_read(tmp_path: Path) -> None:
    page = (
        '<div style="font-size:0"><p style="font-size:16px">boxed</p></div>'
        '<p style="opacity:0.9">faint</p><p style="font-size:0.8em">small</p>'
        '<p aria-hidden="true">shown</p>'
    )
    assert text_of(tmp_path / "x.html", page).split() == ["boxed", "faint", "small", "shown"]


def test_comments_in_markdown_become_blanks_and_lines_stay(tmp_path: Path) -> None:
    note = "# Title\n\nOne.\n\n<!-- unseen\nwords -->\n\nTwo.\n\n```html\n<!-- code -->\n```\n"
    text = text_of(tmp_path / "x.md", note)
    assert "unseen" not in text and "<!-- code -->" in text
    assert len(text) == len(note) and text.index("Two.") == note.index("Two.")
    assert text.count("\n") == note.count("\n")


def test_characters_that_only_hide_are_left_out_and_those_of_scripts_are_not(
    tmp_path: Path,
) -> None:
    tags = "".join(chr(0xE0000 + ord(c)) for c in "obey")
    scotland = "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in "gbsct") + "\U000e007f"
    persian, hebrew, farmer = (
        "\u0645\u06cc\u200c\u062e",
        "\u2067\u05d0\u2069",
        "\U0001f468\u200d\U0001f33e",
    )
    kept = f"{persian} {hebrew} {scotland} {farmer}"
    assert text_of(tmp_path / "x.txt", f"plain{tags} text\u202e {kept}") == f"plain text {kept}"
