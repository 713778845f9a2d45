"""The tables. `PRAGMA user_version` is the number of the schema."""

from __future__ import annotations

from typing import Any

POSTINGS_TABLES = ("", "_large", "_lengths")
"""Suffixes of the tables of a BM25 index, after its name."""


def postings_tables(name: str) -> tuple[str, ...]:
    """Statements that create the tables of a BM25 index (format: store.postings)."""
    return (
        f"""CREATE TABLE {name} (
            term TEXT NOT NULL,
            base INTEGER NOT NULL,
            number INTEGER NOT NULL,
            highest_frequency INTEGER NOT NULL,
            shortest INTEGER NOT NULL,
            data BLOB,
            large INTEGER,
            PRIMARY KEY (term, base)
        ) WITHOUT ROWID""",
        f"CREATE TABLE {name}_large (id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
        f"CREATE TABLE {name}_lengths (block INTEGER PRIMARY KEY, data BLOB NOT NULL)",
    )


MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # A path that is not UTF-8 is stored as a BLOB.
        """CREATE TABLE files (
            id INTEGER PRIMARY KEY,
            path UNIQUE NOT NULL,
            size INTEGER NOT NULL,
            mtime_ns INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            reader_version INTEGER NOT NULL,
            skipped TEXT
        )""",
        "CREATE INDEX files_by_sha256 ON files (sha256)",
        # Mail and messages of other authors are searched, but never learned.
        """CREATE TABLE documents (
            id INTEGER PRIMARY KEY,
            file INTEGER NOT NULL REFERENCES files (id) ON DELETE CASCADE,
            part TEXT NOT NULL,
            title TEXT NOT NULL,
            kind TEXT NOT NULL,
            date TEXT NOT NULL,
            date_from TEXT NOT NULL,
            language TEXT NOT NULL,
            tags TEXT NOT NULL,
            content_hash TEXT NOT NULL,
            text TEXT NOT NULL,
            blocks TEXT NOT NULL,
            author TEXT NOT NULL,
            recipients TEXT NOT NULL,
            UNIQUE (file, part)
        )""",
        "CREATE INDEX documents_by_language ON documents (language)",
        "CREATE INDEX documents_by_date ON documents (date)",
        # Passages of a document under the same headings are a section; its id is the first's.
        """CREATE TABLE passages (
            id INTEGER PRIMARY KEY,
            document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
            start INTEGER NOT NULL,
            "end" INTEGER NOT NULL,
            heading TEXT NOT NULL,
            section INTEGER NOT NULL,
            line INTEGER,
            page INTEGER
        )""",
        "CREATE INDEX passages_by_section ON passages (document, section)",
        """CREATE TABLE vectors (
            passage INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE,
            data BLOB NOT NULL
        )""",
        *postings_tables("postings"),
        *postings_tables("field_postings"),
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL)",
    ),
)


def migrate(connection: Any) -> None:
    """Bring an open database to the newest schema, one transaction per migration."""
    applied = connection.execute("PRAGMA user_version").fetchone()[0]
    for number, statements in enumerate(MIGRATIONS[applied:], applied + 1):
        connection.execute("BEGIN IMMEDIATE")
        try:
            # Another process may have migrated while this one waited for the lock.
            if connection.execute("PRAGMA user_version").fetchone()[0] < number:
                for statement in statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
