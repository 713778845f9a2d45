"""reStructuredText and Org; and of every markup: exact blocks over the text as written."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.datatypes import BlockKind
from localpers.errors import UnreadableFile
from tests.corpus.conftest import pieces, read_text

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
    document = read_text(tmp_path / "x.rst", RST)
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
    document = read_text(tmp_path / "x.rst", source)
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
    document = read_text(tmp_path / "x.org", source)
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
    assert (
        read_text(tmp_path / "x.org", "* TODO [#A] Buy *milk* :home:\ntext").title == "Buy *milk*"
    )


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
        document = read_text(tmp_path / f"any{suffix}", source)
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
