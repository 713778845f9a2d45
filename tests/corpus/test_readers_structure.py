"""Markdown, text, reStructuredText and Org: exact blocks over the text as written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.corpus.readers import reader_for
from localpers.datatypes import BlockKind, Document, Kind
from localpers.errors import UnreadableFile


def read(path: Path, content: str) -> Document:
    path.write_text(content, encoding="utf-8")
    reader = reader_for(path)
    assert reader is not None
    (document,) = reader(path)
    return document


def pieces(document: Document) -> list[tuple[str, str]]:
    return [(b.kind.value, document.text[b.start : b.end]) for b in document.blocks]


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
    document = read(tmp_path / "x.md", MARKDOWN)
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
    document = read(tmp_path / "x.markdown", source)
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
    document = read(tmp_path / "x.md", source)
    assert document.text == source
    assert document.first_line == 1


def test_front_matter_alone_is_not_a_document(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="nothing but front matter"):
        read(tmp_path / "x.md", "---\ntitle: x\n---\n\n")


def test_titles_without_front_matter(tmp_path: Path) -> None:
    heading = "text\n\n# Use `grep` with [links](http://x) & *style*\n"
    assert read(tmp_path / "a.md", heading).title == "Use grep with links & style"
    assert read(tmp_path / "b.md", "first line " * 20).title == ("first line " * 20)[:80].strip()
    assert read(tmp_path / "c.md", "---\ntitle: 2024\n---\nx").title == "2024"


def test_a_long_file_is_still_read(tmp_path: Path) -> None:
    document = read(tmp_path / "log.md", "# day\n\nwhat happened\n\n" * 60_000)
    assert len(document.blocks) == 120_000


RST = """\
=====
Title
=====

:Date: 2024-01-02
:Tags: a, b

Intro para
two lines::

    literal one

    literal two

Sub
---

- item one
  cont

  second para

  - nested
- item two

Term
  definition here

    quote inside

.. code-block:: python

   x = 1

   y = 2

===  ===
a    b
===  ===
1    2
===  ===

.. include:: /etc/passwd

.. comment here

>>> doctest
1
"""


def test_rst(tmp_path: Path) -> None:
    document = read(tmp_path / "x.rst", RST)
    assert (document.title, document.date, document.tags) == ("Title", "2024-01-02", ("a", "b"))
    assert document.text == RST
    assert pieces(document) == [
        ("heading", "=====\nTitle\n====="),
        ("paragraph", ":Date: 2024-01-02\n:Tags: a, b"),
        ("paragraph", "Intro para\ntwo lines::"),
        ("code", "    literal one\n\n    literal two"),
        ("heading", "Sub\n---"),
        ("list_item", "- item one\n  cont\n\n  second para"),
        ("list_item", "- nested"),
        ("list_item", "- item two"),
        ("paragraph", "Term\n  definition here"),
        ("quote", "quote inside"),
        ("code", ".. code-block:: python\n\n   x = 1\n\n   y = 2"),
        ("table", "===  ===\na    b\n===  ===\n1    2\n===  ==="),
        ("paragraph", ".. include:: /etc/passwd"),
        ("paragraph", ".. comment here"),
        ("code", ">>> doctest\n1"),
    ]
    assert [b.level for b in document.blocks if b.kind is BlockKind.HEADING] == [1, 2]


def test_rst_includes_nothing_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hidden words")
    source = (
        f".. include:: {secret}\n\n.. raw:: html\n   :file: {secret}\n\n"
        f".. csv-table::\n   :file: {secret}\n\n:nonsense:`x` |undefined|\n"
    )
    document = read(tmp_path / "x.rst", source)
    assert document.text == source
    assert capfd.readouterr() == ("", "")


ORG = """\
#+TITLE: My org
#+DATE: <2024-05-17 Fri>
#+FILETAGS: :a:b:
Some text.

* TODO Head *bold* :t1:
- one
  more
  - nested
- two
#+BEGIN_SRC python
x = 1

* not a list
#+END_SRC
** Sub
#+begin_quote
Others' words.

