"""One SQLite file per profile: documents, passages, vectors and the BM25 index. All SQL is here."""

from localpers.store.database import Store

__all__ = ["Store"]
