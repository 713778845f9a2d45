"""Connections to SQLite: the standard library's, and SQLCipher for encrypted profiles."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BUSY_SECONDS = 30
_MAX_VARIABLES = 500


def connect(database: Path, key: str | None = None) -> Any:
    """Open in autocommit mode: transactions are explicit.

    `key` is SQLCipher's raw key in hexadecimal. Raises one of database_errors().
    """
    if key is not None:
        return connect_cipher(database, key)
    return sqlite3.connect(
        database, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def connect_cipher(database: Path, key: str | None) -> Any:
    """Open with SQLCipher; without a `key` it opens plain databases."""
    import sqlcipher3

    connection = sqlcipher3.connect(
        str(database), timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    # SQLCipher would log errors to stderr.
    connection.execute("PRAGMA cipher_log_level = NONE")
    if key is not None:
        connection.execute(f"PRAGMA key = \"x'{key}'\"")
    return connection


def database_errors() -> tuple[type[Exception], ...]:
    """Exception classes of both engines; SQLCipher's do not derive from sqlite3.Error."""
    cipher = sys.modules.get("sqlcipher3")
    return (sqlite3.Error,) if cipher is None else (sqlite3.Error, cipher.Error)


def is_operational(error: BaseException) -> bool:
    """Whether the cause is the environment (disk, locks), not the database."""
    cipher = sys.modules.get("sqlcipher3")
    return isinstance(error, sqlite3.OperationalError) or (
        cipher is not None and isinstance(error, cipher.OperationalError)
    )


def rows_among(connection: Any, query: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
    """All rows of `query`, whose `IN ({values})` is filled with `values` in batches, because SQLite
    limits the number of variables.
    """
    wanted = list(values)
    rows: list[tuple[Any, ...]] = []
    for at in range(0, len(wanted), _MAX_VARIABLES):
        batch = wanted[at : at + _MAX_VARIABLES]
        marks = ",".join("?" * len(batch))
        rows += connection.execute(query.format(values=marks), batch).fetchall()
    return rows
