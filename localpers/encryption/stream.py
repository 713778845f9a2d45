"""A file in authenticated chunks: STREAM (Hoang, Reyhanitabar, Rogaway and Vizar, "Online
Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015) over AES-256-GCM, in the
layout of age's payload.

Modified, reordered, missing or truncated chunks fail to decrypt, and so does a renamed file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from localpers.encryption.keys import MasterKey
from localpers.errors import DamagedFile

MAGIC = b"LPENC\x00\x01\n"
SALT_BYTES = 32
CHUNK_BYTES = 1 << 20
TAG_BYTES = 16
_COUNTER_BYTES = 11


def encrypt_stream(source: BinaryIO, target: BinaryIO, key: MasterKey, name: str) -> None:
    """Encrypt `source` into `target`; the result decrypts only under the same `name`."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt = os.urandom(SALT_BYTES)
    cipher = AESGCM(key.of_file(name, salt))
    target.write(MAGIC + salt)
    for nonce, chunk in _numbered(source, CHUNK_BYTES):
        target.write(cipher.encrypt(nonce, chunk, None))


def decrypt_stream(source: BinaryIO, target: BinaryIO, key: MasterKey, name: str) -> None:
    """Decrypt `source` into `target`; each chunk is verified before it is written.

    Raises DamagedFile, in which case `target` is incomplete.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    head = source.read(len(MAGIC) + SALT_BYTES)
    if len(head) < len(MAGIC) + SALT_BYTES or not head.startswith(MAGIC):
        raise _damaged(name)
    cipher = AESGCM(key.of_file(name, head[len(MAGIC) :]))
    try:
        for nonce, chunk in _numbered(source, CHUNK_BYTES + TAG_BYTES):
            target.write(cipher.decrypt(nonce, chunk, None))
    except InvalidTag:
        raise _damaged(name) from None


def _numbered(source: BinaryIO, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield (nonce, chunk). The nonce is a counter and a flag for the last chunk; an empty file has
    one empty chunk.
    """
    number, chunk = 0, source.read(size)
    while True:
        following = source.read(size)
        last = not following
        yield number.to_bytes(_COUNTER_BYTES, "big") + bytes([last]), chunk
        if last:
            return
        number, chunk = number + 1, following


def _damaged(name: str) -> DamagedFile:
    return DamagedFile(
        f"The encrypted file {name} is damaged or was modified: restore it from a backup, or "
        "remove it."
    )
