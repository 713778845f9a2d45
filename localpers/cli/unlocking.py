"""Open a profile for a command, with a passphrase, a key file or the keyring."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from localpers.encryption.keys import Header, SecretKind
    from localpers.privacy.encryption import Secret
    from localpers.profile import Profile

PASSPHRASE_FILE = "LOCALPERS_PASSPHRASE_FILE"
KEY_FILE = "LOCALPERS_KEY_FILE"
SERVICE = "localpers"
"""Service name in the platform's keyring."""
MIN_KEY_BYTES = 16
MAX_KEY_BYTES = 1 << 20


def open_profile(context: typer.Context) -> Profile:
    """The profile of `--profile`, unlocked until the command ends; finishes an interrupted forget.

    Raises as Profile.open, LocalpersError if there is no terminal to ask, and ProfileBusy.
    """
    from localpers.cli.upkeep import finish_forgetting
    from localpers.profile import Profile

    profile = Profile.open(context.obj, secret_of)
    context.call_on_close(profile.close)
    finish_forgetting(profile)
    return profile


_fetched: dict[str, bytes] = {}
"""Secrets read from the keyring before the network was sealed."""


def fetch_from_keyring(name: str) -> None:
    """Read the secret of profile `name` from the keyring, if it is there.

    The keyring is another process, so call this before the network is sealed.
    """
    from localpers.encryption.keys import Header, SecretKind
    from localpers.profile import profiles_folder

    header = Header.load(profiles_folder() / name)
    if header is not None and header.kind is SecretKind.KEYRING:
        _fetched[header.id] = secret_in_keyring(header.id)


def secret_of(name: str, header: Header) -> bytes:
    """The secret of profile `name`, from files named in the environment, the keyring or the
    terminal.
    """
    from localpers.encryption.keys import SecretKind

    if header.kind is SecretKind.KEYRING:
        return _fetched.get(header.id) or secret_in_keyring(header.id)
    if stated := stated_secret(header.kind, None):
        return stated
    if header.kind is SecretKind.KEY_FILE:
        from localpers.errors import LocalpersError

        raise LocalpersError(
            f"Profile '{name}' is unlocked by a key file: set {KEY_FILE} to its path."
        )
    return asked_passphrase(f"Passphrase of profile '{name}': ")


def stated_secret(kind: SecretKind, file: Path | None) -> bytes | None:
    """The secret in `file`, or in the file named in the environment; None without one."""
    from localpers.encryption.keys import SecretKind, secret_from_passphrase
    from localpers.errors import LocalpersError

    variable = KEY_FILE if kind is SecretKind.KEY_FILE else PASSPHRASE_FILE
    named = file or os.environ.get(variable)
    if not named:
        return None
    try:
        with Path(named).expanduser().open("rb") as opened:
            content = opened.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise LocalpersError(
            f"{named} cannot be read ({error.strerror}): choose a file that contains the {kind}."
        ) from error
    if kind is SecretKind.PASSPHRASE:
        first, _, _ = content.partition(b"\n")
        return secret_from_passphrase(first.rstrip(b"\r").decode("utf-8", "surrogateescape"))
    if not MIN_KEY_BYTES <= len(content) <= MAX_KEY_BYTES:
        raise LocalpersError(
            f"{named} is not {MIN_KEY_BYTES} bytes to 1 MiB long: create a key file of random "
            "bytes ('head -c 64 /dev/urandom > FILE')."
        )
    return content


def asked_passphrase(prompt: str, again: bool = False) -> bytes:
    """Read a passphrase from the terminal, twice with `again`. Raises LocalpersError."""
    import getpass

    from localpers.encryption.keys import secret_from_passphrase
    from localpers.errors import LocalpersError

    if not _has_terminal():
        raise LocalpersError(
            f"No terminal to ask for the passphrase: set {PASSPHRASE_FILE} to a file that "
            "contains it."
        )
    typed = getpass.getpass(prompt)
    if again and getpass.getpass("Repeat the passphrase: ") != typed:
        raise LocalpersError("The two passphrases differ: run this again. Nothing was changed.")
    return secret_from_passphrase(typed)


def new_keyring_secret() -> Secret:
    """Create a random secret in the platform's keyring."""
    import secrets

    from localpers.encryption.keys import SecretKind
    from localpers.privacy.encryption import Secret

    id, value = secrets.token_hex(8), secrets.token_hex(32)
    _keyring_call("set_password", id, value)
    if secret_in_keyring(id) != value.encode():
        raise _keyring_error("it did not return the stored secret")
    return Secret(SecretKind.KEYRING, value.encode(), id)


def secret_in_keyring(id: str) -> bytes:
    """Raises LocalpersError if the keyring does not contain it."""
    found = _keyring_call("get_password", id)
    if found is None:
        raise _keyring_error("it does not contain this profile's secret")
    return found.encode()


def _keyring_call(name: str, *arguments: str) -> str | None:
    from localpers.errors import MissingExtra

    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise MissingExtra(
            "The keyring requires an extra: pip install 'localpers[keyring]'."
        ) from error
    try:
        found: str | None = getattr(keyring, name)(SERVICE, *arguments)
        return found
    except (KeyringError, OSError) as error:
        raise _keyring_error(type(error).__name__) from error


def _keyring_error(why: str) -> Exception:
    from localpers.errors import LocalpersError

    return LocalpersError(
        f"The platform's keyring cannot be used ({why}): unlock it, or use a passphrase."
    )


def _has_terminal() -> bool:
    if sys.stdin.isatty():
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
