"""The tables and their migrations. `PRAGMA user_version` counts the migrations applied."""

from __future__ import annotations

from typing import Any

POSTINGS_TABLES = ("", "_large", "_lengths")
"""What the tables of one BM25 index are called, after its name."""


def postings_tables(name: str) -> tuple[str, ...]:
    """Create the tables of one BM25 index, in the form that store.postings describes."""
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
        # A path that is not UTF-8 is kept as a BLOB of its bytes.
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
            UNIQUE (file, part)
        )""",
        "CREATE INDEX documents_by_language ON documents (language)",
        "CREATE INDEX documents_by_date ON documents (date)",
        """CREATE TABLE passages (
            id INTEGER PRIMARY KEY,
            document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
            start INTEGER NOT NULL,
            "end" INTEGER NOT NULL,
            heading TEXT NOT NULL,
            line INTEGER,
            page INTEGER
        )""",
        "CREATE INDEX passages_by_document ON passages (document)",
        # One row holds a term's postings for BLOCK_SIZE consecutive passage ids.
        """CREATE TABLE postings (
            term TEXT NOT NULL,
            block INTEGER NOT NULL,
            data BLOB NOT NULL,
            PRIMARY KEY (term, block)
        ) WITHOUT ROWID""",
        "CREATE TABLE lengths (block INTEGER PRIMARY KEY, data BLOB NOT NULL)",
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value NOT NULL)",
    ),
    (
        # Made again from the text by Indexer.refresh, in the form that store.postings describes.
        "DELETE FROM meta WHERE key = 'analysis_version'",
        "DROP TABLE postings",
        "DROP TABLE lengths",
        *postings_tables("postings"),
        *postings_tables("field_postings"),
    ),
    (
        # A vector goes with its passage: nothing that removes passages needs to know of vectors.
        """CREATE TABLE vectors (
            passage INTEGER PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE,
            data BLOB NOT NULL
        )""",
    ),
    (
        # Who wrote a mail or a message: what others wrote is searched, never learned.
        "ALTER TABLE documents ADD COLUMN author TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE documents ADD COLUMN recipients TEXT NOT NULL DEFAULT '[]'",
    ),
    (
        # Passages of a document under the same headings; the first gives its id to all of them.
        "ALTER TABLE passages ADD COLUMN section INTEGER NOT NULL DEFAULT 0",
        "UPDATE passages SET section = first FROM (SELECT MIN(id) AS first, document, heading"
        " FROM passages GROUP BY document, heading) AS s"
        " WHERE s.document = passages.document AND s.heading = passages.heading",
        "DROP INDEX passages_by_document",
        "CREATE INDEX passages_by_section ON passages (document, section)",
    ),
)


def migrate(connection: Any) -> None:
    """Bring an open database up to the newest schema, each migration in its own transaction."""
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
