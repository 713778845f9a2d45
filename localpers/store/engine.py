"""The SQLite engines: the standard library's, and SQLCipher for encrypted profiles."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BUSY_SECONDS = 30
_MOST_VARIABLES = 500


def connect(database: Path, key: str | None = None) -> Any:
    """An autocommitting connection: transactions begin and end only where the code says so.

    `key` is SQLCipher's raw key in hexadecimal. Raises one of database_errors().
    """
    if key is not None:
        return connect_cipher(database, key)
    return sqlite3.connect(
        database, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def connect_cipher(database: Path, key: str | None) -> Any:
    """By SQLCipher, which opens plain databases, too, without a `key`."""
    import sqlcipher3

    connection = sqlcipher3.connect(
        str(database), timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    # It would write what it finds wrong to stderr, in lines of its own.
    connection.execute("PRAGMA cipher_log_level = NONE")
    if key is not None:
        connection.execute(f"PRAGMA key = \"x'{key}'\"")
    return connection


def database_errors() -> tuple[type[Exception], ...]:
    """What the engines raise; SQLCipher's errors are no sqlite3.Error."""
    cipher = sys.modules.get("sqlcipher3")
    return (sqlite3.Error,) if cipher is None else (sqlite3.Error, cipher.Error)


def is_operational(error: BaseException) -> bool:
    """Whether the surroundings are to blame (disk, locks), not the database."""
    cipher = sys.modules.get("sqlcipher3")
    return isinstance(error, sqlite3.OperationalError) or (
        cipher is not None and isinstance(error, cipher.OperationalError)
    )


def rows_among(connection: Any, query: str, values: Iterable[Any]) -> list[tuple[Any, ...]]:
    """The rows of `query`, whose `IN ({values})` stands for all of `values`: asked for some hundred
    at a time, as SQLite takes only so many.
    """
    wanted = list(values)
    rows: list[tuple[Any, ...]] = []
    for at in range(0, len(wanted), _MOST_VARIABLES):
        some = wanted[at : at + _MOST_VARIABLES]
        marks = ",".join("?" * len(some))
        rows += connection.execute(query.format(values=marks), some).fetchall()
    return rows
