"""Files built to crash a reader, to keep it busy or to fill the memory: few megabytes, or fewer.

Every function writes one file into a folder and returns its path.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

MEBIBYTE = 1 << 20
CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-'
    'officedocument.wordprocessingml.document.main+xml"/></Types>'
)
RELATIONSHIPS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
    'relationships/officeDocument" Target="word/document.xml"/></Relationships>'
)
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 50}">' for n in range(10))


def zeros(mebibytes: int) -> bytes:
    """`mebibytes` of zeros, deflated."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(MEBIBYTE)) for _ in range(mebibytes)) + packer.flush()


def pdf(folder: Path, name: str, *objects: bytes) -> Path:
    """A PDF of these objects, numbered from 1, of which the first is the catalog."""
    body, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    body += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table) + (
        b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(body))
    )
    path = folder / name
    path.write_bytes(body)
    return path


CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
PAGE = (
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
    b"/Resources << /Font << /F1 4 0 R >> >> /Contents 5 0 R >>"
)


def stream(data: bytes, filters: bytes = b"/FlateDecode") -> bytes:
    return b"<< /Length %d /Filter [%s] >>\nstream\n%s\nendstream" % (len(data), filters, data)


def pdf_counting_pages(folder: Path) -> Path:
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 2000000000 >>"
    text = stream(zlib.compress(b"BT /F1 12 Tf (x) Tj ET"))
    return pdf(folder, "count.pdf", CATALOG, pages, PAGE, FONT, text)


def pdf_of_circles(folder: Path) -> Path:
    pages = b"<< /Type /Pages /Kids [2 0 R 2 0 R 2 0 R] /Count 3 /Parent 2 0 R >>"
    return pdf(folder, "circle.pdf", CATALOG, pages)


def pdf_bomb(folder: Path) -> Path:
    """One page whose content unpacks twice, to a tebibyte."""
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
    twice = stream(zlib.compress(zeros(1024), 9), b"/FlateDecode /FlateDecode")
    return pdf(folder, "bomb.pdf", CATALOG, pages, PAGE, FONT, twice)


def pdf_repeating_a_page(folder: Path) -> Path:
    """A hundred thousand times the same page of ten thousand letters."""
    pages = b"<< /Type /Pages /Kids [%s] /Count 100000 >>" % (b"3 0 R " * 100_000)
    line = b"(%s) Tj 0 -12 Td " % (b"words " * 20)
    text = stream(zlib.compress(b"BT /F1 6 Tf 0 790 Td " + line * 80 + b"ET"))
    return pdf(folder, "repeated.pdf", CATALOG, pages, PAGE, FONT, text)


def pdf_nested(folder: Path) -> Path:
    pages = b"<< /Type /Pages /Kids [3 0 R] /Count 1 /X %s >>" % (b"[" * MEBIBYTE)
    return pdf(folder, "nested.pdf", CATALOG, pages, PAGE, FONT)


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def docx(folder: Path, name: str, body: bytes, prolog: bytes = b"") -> Path:
    document = b'<?xml version="1.0"?>%s<w:document %s><w:body>%s</w:body></w:document>' % (
        prolog,
        WORD.encode(),
        body,
    )
    return zipped(
        folder / name,
        {
            "[Content_Types].xml": CONTENT_TYPES.encode(),
            "_rels/.rels": RELATIONSHIPS.encode(),
            "word/document.xml": document,
        },
    )


def docx_of_laughs(folder: Path) -> Path:
    prolog = f"<!DOCTYPE x [{LAUGHS}]>".encode()
    return docx(folder, "laughs.docx", b"<w:p><w:r><w:t>&l9;</w:t></w:r></w:p>", prolog)


def docx_of_wide_cells(folder: Path) -> Path:
    """A table of one cell that claims to span a billion columns."""
    cell = b'<w:tc><w:tcPr><w:gridSpan w:val="1000000000"/></w:tcPr><w:p/></w:tc>'
    return docx(folder, "wide.docx", b"<w:tbl><w:tr>%s</w:tr></w:tbl>" % cell)


