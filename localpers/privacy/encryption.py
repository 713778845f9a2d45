"""A profile from plain to encrypted and back, and another secret for it.

Every step can be done again, so that an interrupted command goes on when it is run once more; until
then no other command opens the profile (Profile.open).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localpers.encryption.files import wipe
from localpers.encryption.keys import HEADER, Header, Kind, MasterKey, State
from localpers.encryption.memory import memory_place, require_support
from localpers.encryption.vault import (
    ENCRYPTED,
    decrypt_file,
    encrypt_file,
    is_passing,
    kept_files,
)
from localpers.errors import LocalpersError
from localpers.profile import Profile
from localpers.store.cipher import decrypt_database, encrypt_database

Progress = Callable[[int, int], None]
"""Called with files done and files in all."""
_LOCKS = frozenset({"writer.lock", "writer.json", "measuring.lock", "measuring.json"})


@dataclass(frozen=True, slots=True)
class Secret:
    """What opens a profile: `value` comes from where `kind` says; `id` names it in a keyring."""

    kind: Kind
    value: bytes
    id: str = ""


def encrypt_profile(profile: Profile, secret: Secret, progress: Progress | None = None) -> int:
    """Encrypt all files of `profile` (as of `locked_profile`), or go on with it; how many were.

    Raises LocalpersError on other systems than Linux and where it is encrypted already,
    WrongSecret where it was begun with another one.
    """
    require_support()
    memory_place()  # Without one it could not be opened again.
    _refuse_links(profile)
    with _held(profile, "profiles encrypt"):
        header = Header.load(profile.root)
        if header is None:
            header, master = Header.new(secret.value, secret.kind, secret.id)
        elif header.state is State.ENCRYPTED:
            raise LocalpersError(
                f"Profile '{profile.name}' is encrypted already: 'localpers profiles rekey "
                f"{profile.name}' changes what opens it."
            )
        else:
            master = header.unlock(secret.value)
        header.in_state(State.ENCRYPTING).save(profile.root)
        encrypt_database(profile.database, master.of_database())
        files = list(_plain_files(profile.root))
        for file in _each(files, progress):
            if is_passing(file.relative_to(profile.root).as_posix()):
                wipe(file)
            else:
                encrypt_file(file, profile.root, master)
        _synced(profile.root)
        header.in_state(State.ENCRYPTED).save(profile.root)
        return len(files)


def decrypt_profile(profile: Profile, secret: Secret, progress: Progress | None = None) -> int:
    """The reverse of encrypt_profile, after which the header goes."""
    with _held(profile, "profiles decrypt"):
        header, master = _unlocked(profile, secret)
        header.in_state(State.DECRYPTING).save(profile.root)
        decrypt_database(profile.database, master.of_database())
        files = kept_files(profile.root)
        for file in _each(files, progress):
            decrypt_file(file, profile.root, master)
        _synced(profile.root)
        wipe(profile.root / HEADER)
        return len(files)


def change_secret(profile: Profile, secret: Secret, new: Secret) -> None:
    """Let `new` open the profile instead of `secret`: the header is replaced as a whole."""
    with profile.writing("profiles rekey"):
        header, master = _unlocked(profile, secret)
        header.rewrapped(master, new.value, new.kind, new.id).save(profile.root)


@contextmanager
def _held(profile: Profile, command: str) -> Iterator[None]:
    """For nobody else, also not for who only measures: what that writes would be plain."""
    with profile.writing(command), profile.measuring(command):
        yield


def _refuse_links(profile: Profile) -> None:
    """What a link leads to would stay plain, and be missed in the encrypted profile."""
    for path in profile.root.rglob("*"):
        if path.is_symlink():
            raise LocalpersError(
                f"{path} is a link: put what it leads to in its place, and run this again. "
                "Nothing was changed."
            )


def header_of(profile: Profile) -> Header:
    """Raises LocalpersError where the profile is not encrypted, nor on its way to it."""
    header = Header.load(profile.root)
    if header is None:
        raise LocalpersError(
            f"Profile '{profile.name}' is not encrypted: 'localpers profiles encrypt "
            f"{profile.name}' does that."
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
    """What is to be encrypted: all but the database, the header and the lock."""
    for file in sorted(root.rglob("*")):
        name = file.relative_to(root).as_posix()
        if file.is_dir() or name in _LOCKS or name in (HEADER, "index.sqlite"):
            continue
        if name.endswith(ENCRYPTED) and not file.name.startswith("."):
            continue
        yield file


def _synced(root: Path) -> None:
    """Names that went and came are on the disk, too, before the header says so."""
    for folder in (root, *(path for path in root.rglob("*") if path.is_dir())):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
