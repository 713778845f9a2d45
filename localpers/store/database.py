"""Store: a profile's database, opened, private and migrated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from localpers.errors import LocalpersError
from localpers.profile import FILE_MODE, Profile
from localpers.store.documents import Documents
from localpers.store.engine import connect, database_errors, is_operational
from localpers.store.files import Files
from localpers.store.postings import Postings
from localpers.store.schema import MIGRATIONS, POSTINGS_TABLES, migrate, postings_tables
from localpers.store.vectors import Vectors

_INDEXES = ("postings", "field_postings")
_NEXT = "next_"
_CACHE_KIB = 64 << 10
"""At most, of what was read lately. A memory map would be as fast, but the process would be killed
where another program cuts the file short.
"""


class Store:
    """Documents, passages and postings of one profile; readers never wait for the writer (WAL).

    Writers hold `Profile.writing` besides; `transaction` makes a change visible whole or not.
    """

    def __init__(self, connection: Any, path: Path) -> None:
        import sqlite_utils

        self._path = path
        self.db: Any = sqlite_utils.Database(connection)
        self.files = Files(self.db)
        self.documents = Documents(self.db)
        self.postings = Postings(self.db)
        """Of the passages' text."""
        self.fields = Postings(self.db, "field_postings")
        """Of title, headings and tags, by section: under the id of its first passage."""
        self.vectors = Vectors(self.db)

    @classmethod
    def open(cls, profile: Profile) -> Store:
        """Open or create the profile's database. Raises LocalpersError where it is no database."""
        _make_private(profile.database)
        vault = profile.vault
        try:
            connection = connect(profile.database, vault.database_key if vault else None)
        except database_errors() as error:
            raise _explained(error, profile.database) from error
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA secure_delete = ON")
            # What does not fit while sorting would go to the system's temporary folder.
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > len(MIGRATIONS):
                raise LocalpersError(
                    f"{profile.database} was written by a newer localpers: upgrade localpers."
                )
            migrate(connection)
        except database_errors() as error:
            connection.close()
            raise _explained(error, profile.database) from error
        except BaseException:
            connection.close()
            raise
        return cls(connection, profile.database)

    def begin(self) -> None:
        self.db.conn.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.postings.flush()
        self.fields.flush()
        self.db.conn.execute("COMMIT")

    def rollback(self) -> None:
        self.postings.discard()
        self.fields.discard()
        self.db.conn.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside becomes visible at once, or nothing of it."""
        self.begin()
        try:
            yield
            self.commit()
        except BaseException:
            self.rollback()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """What is read inside is one state of the database, whatever a writer does meanwhile."""
        if self.db.conn.in_transaction:
            yield
            return
        self.db.conn.execute("BEGIN")
        try:
            yield
        finally:
            self.db.conn.execute("COMMIT")

    def next_index(self, *, empty: bool) -> tuple[Postings, Postings]:
        """(postings, fields) that grow beside those in use until `use_next_index`; flush them.

        Inside a transaction. `empty` throws away what there was of them.
        """
        if empty:
            self.drop_next_index()
            for name in _INDEXES:
                for statement in postings_tables(_NEXT + name):
                    self.db.conn.execute(statement)
        text, fields = (Postings(self.db, _NEXT + name) for name in _INDEXES)
        return text, fields

    def drop_next_index(self) -> None:
        for name in _INDEXES:
            for end in POSTINGS_TABLES:
                self.db.conn.execute(f"DROP TABLE IF EXISTS {_NEXT}{name}{end}")

    def use_next_index(self) -> None:
        """Put the next index in the place of the one in use, inside a transaction."""
        for name in _INDEXES:
            for end in POSTINGS_TABLES:
                self.db.conn.execute(f"DROP TABLE {name}{end}")
                self.db.conn.execute(f"ALTER TABLE {_NEXT}{name}{end} RENAME TO {name}{end}")
        self.postings.discard()
        self.fields.discard()

    def meta(self, key: str) -> str | None:
        row = self.db.conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        self.db["meta"].insert({"key": key, "value": value}, pk="key", replace=True)

    def remove_meta(self, key: str) -> None:
        self.db.conn.execute("DELETE FROM meta WHERE key = ?", (key,))

    def rewrite(self) -> None:
        """Write the file anew and empty its log: of what was removed no byte stays in either.

        Outside of a transaction; takes the file's size of disk for a while, beside the file.
        secure_delete alone leaves copies where rows moved from page to page. Raises LocalpersError
        while another command reads.
        """
        # The new file may be too large for the memory, but is not for the temporary folder of all.
        folder = str(self._path.parent).replace("'", "''")
        self.db.conn.execute(f"PRAGMA temp_store_directory = '{folder}'")
        if self.db.conn.execute("PRAGMA temp_store_directory").fetchone() is not None:
            self.db.conn.execute("PRAGMA temp_store = DEFAULT")
        try:
            self.db.conn.execute("VACUUM")
        finally:
            self.db.conn.execute("PRAGMA temp_store_directory = ''")
            self.db.conn.execute("PRAGMA temp_store = MEMORY")
        busy, *_ = self.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise LocalpersError(
                f"{self._path} is being read, so what was removed is still in its log: wait for "
                "the other command, then run any command of localpers to finish."
            )

    def sqlite_version(self) -> str:
        return str(self.db.conn.execute("SELECT sqlite_version()").fetchone()[0])

    def close(self) -> None:
        self.db.conn.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        if isinstance(error, database_errors()):
            raise _explained(error, self._path) from error


def _explained(error: Exception, path: Path) -> LocalpersError:
    """What SQLite complains of, and what to do about it."""
    if is_operational(error):
        return LocalpersError(
            f"{path} cannot be used now ({error}): check that the disk is not full and that you "
            "may write there, and run this again."
        )
    return LocalpersError(
        f"{path} is damaged ({error}): move it away and ingest again; your own files are untouched."
    )


def _make_private(database: Path) -> None:
    # SQLite gives its -wal and -shm files the mode of the database itself.
    database.touch(mode=FILE_MODE, exist_ok=True)
    for file in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
        if file.exists() and file.stat().st_mode & 0o177:
            file.chmod(FILE_MODE)
