"""Encrypt and decrypt a profile, and change its secret.

Every step can be repeated: running an interrupted command again finishes it. Until then no other
command opens the profile (Profile.open).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from localpers.encryption.files import wipe
from localpers.encryption.keys import HEADER, Header, MasterKey, SecretKind, State
from localpers.encryption.memory import memory_place, require_support
from localpers.encryption.vault import (
    ENCRYPTED,
    decrypt_file,
    encrypt_file,
    is_temporary,
    kept_files,
)
from localpers.errors import LocalpersError
from localpers.profile import Profile
from localpers.store.cipher import decrypt_database, encrypt_database

Progress = Callable[[int, int], None]
"""Called with the number of files done and in total."""
_LOCKS = frozenset({"writer.lock", "writer.json", "measuring.lock", "measuring.json"})


@dataclass(frozen=True, slots=True)
class Secret:
    """The secret of a profile; `id` is its name in the keyring."""

    kind: SecretKind
    value: bytes
    id: str = ""


def encrypt_profile(profile: Profile, secret: Secret, progress: Progress | None = None) -> int:
    """Encrypt all files of `profile` (from Profile.locked), or resume; returns how many.

    Raises LocalpersError on systems other than Linux and if the profile is already encrypted,
    WrongSecret if an interrupted encryption was started with another secret.
    """
    require_support()
    memory_place()  # Without one the profile could not be opened again.
    _refuse_links(profile)
    with profile.exclusive("profiles encrypt"):
        header = Header.load(profile.root)
        if header is None:
            header, master = Header.new(secret.value, secret.kind, secret.id)
        elif header.state is State.ENCRYPTED:
            raise LocalpersError(
                f"Profile '{profile.name}' is already encrypted: 'localpers profiles rekey "
                f"{profile.name}' changes its secret."
            )
        else:
            master = header.unlock(secret.value)
        header.in_state(State.ENCRYPTING).save(profile.root)
        encrypt_database(profile.database, master.of_database())
        files = list(_plain_files(profile.root))
        for file in _each(files, progress):
            if is_temporary(file.relative_to(profile.root).as_posix()):
                wipe(file)
            else:
                encrypt_file(file, profile.root, master)
        _sync_folders(profile.root)
        header.in_state(State.ENCRYPTED).save(profile.root)
        return len(files)


def decrypt_profile(profile: Profile, secret: Secret, progress: Progress | None = None) -> int:
    """Inverse of encrypt_profile; removes the header last."""
    with profile.exclusive("profiles decrypt"):
        header, master = _unlocked(profile, secret)
        header.in_state(State.DECRYPTING).save(profile.root)
        decrypt_database(profile.database, master.of_database())
        files = kept_files(profile.root)
        for file in _each(files, progress):
            decrypt_file(file, profile.root, master)
        _sync_folders(profile.root)
        wipe(profile.root / HEADER)
        return len(files)


def change_secret(profile: Profile, secret: Secret, new: Secret) -> None:
    """Replace `secret` by `new`; only the header changes."""
    with profile.writing("profiles rekey"):
        header, master = _unlocked(profile, secret)
        header.rewrapped(master, new.value, new.kind, new.id).save(profile.root)


def _refuse_links(profile: Profile) -> None:
    """The target of a link would stay plain and be missing from the encrypted profile."""
    for path in profile.root.rglob("*"):
        if path.is_symlink():
            raise LocalpersError(
                f"{path} is a symbolic link: replace it with its target and run this again. "
                "Nothing was changed."
            )


def header_of(profile: Profile) -> Header:
    """The header of an encrypted profile. Raises LocalpersError if it is not encrypted."""
    header = Header.load(profile.root)
    if header is None:
        raise LocalpersError(
            f"Profile '{profile.name}' is not encrypted: run 'localpers profiles encrypt "
            f"{profile.name}' first."
        )
    return header


def _unlocked(profile: Profile, secret: Secret) -> tuple[Header, MasterKey]:
    header = header_of(profile)
    return header, header.unlock(secret.value)


def _each(files: Sequence[Path], progress: Progress | None) -> Iterator[Path]:
    for done, file in enumerate(files, 1):
        yield file
        if progress:
            progress(done, len(files))


def _plain_files(root: Path) -> Iterator[Path]:
    """All files to encrypt, without the database, the header and the locks."""
    for file in sorted(root.rglob("*")):
        name = file.relative_to(root).as_posix()
        if file.is_dir() or name in _LOCKS or name in (HEADER, "index.sqlite"):
            continue
        if name.endswith(ENCRYPTED) and not file.name.startswith("."):
            continue
        yield file


def _sync_folders(root: Path) -> None:
    """Flush renames and removals to disk before the header records the new state."""
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
