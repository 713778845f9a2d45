"""Encrypted files: round trips, tampering, and files under another name or key."""

from __future__ import annotations

from io import BytesIO

import pytest

from localpers.encryption.keys import KEY_BYTES, MasterKey
from localpers.encryption.stream import CHUNK_BYTES, TAG_BYTES, decrypt_stream, encrypt_stream
from localpers.errors import DamagedFile

KEY = MasterKey(b"k" * KEY_BYTES)


def encrypted(content: bytes, name: str = "name") -> bytes:
    target = BytesIO()
    encrypt_stream(BytesIO(content), target, KEY, name)
    return target.getvalue()


def decrypted(content: bytes, name: str = "name", key: MasterKey = KEY) -> bytes:
    target = BytesIO()
    decrypt_stream(BytesIO(content), target, key, name)
    return target.getvalue()


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 1])
def test_decryption_returns_what_was_encrypted(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert decrypted(encrypted(content)) == content


def test_equal_contents_encrypt_differently() -> None:
    assert encrypted(b"zeppelin") != encrypted(b"zeppelin")
    assert b"zeppelin" not in encrypted(b"zeppelin")


@pytest.mark.parametrize("at", [0, 8, 39, 40, -1])
def test_a_changed_byte_is_refused(at: int) -> None:
    content = bytearray(encrypted(b"zeppelin"))
    content[at] ^= 1
    with pytest.raises(DamagedFile, match="damaged or was modified"):
        decrypted(bytes(content))


def test_truncated_extended_and_reordered_files_are_refused() -> None:
    whole = encrypted(b"a" * CHUNK_BYTES + b"b" * CHUNK_BYTES)
    size = CHUNK_BYTES + TAG_BYTES
    head, one, two = whole[: -2 * size], whole[-2 * size : -size], whole[-size:]
    for content in (b"", head, whole[:-1], whole + b"\0", head + one, head + two + one):
        with pytest.raises(DamagedFile):
            decrypted(content)


def test_another_name_or_key_is_refused() -> None:
    with pytest.raises(DamagedFile):
        decrypted(encrypted(b"zeppelin"), name="other")
    with pytest.raises(DamagedFile):
        decrypted(encrypted(b"zeppelin"), key=MasterKey(b"o" * KEY_BYTES))
