"""Files that crash their reader, keep it busy or fill the memory cost themselves alone."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from localpers.corpus import sync
from localpers.corpus.isolation import IsolatedReader, Limits
from localpers.corpus.readers import Reader, reader_for
from localpers.datatypes import Document
from localpers.errors import UnreadableFile
from tests import hostile_files
from tests.conftest import CommandLine, write
from tests.corpus.test_readers_containers import pdf_bytes, write_docx

TIGHT = Limits(cpu_seconds=2, memory=768 << 20)
SOUND = "The lighthouse was lit at dusk."


@pytest.fixture(autouse=True)
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "IsolatedReader", partial(IsolatedReader, TIGHT))


@pytest.fixture
def treacherous_pdfium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pypdfium2 in the child's way that does what the file says."""
    module = """
import os, signal
class PdfiumError(Exception): ...
class PdfDocument:
    def __init__(self, file):
        order = file.read().split()[1].decode()
        print(order, flush=True)
        if order == "loop":
            while True: pass
        if order == "fill":
            x = [bytes(1 << 20) for _ in range(1 << 20)]
        if order == "write":
            with open(__file__ + ".written", "wb") as file:
                file.write(b"x" * 100)
        if order.startswith("SIG"):
            os.kill(os.getpid(), getattr(signal, order))
        os._exit(3)
"""
    write(tmp_path / "modules", {"pypdfium2.py": module})
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "modules"))


def read(isolated: IsolatedReader, path: Path) -> list[Document]:
    reader = reader_for(path)
    assert reader is not None
    return list(isolated.read(reader, path))


def skipped(report: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {Path(file["path"]).name: file["reason"] for file in report["skipped"]}


def readers() -> list[psutil.Process]:
    """Other tests in this process may have left children of their own."""
    children = psutil.Process().children()
    return [child for child in children if any("reader_process" in x for x in child.cmdline())]


def test_the_child_reads_what_the_parent_would(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf_bytes("First page", "Third", info="/Title (Of it)"))
    write_docx(tmp_path / "b.docx")
    write(tmp_path, {"c.html": "<h1>Title</h1><p>Text \N{SNOWMAN}", "d.org": "* Head\n- item\n"})
    mail = "From a@x Mon Jan  1 00:00:00 2024\nMessage-ID: <{0}>\nSubject: {0}\n\nWords {0}.\n\n"
    (tmp_path / "e.mbox").write_text(mail.format(1) + mail.format(2))
    with IsolatedReader() as isolated:
        for path in sorted(tmp_path.iterdir()):
            reader = reader_for(path)
            assert reader is not None
            assert read(isolated, path) == list(reader(path))
        assert len(readers()) == 1
    assert readers() == []


def test_simple_short_files_need_no_child(tmp_path: Path) -> None:
    write(tmp_path, {"a.md": "# Note\n\nWords.", "b.txt": "Words."})
    with IsolatedReader() as isolated:
        read(isolated, tmp_path / "a.md")
        read(isolated, tmp_path / "b.txt")
        assert readers() == []


@pytest.mark.usefixtures("treacherous_pdfium")
def test_a_crash_a_loop_and_a_flood_are_one_reason_each(tmp_path: Path, cli: CommandLine) -> None:
    orders = ("SIGSEGV", "SIGABRT", "SIGBUS", "loop", "fill", "write", "exit")
    notes = write(tmp_path / "notes", {f"{order}.pdf": f"%PDF {order} x" for order in orders})
    write(notes, {"sound.html": f"<p>{SOUND}", "sound.md": SOUND})
    outcome = cli("ingest", notes, "--json")
    assert (outcome.code, outcome.json["added"]) == (0, 2)
    assert skipped(outcome.json) == {
        "SIGSEGV.pdf": "crashes its reader",
        "SIGABRT.pdf": "crashes its reader",
        "SIGBUS.pdf": "crashes its reader",
        "loop.pdf": "takes too long to read",
        "fill.pdf": "takes too much memory to read",
        "write.pdf": "file too large",
        "exit.pdf": "crashes its reader",
    }
    assert len(cli("search", "lighthouse", "--retriever", "bm25", "--json").json) == 2
    began = time.process_time()
    again = cli("ingest", notes, "--json").json
    assert skipped(again) == skipped(outcome.json) and again["unchanged"] == 2
    assert time.process_time() - began < TIGHT.cpu_seconds, "a hostile file was read again"


def test_a_child_killed_between_two_documents_ends_the_file(tmp_path: Path) -> None:
    mail = "From a@x Mon Jan  1 00:00:00 2024\nMessage-ID: <{0}>\n\n{1}.\n\n"
    words = "Words " * 20_000
    write(tmp_path, {"a.mbox": "".join(mail.format(n, words) for n in range(50))})
    write(tmp_path, {"b.html": SOUND})
    reader = reader_for(tmp_path / "a.mbox")
    assert reader is not None
    with IsolatedReader() as isolated:
        documents = isolated.read(reader, tmp_path / "a.mbox")
        next(documents)
        (child,) = readers()
        os.kill(child.pid, signal.SIGSEGV)
        with pytest.raises(UnreadableFile, match="crashes its reader"):
            list(documents)
        (document,) = read(isolated, tmp_path / "b.html")
        assert document.text == SOUND


@pytest.mark.timeout(900)
def test_hostile_files_cost_themselves_alone(tmp_path: Path, cli: CommandLine) -> None:
    notes = write(tmp_path / "notes", {"sound.md": SOUND, "zz.html": f"<p>{SOUND}"})
    for make in hostile_files.HOSTILE:
        make(notes)
    outcome = cli("ingest", notes, "--json")
    assert outcome.code == 0, outcome.err
    reasons = skipped(outcome.json)
    assert all(len(reason) < 80 and "\n" not in reason for reason in reasons.values())
    assert {"bomb.pdf", "repeated.pdf", "wide.docx", "large.docx", "again.epub"} <= set(reasons)
    assert {
        Path(hit["path"]).name
        for hit in cli("search", "lighthouse", "--retriever", "bm25", "--json").json
    } == {
        "sound.md",
        "zz.html",
    }
    (hit,) = cli("search", "sound one", "-k", 1, "--json").json
    assert hit["path"].endswith("mail.mbox"), "one malformed mail took the others with it"
    for secret in ("root:", "escaped", "hahaha"):
        found = cli("search", secret, "--json").json
        assert not any(secret in hit["text"] for hit in found)
    assert not Path("/tmp/outside.txt").exists()
    again = cli("ingest", notes, "--json").json
    assert (again["added"], again["updated"]) == (0, 0)
    assert skipped(again) == reasons


def test_what_is_no_file_never_blocks(tmp_path: Path, cli: CommandLine) -> None:
    notes = write(tmp_path / "notes", {"sound.md": SOUND, "sub/.gitignore": ""})
    os.mkfifo(notes / "pipe.md")
    os.mkfifo(notes / ".gitignore")
    os.mkfifo(notes / "inbox")
    (notes / "sub/.gitignore").unlink()
    (notes / "sub/.gitignore").symlink_to("/dev/zero")
    (notes / "device.txt").symlink_to("/dev/zero")
    (notes / "loop").symlink_to(notes)
    (notes / "self.md").symlink_to(notes / "self.md")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(notes / "s.md"))
        outcome = cli("ingest", notes, "--json")
    assert (outcome.code, outcome.json["added"]) == (0, 1)
    assert set(skipped(outcome.json)) == {".gitignore", "self.md"}
    assert cli("ingest", notes / "pipe.md", "--json").json["skipped"][0]["reason"] == (
        "not a regular file"
    )


