"""Store: the database of a profile."""

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
"""Page cache. A memory map would be as fast, but crash if another program truncates the file."""


class Store:
    """Files, documents, passages, vectors and postings of one profile.

    Readers never wait for the writer (WAL). Writers hold `Profile.writing`.
    """

    def __init__(self, connection: Any, path: Path) -> None:
        self._path = path
        self._connection = connection
        self.files = Files(connection)
        self.documents = Documents(connection)
        self.postings = Postings(connection)
        """Text of the passages."""
        self.fields = Postings(connection, "field_postings")
        """Title, headings and tags of each section, under the id of its first passage."""
        self.vectors = Vectors(connection)

    @classmethod
    def open(cls, profile: Profile) -> Store:
        """Open or create the profile's database.

        Raises LocalpersError if it is damaged or was written by a newer version.
        """
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
            # Large sorts would otherwise write text to the system's temporary folder.
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

    @property
    def in_transaction(self) -> bool:
        return bool(self._connection.in_transaction)

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.postings.flush()
        self.fields.flush()
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        self.postings.discard()
        self.fields.discard()
        self._connection.execute("ROLLBACK")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all changes of the block, or roll them back if it raises."""
        self.begin()
        try:
            yield
            self.commit()
        except BaseException:
            self.rollback()
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Reads in the block see one state of the database, whatever is written meanwhile."""
        if self.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("COMMIT")

    def next_index(self, *, empty: bool) -> tuple[Postings, Postings]:
        """(postings, fields) of a new index, built next to the current one until `use_next_index`.

        Requires a transaction; the caller flushes them. `empty` discards a partly built index.
        """
        if empty:
            self.drop_next_index()
            for name in _INDEXES:
                for statement in postings_tables(_NEXT + name):
                    self._connection.execute(statement)
        text, fields = (Postings(self._connection, _NEXT + name) for name in _INDEXES)
        return text, fields

    def drop_next_index(self) -> None:
        for name in _INDEXES:
            for end in POSTINGS_TABLES:
                self._connection.execute(f"DROP TABLE IF EXISTS {_NEXT}{name}{end}")

    def use_next_index(self) -> None:
        """Replace the current index with the new one, within a transaction."""
        for name in _INDEXES:
            for end in POSTINGS_TABLES:
                self._connection.execute(f"DROP TABLE {name}{end}")
                self._connection.execute(f"ALTER TABLE {_NEXT}{name}{end} RENAME TO {name}{end}")
        self.postings.discard()
        self.fields.discard()

    def meta(self, key: str) -> str | None:
        row = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def remove_meta(self, key: str) -> None:
        self._connection.execute("DELETE FROM meta WHERE key = ?", (key,))

    def rewrite(self) -> None:
        """Rewrite the file and truncate its log, so that no deleted byte remains in either.

        Requires that no transaction is open, and free disk space of the file's size. secure_delete
        alone leaves copies of rows that moved between pages. Raises LocalpersError while another
        command reads.
        """
        # VACUUM's copy may exceed the memory and must not go to the system's temporary folder.
        folder = str(self._path.parent).replace("'", "''")
        self._connection.execute(f"PRAGMA temp_store_directory = '{folder}'")
        if self._connection.execute("PRAGMA temp_store_directory").fetchone() is not None:
            self._connection.execute("PRAGMA temp_store = DEFAULT")
        try:
            self._connection.execute("VACUUM")
        finally:
            self._connection.execute("PRAGMA temp_store_directory = ''")
            self._connection.execute("PRAGMA temp_store = MEMORY")
        busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise LocalpersError(
                f"{self._path} is being read, so deleted text is still in its log: wait for the "
                "other command, then run any localpers command to finish."
            )

    def sqlite_version(self) -> str:
        return str(self._connection.execute("SELECT sqlite_version()").fetchone()[0])

    def close(self) -> None:
        self._connection.close()

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
    """The SQLite error with what to do about it."""
    if is_operational(error):
        return LocalpersError(
            f"{path} cannot be used now ({error}): check free disk space and write permission, and "
            "run this again."
        )
    return LocalpersError(
        f"{path} is damaged ({error}): move it away and ingest again. Your own files are unchanged."
    )


def _make_private(database: Path) -> None:
    # SQLite gives its -wal and -shm files the mode of the database.
    database.touch(mode=FILE_MODE, exist_ok=True)
    for file in (database, *(database.with_name(database.name + end) for end in ("-wal", "-shm"))):
        if file.exists() and file.stat().st_mode & 0o177:
            file.chmod(FILE_MODE)
