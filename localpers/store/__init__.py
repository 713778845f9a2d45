"""One SQLite file per profile: documents, passages and the BM25 index. SQL lives here alone."""

from localpers.store.database import Store

__all__ = ["Store"]
