"""Markdown and its front matter: exact blocks, title, tags; dates are read and never invented."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.datatypes import BlockKind, Kind
from localpers.errors import UnreadableFile
from tests.corpus.conftest import pieces, read_text

MARKDOWN = """\
---
title: A day
date: 2024-05-17
tags: [walks, "#rain"]
layout: post
---

# The *first* heading

Two lines
of text.

- one
- two

  still two
  - nested
1. numbered

> Somebody said
>
> - this

```python
x = 1

y = 2
```

    indented code

| a | b |
|---|---|
| 1 | 2 |

[ref]: https://example.org

Setext
------
<!-- a comment -->
"""


def test_markdown_front_matter_and_blocks(tmp_path: Path) -> None:
    document = read_text(tmp_path / "x.md", MARKDOWN)
    assert (document.title, document.date, document.tags) == (
        "A day",
        "2024-05-17",
        ("walks", "rain"),
    )
    assert document.kind is Kind.ARTICLE
    assert document.text.startswith("# The *first* heading")
    assert MARKDOWN.split("\n")[document.first_line - 1] == "# The *first* heading"
    assert pieces(document) == [
        ("heading", "# The *first* heading"),
        ("paragraph", "Two lines\nof text."),
        ("list_item", "- one"),
        ("list_item", "- two\n\n  still two"),
        ("list_item", "- nested"),
        ("list_item", "1. numbered"),
        ("quote", "> Somebody said\n>"),
        ("quote", "> - this"),
        ("code", "```python\nx = 1\n\ny = 2\n```"),
        ("code", "    indented code"),
        ("table", "| a | b |\n|---|---|\n| 1 | 2 |"),
        ("paragraph", "[ref]: https://example.org"),
        ("heading", "Setext\n------"),
    ]
    assert [b.level for b in document.blocks if b.kind is BlockKind.HEADING] == [1, 2]


def test_toml_front_matter(tmp_path: Path) -> None:
    source = '+++\ntitle = "T"\ndate = 2024-05-17T08:00:00Z\ntags = ["a"]\n+++\nbody\n'
    document = read_text(tmp_path / "x.markdown", source)
    assert (document.title, document.date, document.tags, document.text, document.first_line) == (
        "T",
        "2024-05-17T08:00:00+00:00",
        ("a",),
        "body\n",
        6,
    )


@pytest.mark.parametrize(
    "source",
    [
        "---\ntitle: [unclosed\n---\nbody\n",
        "---\ndate: 2024-13-45\n---\nbody\n",
        "---\njust a line\n---\nbody\n",
        "---\n{{template}}: x\n---\nbody\n",
        "---\nnever closed\n",
        "+++\nnot = = toml\n+++\nbody\n",
    ],
)
def test_malformed_front_matter_is_body_text(tmp_path: Path, source: str) -> None:
    document = read_text(tmp_path / "x.md", source)
    assert document.text == source
    assert document.first_line == 1


def test_front_matter_alone_is_not_a_document(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="nothing but front matter"):
        read_text(tmp_path / "x.md", "---\ntitle: x\n---\n\n")


def test_titles_without_front_matter(tmp_path: Path) -> None:
    heading = "text\n\n# Use `grep` with [links](http://x) & *style*\n"
    assert read_text(tmp_path / "a.md", heading).title == "Use grep with links & style"
    assert (
        read_text(tmp_path / "b.md", "first line " * 20).title == ("first line " * 20)[:80].strip()
    )
    assert read_text(tmp_path / "c.md", "---\ntitle: 2024\n---\nx").title == "2024"


def test_a_long_file_is_still_read(tmp_path: Path) -> None:
    document = read_text(tmp_path / "log.md", "# day\n\nwhat happened\n\n" * 60_000)
    assert len(document.blocks) == 120_000


@pytest.mark.parametrize(
    ("stated", "date"),
    [
        ("2024-05-17T10:00:00+02:00", "2024-05-17T10:00:00+02:00"),
        ("'May 17, 2024'", "2024-05-17"),
        ("'17 May 2024 8:30'", "2024-05-17T08:30:00"),
        ("'May 17'", None),
        ("'May 2024'", None),
        ("'some day in 2024'", None),
        ("2024", None),
        ("[2024]", None),
    ],
)
def test_a_date_is_read_and_never_invented(tmp_path: Path, stated: str, date: str | None) -> None:
    assert read_text(tmp_path / "x.md", f"---\ndate: {stated}\n---\ntext").date == date
