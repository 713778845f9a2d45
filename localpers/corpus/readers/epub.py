"""EPUB: the chapters in the order of the spine, each by the HTML reader."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

from localpers.corpus.readers.archive import zip_container
from localpers.corpus.readers.blocks import TextBuilder
from localpers.corpus.readers.encoding import decode
from localpers.corpus.readers.html import append_html, parse_html
from localpers.corpus.readers.metadata import iso_date, make_document
from localpers.datatypes import Document, Kind
from localpers.errors import UnreadableFile

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


def read_epub(path: Path) -> Iterator[Document]:
    """One Document for the book. Raises UnreadableFile: broken, encrypted, or without text."""
    with zip_container(path, "epub") as archive:
        try:
            yield _book(path, archive)
        except (UnreadableFile, MemoryError):
            raise
        except Exception as error:  # Zip and XML errors, and what a wrong structure leads to.
            raise UnreadableFile("broken EPUB") from error


def _book(path: Path, archive: ZipFile) -> Document:
    container = _xml(archive.read(_CONTAINER))
    package_path = _first(container, "rootfile").get("full-path")
    package = _xml(archive.read(package_path))
    chapters = _chapters(package, posixpath.dirname(package_path))
    if set(chapters) & _encrypted(archive):
        raise UnreadableFile("encrypted EPUB")
    builder = TextBuilder()
    for chapter in chapters:
        append_html(builder, parse_html(decode(archive.read(chapter))))
    if not builder.blocks:
        raise UnreadableFile("no text in it")
    return make_document(
        path,
        builder.text,
        builder.blocks,
        kind=Kind.ARTICLE,
        title=_text(package, "title"),
        date=iso_date(_text(package, "date")),
    )


def _xml(data: bytes) -> Any:
    """The root of an XML document; no entity is expanded and nothing is fetched."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    return etree.fromstring(data, parser)


def _all(root: Any, name: str) -> list[Any]:
    return list(root.iter(f"{{*}}{name}"))


def _first(root: Any, name: str) -> Any:
    return next(root.iter(f"{{*}}{name}"))


def _text(package: Any, name: str) -> str:
    return next((str(element.xpath("string()")) for element in _all(package, name)), "")


def _chapters(package: Any, folder: str) -> list[str]:
    """The members of the archive that the spine names, in its order."""
    hrefs = {item.get("id"): item.get("href") for item in _all(package, "item")}
    spine = [hrefs.get(reference.get("idref")) for reference in _all(package, "itemref")]
    return [posixpath.normpath(posixpath.join(folder, unquote(href))) for href in spine if href]


def _encrypted(archive: ZipFile) -> set[str]:
    if _ENCRYPTION not in archive.namelist():
        return set()
    references = _all(_xml(archive.read(_ENCRYPTION)), "CipherReference")
    return {unquote(reference.get("URI") or "") for reference in references}