def test_folders_within_folders_end_somewhere(tmp_path: Path, cli: CommandLine) -> None:
    notes = write(tmp_path / "n", {"sound.md": SOUND})
    deep = notes
    for _ in range(700):
        deep /= "d"
    deep.mkdir(parents=True)
    outcome = cli("ingest", notes, "--json")
    assert (outcome.code, outcome.json["added"]) == (0, 1)
    assert [file["reason"] for file in outcome.json["skipped"]] == ["folders nested too deep"]


def test_a_file_that_changes_while_it_is_read_is_read_again(
    tmp_path: Path, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = write(tmp_path / "notes", {"a.md": "The first words."})
    read_as_usual = IsolatedReader.read

    def meanwhile(self: IsolatedReader, reader: Reader, path: Path) -> Iterator[Document]:
        documents = list(read_as_usual(self, reader, path))
        path.write_text("Other words, and more of them, came meanwhile.")
        return iter(documents)

    with monkeypatch.context() as patched:
        patched.setattr(IsolatedReader, "read", meanwhile)
        assert cli("ingest", notes, "--json").json["added"] == 1
    assert cli("ingest", notes, "--json").json["updated"] == 1
    assert cli("search", "meanwhile", "--json").json != []


@pytest.mark.parametrize(
    "name",
    [
        "new\nline.md",
        "\x1b]0;title\x07.md",
        b"not-utf8-\xff\xfe.md",
        "-rf.md",
        "--help.md",
        "'; DROP TABLE documents; --.md",
        "\u202egpj.md",
        "%s%n.md",
        "a" * 250 + ".md",
    ],
)
def test_strange_names_are_read_and_shown_harmless(
    tmp_path: Path, cli: CommandLine, name: str | bytes
) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    path = folder / os.fsdecode(name)
    path.write_text(SOUND)
    assert cli("ingest", folder, "--json").json["added"] == 1
    assert cli("ingest", folder).out.startswith("0 added")
    (hit,) = cli("search", "lighthouse", "--retriever", "bm25", "--json").json
    assert hit["text"] == SOUND
    shown = cli("search", "lighthouse")
    assert shown.code == 0
    assert not any(character in shown.out for character in "\x1b\x07\u202e")
    assert len(shown.out.splitlines()) == 3, "a name makes no line of its own"
