"""HTML, PDF, DOCX, EPUB and notebooks: real files, whole and broken."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from localpers.corpus.readers import reader_for
from localpers.datatypes import Document, Kind
from localpers.errors import UnreadableFile
from tests.corpus.conftest import pieces


def read(path: Path) -> Document:
    reader = reader_for(path)
    assert reader is not None
    (document,) = reader(path)
    return document


HTML = """\
<!DOCTYPE html><html><head><title>Page &amp; title</title>
<meta property="article:published_time" content="2024-05-17T10:00:00Z">
<style>p { color: red }</style></head><body>
<nav><a href="/">Home</a></nav>
<h1>Big   <em>heading</em></h1>
<p>One <b>bold</b>
word.<br>Next line</p>
Loose text
<ul><li>first<ul><li>nested</li></ul></li><li><p>second</p></li></ul>
<blockquote><p>Their words</p><ul><li>theirs too</li></ul></blockquote>
<pre>def f():
    return 1</pre>
<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
<table><tr><td><p>laid out</p></td><td><p>in a table</p></td></tr></table>
<!-- a comment --><script>alert(1)</script>
</body></html>
"""


def test_html(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(HTML)
    document = read(path)
    assert (document.title, document.date, document.kind, document.first_line) == (
        "Page & title",
        "2024-05-17T10:00:00+00:00",
        Kind.ARTICLE,
        None,
    )
    assert pieces(document) == [
        ("heading", "Big heading"),
        ("paragraph", "One bold word.\nNext line"),
        ("paragraph", "Loose text"),
        ("list_item", "first"),
        ("list_item", "nested"),
        ("list_item", "second"),
        ("quote", "Their words"),
        ("quote", "theirs too"),
        ("code", "def f():\n    return 1"),
        ("table", "a | b\n1 | 2"),
        ("paragraph", "laid out"),
        ("paragraph", "in a table"),
    ]


def test_html_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    path = tmp_path / "page.htm"
    path.write_bytes('<meta charset="windows-1251"><p>Привет, мир</p>'.encode("cp1251"))
    assert read(path).text == "Привет, мир"
    path.write_bytes('<meta charset="ascii"><p>größer</p>'.encode())
    assert read(path).text == "größer"
    path.write_bytes('<meta charset="iso-8859-1"><p>“größer”</p>'.encode("cp1252"))
    assert read(path).text == "“größer”"
    path.write_bytes('<?xml version="1.0" encoding="utf-16"?><p>größer</p>'.encode("utf-16"))
    assert read(path).text == "größer"


def test_html_nested_absurdly_deep_is_read(tmp_path: Path) -> None:
    path = tmp_path / "deep.html"
    path.write_text("<div>" * 1500 + "words" + "</div>" * 1500)
    assert read(path).text == "words"


def test_html_without_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<html><body><script>x()</script></body></html>")
    with pytest.raises(UnreadableFile, match="no text"):
        read(path)


def pdf_bytes(*pages: str, info: str = "") -> bytes:
    """A minimal PDF with a correct cross-reference table; each page shows lines of text."""
    count = len(pages)
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(count))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {count} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, page in enumerate(pages):
        shown = " ".join(f"({line}) Tj 0 -20 Td" for line in page.split("\n") if line)
        stream = f"BT /F1 12 Tf 72 720 Td {shown} ET"
        objects += [
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Resources << /Font << /F1 3 0 R >> >> /Contents {5 + 2 * number} 0 R >>",
            f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        ]
    objects.append(f"<< {info} >>")
    body = b"%PDF-1.4\n"
    offsets = []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{content}\nendobj\n".encode("latin-1")
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    size = len(objects) + 1
    trailer = (
        f"xref\n0 {size}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {size} /Root 1 0 R /Info {size - 1} 0 R >>\n"
        f"startxref\n{len(body)}\n%%EOF\n"
    )
    return body + trailer.encode("latin-1")


def test_pdf(tmp_path: Path) -> None:
    path = tmp_path / "paper.pdf"
    info = "/Title (The paper) /CreationDate (D:20240517103000+02'00')"
    path.write_bytes(pdf_bytes("First page\nsecond line", "", "Third page", info=info))
    document = read(path)
    assert document.text == "First page\nsecond line\n\nThird page"
    assert (document.title, document.date, document.kind, document.first_line) == (
        "The paper",
        "2024-05-17T10:30:00+02:00",
        Kind.ARTICLE,
        None,
    )
    assert len(document.pages) == 3
    assert document.pages[0] == 0
    assert document.text[document.pages[2] :] == "Third page"
    assert [document.text[b.start : b.end] for b in document.blocks] == [
        "First page\nsecond line",
        "Third page",
    ]


def test_broken_pdfs_have_reasons(tmp_path: Path) -> None:
    path = tmp_path / "x.pdf"
    whole = pdf_bytes("Some text")
    for content, reason in (
        (whole[: len(whole) // 4], "broken PDF"),
        (b"not a PDF at all", "broken PDF"),
        (pdf_bytes("", ""), "PDF without a text layer"),
        (b"", "empty"),
    ):
        path.write_bytes(content)
        with pytest.raises(UnreadableFile, match=f"^{reason}$"):
            read(path)


def test_an_encrypted_pdf_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.pdf"
    encryption = (
        f"/Filter /Standard /V 1 /R 2 /P -4 /O <{'00' * 32}> /U <{'11' * 32}>"  # nobody's password
    )
    content = pdf_bytes("Some text", info=encryption)
    size = content.rindex(b"/Info")
    encrypted = content[:size] + content[size:].replace(
        b">>", f"/Encrypt 6 0 R /ID [<{'22' * 16}><{'22' * 16}>] >>".encode(), 1
    )
    path.write_bytes(encrypted)
    with pytest.raises(UnreadableFile, match=r"^encrypted PDF$"):
        read(path)


def write_docx(path: Path) -> None:
    import docx

    document = docx.Document()
    document.core_properties.title = ""
    document.core_properties.created = datetime(2024, 5, 17, 10, 30)
    document.add_heading("The letter", level=1)
    document.add_paragraph("Dear reader,")
    document.add_paragraph("one", style="List Bullet")
    document.add_paragraph("two", style="List Number")
    document.add_paragraph("Their words", style="Quote")
    table = document.add_table(rows=2, cols=2)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"c{number}"
    table.rows[1].cells[0].merge(table.rows[1].cells[1])
    document.add_paragraph("After the table")
    document.save(str(path))


def test_docx(tmp_path: Path) -> None:
    path = tmp_path / "letter.docx"
    write_docx(path)
    document = read(path)
    assert (document.title, document.date) == ("The letter", "2024-05-17T10:30:00+00:00")
    assert document.kind is Kind.ARTICLE
    assert pieces(document) == [
        ("heading", "The letter"),
        ("paragraph", "Dear reader,"),
        ("list_item", "one"),
        ("list_item", "two"),
        ("quote", "Their words"),
        ("table", "c0 | c1\nc2 c3"),
        ("paragraph", "After the table"),
    ]
    assert document.blocks[0].level == 1


def write_epub(path: Path, **extra: str) -> None:
    chapter = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>'
        "<body><h1>{}</h1><p>Text&nbsp;of {}.</p></body></html>"
    )
    members = {
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
        'container"><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>',
        "OEBPS/book.opf": '<!DOCTYPE p [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>A book &e;</dc:title>'
        "<dc:date>2024-05-17</dc:date></metadata><manifest>"
        '<item id="b" href="two.xhtml"/><item id="a" href="text/one%20.xhtml"/></manifest>'
        '<spine><itemref idref="a"/><itemref idref="missing"/><itemref idref="b"/></spine>'
        "</package>",
        "OEBPS/two.xhtml": chapter.format("Two", "two"),
        "OEBPS/text/one .xhtml": chapter.format("One", "one"),
        **extra,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_epub(tmp_path: Path) -> None:
    path = tmp_path / "book.epub"
    write_epub(path)
    document = read(path)
    assert (document.title, document.date, document.kind) == (
        "A book",
        "2024-05-17",
        Kind.ARTICLE,
    )
    assert pieces(document) == [
        ("heading", "One"),
        ("paragraph", "Text of one."),
        ("heading", "Two"),
        ("paragraph", "Text of two."),
    ]


def test_an_encrypted_epub_says_so(tmp_path: Path) -> None:
    path = tmp_path / "book.epub"
    encryption = (
        '<encryption xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:CipherData>'
        '<enc:CipherReference URI="OEBPS/two.xhtml"/></enc:CipherData></encryption>'
    )
    write_epub(path, **{"META-INF/encryption.xml": encryption})
    with pytest.raises(UnreadableFile, match=r"^encrypted EPUB$"):
        read(path)


@pytest.mark.parametrize(("suffix", "write"), [("docx", write_docx), ("epub", write_epub)])
def test_truncated_containers_have_reasons(tmp_path: Path, suffix: str, write: object) -> None:
    path = tmp_path / f"x.{suffix}"
    assert callable(write)
    write(path)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[60:200] = b"\0" * 140
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("some.txt", "no document")
    other = (tmp_path / "other.zip").read_bytes()
    for content in (whole[: len(whole) // 2], b"no zip", other, bytes(flipped)):
        path.write_bytes(content)
        with pytest.raises(UnreadableFile, match=f"^broken {suffix.upper()}$"):
            read(path)


@pytest.mark.parametrize("suffix", ["docx", "epub"])
def test_a_zip_bomb_is_refused_unread(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("bomb.xml", "w", force_zip64=True) as member,
    ):
        for _ in range(520):
            member.write(bytes(1024 * 1024))
    with pytest.raises(UnreadableFile, match="unpacks to more than"):
        read(path)


def test_notebook(tmp_path: Path) -> None:
    path = tmp_path / "x.ipynb"
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# My *title*\n", "\n", "- item"]},
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": 1,
            "source": "  x = 1",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "noise"}],
        },
        {"cell_type": "raw", "metadata": {}, "source": "raw text"},
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    path.write_text(json.dumps(notebook))
    document = read(path)
    assert (document.title, document.kind, document.date) == ("My title", Kind.NOTE, None)
    assert pieces(document) == [
        ("heading", "# My *title*"),
        ("list_item", "- item"),
        ("code", "  x = 1"),
        ("paragraph", "raw text"),
    ]


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"nbformat": 4, "cells": [1]}', '{"nbformat": 99, "cells": []}', "text"],
)
def test_a_broken_notebook_says_so_and_logs_nothing(
    tmp_path: Path, content: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.ipynb"
    path.write_text(content)
    with pytest.raises(UnreadableFile, match=r"broken notebook|no text"):
        read(path)
    assert capfd.readouterr() == ("", "")
