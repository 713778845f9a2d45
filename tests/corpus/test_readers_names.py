"""File names: the reader that one decides on, the date that one begins with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localpers.corpus.readers import reader_for
from tests.corpus.conftest import read_text


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
    assert read_text(tmp_path / name, "text").date == date


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
