"""A collection's own index, in a folder of its own: built once, resumed after interruptions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from localpers.bench.retrieval.collection import Collection
from localpers.corpus.language import detect_language
from localpers.corpus.passages import split_passages
from localpers.datatypes import Document
from localpers.profile import Profile, make_private
from localpers.retrieval.indexing import Indexer
from localpers.store import Store
from localpers.store.files import StoredFile

Progress = Callable[[int, int], None]
_COMMIT_DOCUMENTS = 500


@contextmanager
def opened_index(
    folder: Path, collection: Collection, on_progress: Progress | None = None
) -> Iterator[Store]:
    """The Store in `folder` with all documents of the collection, whose ids are the files' paths.

    `folder` belongs to this collection alone.
    """
    with Store.open(Profile(collection.name, make_private(folder))) as store:
        indexer = Indexer(store)
        indexer.refresh(on_progress)
        _fill(store, indexer, collection, on_progress)
        yield store


def _fill(
    store: Store, indexer: Indexer, collection: Collection, on_progress: Progress | None
) -> None:
    done = store.documents.totals().files
    if done >= collection.size:
        return
    store.begin()
    try:
        for number, (id, document) in enumerate(collection.documents(), 1):
            if number <= done:
                continue
            _add(store, indexer, id, document)
            if number % _COMMIT_DOCUMENTS == 0:
                store.commit()
                store.begin()
                if on_progress:
                    on_progress(number, collection.size)
        for _ in indexer.settle_languages():
            pass
        store.commit()
    except BaseException:
        store.rollback()
        raise


def _add(store: Store, indexer: Indexer, id: str, document: Document) -> None:
    file = store.files.put(StoredFile(0, id, len(document.text), 0, "", 0, None))
    indexer.add(
        file,
        document,
        split_passages(document),
        date=document.date or "",
        date_from="metadata",
        language=detect_language(document.text, document.blocks),
        content_hash=hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest(),
    )
