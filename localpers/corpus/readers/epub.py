"""EPUB: the chapters in spine order, each read as HTML."""

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
from localpers.corpus.readers.metadata import built_document, iso_date
from localpers.datatypes import Document
from localpers.errors import UnreadableFile

_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"


def read_epub(path: Path) -> Iterator[Document]:
    """One Document. Raises UnreadableFile if the book is broken, encrypted or without text."""
    with zip_container(path, "epub") as archive:
        try:
            yield _book(path, archive)
        except (UnreadableFile, MemoryError):
            raise
        except Exception as error:  # Zip and XML errors, and missing members or attributes.
            raise UnreadableFile("broken EPUB") from error


def _book(path: Path, archive: ZipFile) -> Document:
    container = _xml(archive.read(_CONTAINER))
    package_path = _all(container, "rootfile")[0].get("full-path")
    package = _xml(archive.read(package_path))
    chapters = _chapters(package, posixpath.dirname(package_path))
    if set(chapters) & _encrypted(archive):
        raise UnreadableFile("encrypted EPUB")
    builder = TextBuilder()
    for chapter in chapters:
        append_html(builder, parse_html(decode(archive.read(chapter))))
    return built_document(
        path, builder, title=_text(package, "title"), date=iso_date(_text(package, "date"))
    )


def _xml(data: bytes) -> Any:
    """Parse XML without expanding entities or fetching anything."""
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    return etree.fromstring(data, parser)


def _all(root: Any, name: str) -> list[Any]:
    return list(root.iter(f"{{*}}{name}"))


def _text(package: Any, name: str) -> str:
    return next((str(element.xpath("string()")) for element in _all(package, name)), "")


def _chapters(package: Any, folder: str) -> list[str]:
    """The archive members named by the spine, in order."""
    hrefs = {item.get("id"): item.get("href") for item in _all(package, "item")}
    spine = [hrefs.get(reference.get("idref")) for reference in _all(package, "itemref")]
    return [posixpath.normpath(posixpath.join(folder, unquote(href))) for href in spine if href]


def _encrypted(archive: ZipFile) -> set[str]:
    if _ENCRYPTION not in archive.namelist():
        return set()
    references = _all(_xml(archive.read(_ENCRYPTION)), "CipherReference")
    return {unquote(reference.get("URI") or "") for reference in references}
