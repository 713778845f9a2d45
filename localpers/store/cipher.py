"""Encrypt and decrypt a database file with SQLCipher's export."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from localpers.encryption.files import wipe
from localpers.errors import LocalpersError
from localpers.profile import FILE_MODE
from localpers.store.engine import connect_cipher, database_errors

_PLAIN_MAGIC = b"SQLite format 3\0"
_SIDE_FILES = ("-wal", "-shm", "-journal")


def is_plain(database: Path) -> bool:
    """Whether the database is not encrypted."""
    with database.open("rb") as file:
        return file.read(len(_PLAIN_MAGIC)) == _PLAIN_MAGIC


def encrypt_database(database: Path, key: str) -> None:
    """Encrypt with SQLCipher's raw key; resumes an interrupted call. Raises LocalpersError."""
    _convert(database, key, encrypting=True)


def decrypt_database(database: Path, key: str) -> None:
    """Inverse of encrypt_database."""
    _convert(database, key, encrypting=False)


def _convert(database: Path, key: str, *, encrypting: bool) -> None:
    """The new file is complete and verified before it replaces the old one, which a hard link keeps
    reachable, so that it can be overwritten.
    """
    new = database.with_name(f"{database.name}.new")
    old = database.with_name(f"{database.name}.old")
    for leftover in (new, *(new.with_name(new.name + end) for end in _SIDE_FILES)):
        wipe(leftover)
    if not database.exists() or not database.stat().st_size:
        database.unlink(missing_ok=True)
    elif is_plain(database) is encrypting:
        old.unlink(missing_ok=True)  # A second name of the current file.
        _export(database, new, key, encrypting)
        os.link(database, old)
        new.replace(database)
    wipe(old)
    for end in _SIDE_FILES:
        wipe(database.with_name(database.name + end))


def _export(database: Path, new: Path, key: str, encrypting: bool) -> None:
    new.touch(mode=FILE_MODE)
    new_key = f"\"x'{key}'\"" if encrypting else "''"
    try:
        connection = connect_cipher(database, None if encrypting else key)
        try:
            _merge_log(connection, database)
            connection.execute(f"ATTACH DATABASE ? AS target KEY {new_key}", (str(new),))
            connection.execute("SELECT sqlcipher_export('target')").fetchall()
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(f"PRAGMA target.user_version = {version}")
            tables = _tables(connection)
            connection.execute("DETACH DATABASE target")
        finally:
            connection.close()
        check = connect_cipher(new, key if encrypting else None)
        try:
            if (
                _tables(check) != tables
                or check.execute("PRAGMA quick_check").fetchone()[0] != "ok"
            ):
                raise LocalpersError(f"{new} failed verification: check the disk and try again.")
        finally:
            check.close()
    except database_errors() as error:
        raise LocalpersError(
            f"{database} cannot be converted ({error}): check that the disk is not full, and run "
            "this again to resume."
        ) from error
    with new.open("rb") as file:
        os.fsync(file.fileno())


def _merge_log(connection: Any, database: Path) -> None:
    """Merge the write-ahead log into the database. Raises LocalpersError if it is in use."""
    try:
        mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
    except database_errors() as error:
        if "locked" not in str(error):
            raise
        mode = "locked"
    if mode != "delete":
        raise LocalpersError(
            f"{database} is in use by another localpers command: wait for it to finish, and run "
            "this again."
        )


def _tables(connection: Any) -> dict[str, int]:
    """Table name → number of rows."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {
        name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        for (name,) in names
    }