More of them.
#+end_quote
| a | b |
| 1 | 2 |
End.
"""


def test_org(tmp_path: Path) -> None:
    source = ORG.replace("* not a list", "y = 2")
    document = read(tmp_path / "x.org", source)
    assert (document.title, document.date, document.tags) == ("My org", "2024-05-17", ("a", "b"))
    assert pieces(document) == [
        ("paragraph", "#+TITLE: My org\n#+DATE: <2024-05-17 Fri>\n#+FILETAGS: :a:b:\nSome text."),
        ("heading", "* TODO Head *bold* :t1:"),
        ("list_item", "- one\n  more"),
        ("list_item", "- nested"),
        ("list_item", "- two"),
        ("code", "#+BEGIN_SRC python\nx = 1\n\ny = 2\n#+END_SRC"),
        ("heading", "** Sub"),
        ("quote", "#+begin_quote\nOthers' words."),
        ("quote", "More of them.\n#+end_quote"),
        ("table", "| a | b |\n| 1 | 2 |"),
        ("paragraph", "End."),
    ]


def test_org_title_is_the_first_heading_without_keyword(tmp_path: Path) -> None:
    assert read(tmp_path / "x.org", "* TODO [#A] Buy *milk* :home:\ntext").title == "Buy *milk*"


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("2024-05-17-title.md", "2024-05-17"),
        ("20240517.txt", "2024-05-17"),
        ("2024-13-45.md", None),
        ("12345678.md", None),
        ("202405171.md", None),
        ("notes-2024-05-17.md", None),
    ],
)
def test_the_date_that_a_name_begins_with(tmp_path: Path, name: str, date: str | None) -> None:
    assert read(tmp_path / name, "text").date == date


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
    assert read(tmp_path / "x.md", f"---\ndate: {stated}\n---\ntext").date == date


@pytest.mark.parametrize("suffix", ["md", "html", "mbox", "json"])
def test_a_name_that_is_not_utf8(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9." + suffix.encode())
    try:
        path.write_text(
            "From a Fri May 17 10:30:00 2024\n\ntext\n"
            if suffix == "mbox"
            else '[{"id": 1, "text": "text"}]'
        )
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    reader = reader_for(path)
    assert reader is not None
    (document,) = reader(path)
    document.title.encode("utf-8")


def test_readers_by_name(tmp_path: Path) -> None:
    assert reader_for(Path("x.MD")) is reader_for(Path("y.rmd")) is not None
    assert reader_for(Path("README")) is reader_for(Path("a.txt")) is not None
    assert reader_for(Path("a.png")) is None
    assert reader_for(Path("Makefile")) is None
    inbox = tmp_path / "Inbox"
    inbox.write_text("no mail")
    assert reader_for(inbox) is None
    inbox.write_text("From a@example.org Mon Jan  1 00:00:00 2024\n\nx\n")
    assert reader_for(inbox) is reader_for(Path("a.mbox"))


SNIPPETS = """\
# h
- a
  - b
> q
```
    c
---
===
| a |
|-|

* o
#+begin_src
#+end_src
#+begin_quote
::
.. code::
.. note:: x
:Date: y
[a]: b
<div>
+---+
1. n
>>> d
--
:PROPERTIES:
SCHEDULED: <2024-99-99>
`x
|x|_
  def
"""
MARKUP = st.lists(
    st.sampled_from([*SNIPPETS.splitlines(keepends=True), *"\t\x0b\x0c\x85\u2028\x1c"])
    | st.text(max_size=12),
    max_size=25,
).map("".join)


@pytest.mark.parametrize("suffix", [".md", ".txt", ".rst", ".org"])
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
@given(MARKUP)
def test_blocks_are_exact_and_nothing_is_lost(tmp_path: Path, suffix: str, source: str) -> None:
    try:
        document = read(tmp_path / f"any{suffix}", source)
    except UnreadableFile:
        return
    covered = bytearray(len(document.text))
    end = 0
    for block in document.blocks:
        assert end <= block.start < block.end <= len(document.text)
        piece = document.text[block.start : block.end]
        assert piece.strip()
        assert piece.rstrip() == piece
        covered[block.start : block.end] = b"\1" * len(piece)
        end = block.end
    lost = [c for c, seen in zip(document.text, covered, strict=True) if not seen and c.strip()]
    assert not lost
    assert document.title == document.title.strip()


def test_finding_a_reader_imports_no_format_library() -> None:
    script = (
        "import sys; from pathlib import Path; from localpers.corpus.readers import reader_for;"
        "assert reader_for(Path('a.pdf')) and reader_for(Path('a.docx'));"
        "heavy = {'lxml', 'docx', 'docutils', 'orgparse', 'pypdfium2', 'nbformat', 'yaml',"
        "'markdown_it', 'mailparser_reply', 'dateutil', 'charset_normalizer', 'email'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
