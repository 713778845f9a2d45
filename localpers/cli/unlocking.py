"""Opening a profile for a command, and what opens it: a passphrase, a key file or the keyring."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from localpers.encryption.keys import Header, Kind
    from localpers.privacy.encryption import Secret
    from localpers.profile import Profile

PASSPHRASE_FILE = "LOCALPERS_PASSPHRASE_FILE"
KEY_FILE = "LOCALPERS_KEY_FILE"
SERVICE = "localpers"
"""What the platform's keyring knows the secrets by."""
LEAST_KEY_BYTES = 16
MOST_KEY_BYTES = 1 << 20


def open_profile(context: typer.Context) -> Profile:
    """The profile of `--profile`, unlocked, with a forget that was interrupted finished; what lies
    plain in memory goes with the command.

    Raises as Profile.open does, LocalpersError where there is nobody to ask, and ProfileBusy.
    """
    from localpers.cli.upkeep import finish_forgetting
    from localpers.profile import Profile

    profile = Profile.open(context.obj, secret_of)
    context.call_on_close(profile.close)
    finish_forgetting(profile)
    return profile


_fetched: dict[str, bytes] = {}
"""What the keyring gave before the way to it was closed."""


def fetch_from_keyring(name: str) -> None:
    """Ask the keyring, which is another process, while it can still be reached: to be called before
    the airgap closes. Nothing where profile `name` is not opened by it.
    """
    from localpers.encryption.keys import Header, Kind
    from localpers.profile import profiles_folder

    header = Header.load(profiles_folder() / name)
    if header is not None and header.kind is Kind.KEYRING:
        _fetched[header.id] = secret_in_keyring(header.id)


def secret_of(name: str, header: Header) -> bytes:
    """What opens the encrypted profile `name`: from the files that the environment names, the
    keyring, or the terminal.
    """
    from localpers.encryption.keys import Kind

    if header.kind is Kind.KEYRING:
        return _fetched.get(header.id) or secret_in_keyring(header.id)
    if stated := stated_secret(header.kind, None):
        return stated
    if header.kind is Kind.KEY_FILE:
        from localpers.errors import LocalpersError

        raise LocalpersError(f"Profile '{name}' is opened by a key file: name it in {KEY_FILE}.")
    return asked_passphrase(f"Passphrase of profile '{name}': ")


def stated_secret(kind: Kind, file: Path | None) -> bytes | None:
    """From `file`, else from the file that the environment names for this kind of secret."""
    from localpers.encryption.keys import Kind, secret_from_passphrase
    from localpers.errors import LocalpersError

    variable = KEY_FILE if kind is Kind.KEY_FILE else PASSPHRASE_FILE
    named = file or os.environ.get(variable)
    if not named:
        return None
    try:
        with Path(named).expanduser().open("rb") as opened:
            content = opened.read(MOST_KEY_BYTES + 1)
    except OSError as error:
        raise LocalpersError(
            f"{named} cannot be read ({error.strerror}): name a file with the {kind}."
        ) from error
    if kind is Kind.PASSPHRASE:
        first, _, _ = content.partition(b"\n")
        return secret_from_passphrase(first.rstrip(b"\r").decode("utf-8", "surrogateescape"))
    if not LEAST_KEY_BYTES <= len(content) <= MOST_KEY_BYTES:
        raise LocalpersError(
            f"{named} has no {LEAST_KEY_BYTES} bytes to a megabyte: make a key file of random "
            "bytes ('head -c 64 /dev/urandom > FILE')."
        )
    return content


def asked_passphrase(prompt: str, again: bool = False) -> bytes:
    """Typed on the terminal, unseen; twice with `again`. Raises LocalpersError without one."""
    import getpass

    from localpers.encryption.keys import secret_from_passphrase
    from localpers.errors import LocalpersError

    if not _has_terminal():
        raise LocalpersError(
            f"There is no terminal to ask for the passphrase: name a file that holds it in "
            f"{PASSPHRASE_FILE}."
        )
    typed = getpass.getpass(prompt)
    if again and getpass.getpass("The same again: ") != typed:
        raise LocalpersError("The two passphrases differ: run this again. Nothing was changed.")
    return secret_from_passphrase(typed)


def new_keyring_secret() -> Secret:
    """A random secret, now kept in the platform's keyring."""
    import secrets

    from localpers.encryption.keys import Kind
    from localpers.privacy.encryption import Secret

    id, value = secrets.token_hex(8), secrets.token_hex(32)
    _keyring_call("set_password", id, value)
    if secret_in_keyring(id) != value.encode():
        raise _without_keyring("it does not return what it was given")
    return Secret(Kind.KEYRING, value.encode(), id)


def secret_in_keyring(id: str) -> bytes:
    """Raises LocalpersError where the keyring does not hold it."""
    found = _keyring_call("get_password", id)
    if found is None:
        raise _without_keyring("it does not hold this profile's secret")
    return found.encode()


def _keyring_call(name: str, *arguments: str) -> str | None:
    from localpers.errors import MissingExtra

    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise MissingExtra(
            "The platform's keyring needs the extra 'keyring': pip install 'localpers[keyring]'."
        ) from error
    try:
        found: str | None = getattr(keyring, name)(SERVICE, *arguments)
        return found
    except (KeyringError, OSError) as error:
        raise _without_keyring(type(error).__name__) from error


def _without_keyring(why: str) -> Exception:
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