def docx_under_the_limit(folder: Path) -> Path:
    """400 MiB of XML: less than an archive may unpack to, and a tree of many times that."""
    return docx(folder, "large.docx", b"<w:p/>" * (400 * MEBIBYTE // 6))


def docx_in_a_zip_in_a_zip(folder: Path) -> Path:
    inner = zeros(64)
    for depth in range(5):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(f"{depth}-{number}.zip", inner)
        inner = buffer.getvalue()
    path = folder / "nested.docx"
    path.write_bytes(inner)
    return path


def epub(folder: Path, name: str, spine: str, chapter: bytes, prolog: str = "") -> Path:
    return zipped(
        folder / name,
        {
            "META-INF/container.xml": b'<container xmlns="urn:oasis:names:tc:opendocument:xmlns:'
            b'container"><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>',
            "book.opf": (
                f'{prolog}<package xmlns="http://www.idpf.org/2007/opf"><metadata '
                'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>A book</dc:title></metadata>'
                '<manifest><item id="a" href="a.xhtml"/><item id="out" '
                f'href="../../../../../etc/passwd"/></manifest><spine>{spine}</spine></package>'
            ).encode(),
            "a.xhtml": chapter,
            "../../outside.txt": b"escaped",
            "/tmp/outside.txt": b"escaped",
        },
    )


def epub_repeating_a_chapter(folder: Path) -> Path:
    spine = '<itemref idref="a"/>' * 20_000
    return epub(folder, "again.epub", spine, b"<p>%s</p>" % (b"words " * 50_000))


def epub_out_of_bounds(folder: Path) -> Path:
    return epub(folder, "outside.epub", '<itemref idref="out"/>', b"<p>words</p>")


def epub_of_laughs(folder: Path) -> Path:
    prolog = f"<!DOCTYPE package [{LAUGHS}]>"
    chapter = f"<!DOCTYPE html [{LAUGHS}]><html><body><p>&l9; words</p></body></html>"
    return epub(folder, "laughs.epub", '<itemref idref="a"/>', chapter.encode(), prolog)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def html_nested(folder: Path) -> Path:
    return written(folder, "deep.html", "<div>" * 500_000 + "words")


def html_attributes(folder: Path) -> Path:
    attributes = " ".join(f"a{n}=x" for n in range(200_000))
    return written(folder, "attributes.html", f"<p {attributes}>words</p>")


def json_nested(folder: Path) -> Path:
    return written(folder, "deep.json", "[" * MEBIBYTE + "]" * MEBIBYTE)


def json_number(folder: Path) -> Path:
    return written(folder, "number.json", f'[{{"id": {"9" * MEBIBYTE}, "text": "words"}}]')


def notebook_with_outputs(folder: Path) -> Path:
    output = {"output_type": "stream", "name": "stdout", "text": "noise " * MEBIBYTE}
    cells = [
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": 1,
            "source": "print(1)",
            "outputs": [output],
        },
    ]
    whole = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    return written(folder, "loud.ipynb", json.dumps(whole))


def markdown_quotes(folder: Path) -> Path:
    return written(folder, "quotes.md", ("> " * 5000 + "words\n") * 50)


def markdown_lists(folder: Path) -> Path:
    return written(folder, "lists.md", ("- " * 5000 + "words\n") * 50)


def markdown_brackets(folder: Path) -> Path:
    return written(folder, "brackets.md", "# " + "[" * 100_000 + "\n\nwords " + "*a_" * 100_000)


def markdown_line(folder: Path) -> Path:
    return written(folder, "line.md", "words. " * 300_000)


def text_without_a_space(folder: Path) -> Path:
    return written(folder, "solid.txt", "x" * (4 * MEBIBYTE))


def yaml_laughs(folder: Path) -> Path:
    lines = ["a0: &a0 haha"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    matter = "\n".join([*lines, "layout: *a9", "tags: *a9", "title: *a9"])
    return written(folder, "laughs.md", f"---\n{matter}\n---\n\nwords\n")


def yaml_merges(folder: Path) -> Path:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10)]
    return written(folder, "merges.md", "---\n{}\n---\n\nwords\n".format("\n".join(lines)))


def yaml_nested(folder: Path) -> Path:
    return written(folder, "yaml.md", f"---\ntitle: {'[' * 100_000}\n---\n\nwords\n")


def yaml_number(folder: Path) -> Path:
    return written(folder, "number.md", f"---\ntitle: 0x{'F' * 100_000}\n---\n\nwords\n")


def rst_nested(folder: Path) -> Path:
    return written(folder, "deep.rst", "* " * 5000 + "words\n\n.. include:: /etc/passwd\n")


def org_nested(folder: Path) -> Path:
    return written(folder, "deep.org", "\n".join("*" * n + " words" for n in range(1, 1000)))


def mail_nested(folder: Path) -> Path:
    head = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(3000))
    return written(folder, "deep.eml", f"Subject: x\n{head}Content-Type: text/plain\n\nwords\n")


def mbox_malformed(folder: Path) -> Path:
    """A message nested absurdly deep, one of broken headers, and a sound one after them."""
    deep = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(3000))
    return written(
        folder,
        "mail.mbox",
        f"From a@x Mon Jan  1 00:00:00 2024\n{deep}\n\n"
        "From b@x Mon Jan  1 00:00:00 2024\nContent-Type: ;;;=\nDate: 99 Foo -1\n: \n\n\x00\x01\n\n"
        "From c@x Mon Jan  1 00:00:00 2024\nSubject: sound\n\nThe words of the sound one.\n",
    )


HOSTILE: tuple[Callable[[Path], Path], ...] = (
    pdf_counting_pages,
    pdf_of_circles,
    pdf_bomb,
    pdf_repeating_a_page,
    pdf_nested,
    docx_of_laughs,
    docx_of_wide_cells,
    docx_under_the_limit,
    docx_in_a_zip_in_a_zip,
    epub_repeating_a_chapter,
    epub_out_of_bounds,
    epub_of_laughs,
    html_nested,
    html_attributes,
    json_nested,
    json_number,
    notebook_with_outputs,
    markdown_quotes,
    markdown_lists,
    markdown_brackets,
    markdown_line,
    text_without_a_space,
    yaml_laughs,
    yaml_merges,
    yaml_nested,
    yaml_number,
    rst_nested,
    org_nested,
    mail_nested,
    mbox_malformed,
)
