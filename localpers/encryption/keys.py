"""Key hierarchy: the secret and Argon2id (RFC 9106) give the key that wraps a random master key;
HKDF (RFC 5869) derives one key for the database and one for each file from the master key.

A new passphrase only wraps the same master key again; no data is re-encrypted.
"""

from __future__ import annotations

import json
import os
import secrets
import unicodedata
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from localpers.encryption.files import replacing, wipe
from localpers.errors import LocalpersError, WrongSecret

FORMAT = "localpers-encryption-1"
HEADER = "encryption.json"
KEY_BYTES = 32
NONCE_BYTES = 12
LEAST_SALT_BYTES = 8
MEMORY_KIB, ITERATIONS, LANES = 64 << 10, 3, 4
"""Argon2id parameters: the second recommended option in RFC 9106, section 4."""
MOST_MEMORY_KIB = 4 << 20
MOST_ITERATIONS = 1000
MOST_LANES = 64


class State(StrEnum):
    """Progress of `profiles encrypt` and `decrypt`; ENCRYPTED when neither is in progress."""

    ENCRYPTING = "encrypting"
    ENCRYPTED = "encrypted"
    DECRYPTING = "decrypting"


class SecretKind(StrEnum):
    """Source of the secret."""

    PASSPHRASE = "passphrase"
    KEY_FILE = "key file"
    KEYRING = "keyring"


@dataclass(frozen=True, slots=True)
class Derivation:
    """Argon2id parameters."""

    salt: bytes
    memory_kib: int
    iterations: int
    lanes: int

    @classmethod
    def new(cls) -> Self:
        return cls(os.urandom(16), MEMORY_KIB, ITERATIONS, LANES)

    def derive(self, secret: bytes) -> bytes:
        from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

        return Argon2id(
            salt=self.salt,
            length=KEY_BYTES,
            iterations=self.iterations,
            lanes=self.lanes,
            memory_cost=self.memory_kib,
        ).derive(secret)


@dataclass(frozen=True, slots=True)
class MasterKey:
    """32 random bytes from which all other keys are derived."""

    key: bytes = field(repr=False)

    def of_file(self, name: str, salt: bytes) -> bytes:
        """Key for one version of the file `name` (path relative to the profile, with `/`)."""
        return self._derived(salt, b"localpers file\0" + name.encode("utf-8", "surrogateescape"))

    def of_database(self) -> str:
        """Raw key for SQLCipher, in hexadecimal."""
        return self._derived(None, b"localpers database").hex()

    def _derived(self, salt: bytes | None, info: bytes) -> bytes:
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF

        return HKDF(SHA256(), KEY_BYTES, salt, info).derive(self.key)


@dataclass(frozen=True, slots=True)
class Header:
    """Contents of `encryption.json`: everything needed to unlock, except the secret. None of it is
    secret.
    """

    state: State
    kind: SecretKind
    id: str
    """Name of the secret in the platform's keyring."""
    derivation: Derivation
    nonce: bytes
    wrapped: bytes
    """The master key, encrypted by AES-256-GCM with the derived key."""

    @classmethod
    def new(cls, secret: bytes, kind: SecretKind, id: str = "") -> tuple[Self, MasterKey]:
        """A header and a new master key, in state ENCRYPTING."""
        master = MasterKey(os.urandom(KEY_BYTES))
        id = id or secrets.token_hex(8)
        header = cls(State.ENCRYPTING, kind, id, Derivation.new(), b"", b"")
        return header._wrap(master, secret), master

    def unlock(self, secret: bytes) -> MasterKey:
        """Raises WrongSecret."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(self.derivation.derive(secret))
        try:
            return MasterKey(cipher.decrypt(self.nonce, self.wrapped, self._associated_data()))
        except InvalidTag:
            raise WrongSecret(
                f"The {self.kind} does not open this profile: check it and run this again. "
                "Nothing was changed."
            ) from None

    def rewrapped(self, master: MasterKey, secret: bytes, kind: SecretKind, id: str = "") -> Self:
        """A header that wraps `master` with another secret."""
        fresh = replace(self, kind=kind, id=id or secrets.token_hex(8), derivation=Derivation.new())
        return fresh._wrap(master, secret)

    def in_state(self, state: State) -> Self:
        return replace(self, state=state)

    def _wrap(self, master: MasterKey, secret: bytes) -> Self:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(NONCE_BYTES)
        cipher = AESGCM(self.derivation.derive(secret))
        return replace(
            self, nonce=nonce, wrapped=cipher.encrypt(nonce, master.key, self._associated_data())
        )

    def _associated_data(self) -> bytes:
        """Excludes the state, which changes without the secret at hand."""
        parts = self._as_json()
        return json.dumps({key: parts[key] for key in ("format", "kind", "id", "kdf")}).encode()

    def _as_json(self) -> dict[str, Any]:
        derivation = self.derivation
        return {
            "format": FORMAT,
            "state": self.state.value,
            "kind": self.kind.value,
            "id": self.id,
            "kdf": {
                "name": "argon2id",
                "memory_kib": derivation.memory_kib,
                "iterations": derivation.iterations,
                "lanes": derivation.lanes,
                "salt": derivation.salt.hex(),
            },
            "wrapped_key": {"nonce": self.nonce.hex(), "ciphertext": self.wrapped.hex()},
        }

    @classmethod
    def load(cls, root: Path) -> Self | None:
        """The header of the profile in `root`, None if it is not encrypted.

        Raises LocalpersError if the header is damaged or was written by a newer version.
        """
        path = root / HEADER
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["format"] != FORMAT or content["kdf"]["name"] != "argon2id":
                raise ValueError
            kdf, wrapped = content["kdf"], content["wrapped_key"]
            derivation = Derivation(
                bytes.fromhex(kdf["salt"]),
                _within(kdf["memory_kib"], MOST_MEMORY_KIB),
                _within(kdf["iterations"], MOST_ITERATIONS),
                _within(kdf["lanes"], MOST_LANES),
            )
            nonce = bytes.fromhex(wrapped["nonce"])
            if len(derivation.salt) < LEAST_SALT_BYTES or len(nonce) != NONCE_BYTES:
                raise ValueError
            if derivation.memory_kib < 8 * derivation.lanes:
                raise ValueError
            return cls(
                State(content["state"]),
                SecretKind(content["kind"]),
                str(content["id"]),
                derivation,
                nonce,
                bytes.fromhex(wrapped["ciphertext"]),
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise LocalpersError(
                f"{path} is damaged or was written by a newer localpers: restore it from a backup. "
                "Without it the profile cannot be read."
            ) from error

    def save(self, root: Path) -> None:
        """Replace the header and overwrite the previous one."""
        path, previous = root / HEADER, root / f".{HEADER}.before"
        previous.unlink(missing_ok=True)
        if path.exists():
            os.link(path, previous)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(self._as_json(), indent=2) + "\n", encoding="utf-8")
        wipe(previous)


def _within(value: Any, most: int) -> int:
    if not isinstance(value, int) or not 0 < value <= most:
        raise ValueError
    return value


def secret_from_passphrase(passphrase: str) -> bytes:
    """UTF-8 of the passphrase in Unicode form NFC, so that all keyboards give the same bytes.

    Raises LocalpersError if it is empty.
    """
    if not passphrase:
        raise LocalpersError("The passphrase is empty: choose one with several words.")
    return unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogateescape")
