"""`localpers profiles`: manage profiles and their encryption."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, notice, print_json, say
from localpers.cli.progress import ProgressLine

if TYPE_CHECKING:
    from localpers.encryption.keys import Header
    from localpers.privacy.encryption import Progress, Secret
    from localpers.profile import Profile

app = typer.Typer(
    help="Profiles: list, new, use, remove, encrypt, decrypt, rekey.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(help="Name of the profile.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="Read the passphrase from the first line of this file.")
]
KeyFile = Annotated[Path | None, typer.Option(help="Unlock with this file of random bytes.")]
NewPassphraseFile = Annotated[
    Path | None, typer.Option(help="Read the new passphrase from the first line of this file.")
]
NewKeyFile = Annotated[Path | None, typer.Option(help="Unlock with this file from now on.")]
Keyring = Annotated[
    bool, typer.Option("--keyring", help="Store a random secret in the platform's keyring.")
]


_SEAL_LATER = ("encrypt", "decrypt", "rekey")
"""These commands seal the network themselves, after they read the keyring."""


@app.callback()
def seal_network(context: typer.Context) -> None:
    """Profiles: list, new, use, remove, encrypt, decrypt, rekey."""
    from localpers.privacy.airgap import seal

    if context.invoked_subcommand not in _SEAL_LATER:
        seal()


@app.command("list")
def list_profiles(as_json: Json = False) -> None:
    """List profiles; '*' marks the default."""
    from localpers.encryption.keys import HEADER
    from localpers.profile import default_profile, profile_names, profiles_folder

    rows: list[dict[str, Any]] = []
    for name in profile_names():
        folder = profiles_folder() / name
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        rows.append(
            {
                "name": name,
                "path": str(folder),
                "in_use": name == default_profile(),
                "encrypted": (folder / HEADER).exists(),
                "bytes": size,
            }
        )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        mark = "*" if row["in_use"] else " "
        lock = "  encrypted" if row["encrypted"] else ""
        say(f"{mark} {row['name']}  {row['bytes'] / 1e6:,.1f} MB{lock}")
    if not rows:
        notice("No profiles yet: 'localpers ingest FOLDER' creates the default one.")


@app.command()
def new(name: Name, as_json: Json = False) -> None:
    """Create an empty profile."""
    from localpers.errors import LocalpersError
    from localpers.profile import Profile, profile_names

    if name in profile_names():
        raise LocalpersError(f"Profile '{name}' already exists: choose another name.")
    profile = Profile.open(name)
    _report({"profile": name, "path": str(profile.root)}, f"Created profile {name}.", as_json)


@app.command()
def use(name: Name, as_json: Json = False) -> None:
    """Set the default profile."""
    from localpers.profile import use_profile

    _existing(name)
    use_profile(name)
    _report({"profile": name}, f"The default profile is now {name}.", as_json)


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Confirm the deletion.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a profile with its index and tuned models. Your own files are not changed."""
    from localpers.errors import LocalpersError
    from localpers.profile import remove_profile

    profile = _existing(name)
    if not yes:
        raise LocalpersError(
            f"This deletes profile '{name}' with its index and tuned models for good: "
            "confirm with --yes."
        )
    header = _header(profile)
    remove_profile(profile)
    _warn_of_keyring(header)
    _report({"removed": name}, f"Removed profile {name}.", as_json)


@app.command()
def encrypt(
    name: Name,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    keyring: Keyring = False,
    as_json: Json = False,
) -> None:
    """Encrypt a profile. Run it again to resume after an interruption."""
    from localpers.privacy.encryption import encrypt_profile

    profile = _existing(name)
    header = _header(profile)
    if header is None:
        _require_one(passphrase_file, key_file, keyring)
        secret = _new_secret(passphrase_file, key_file, keyring)
    else:
        secret = _secret(profile, header, passphrase_file, key_file)
    files = _converted("encrypting", encrypt_profile, profile, secret)
    _report(
        {"profile": name, "files": files, "secret": secret.kind.value},
        f"Profile {name} is encrypted: the index and {files} files.",
        as_json,
    )
    if not as_json:
        notice("Without the secret nobody can read it: keep a copy of the secret elsewhere.")


@app.command()
def decrypt(
    name: Name,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Decrypt an encrypted profile."""
    from localpers.privacy.encryption import decrypt_profile, header_of

    profile = _existing(name)
    header = header_of(profile)
    secret = _secret(profile, header, passphrase_file, key_file)
    files = _converted("decrypting", decrypt_profile, profile, secret)
    _warn_of_keyring(header)
    _report(
        {"profile": name, "files": files},
        f"Profile {name} is decrypted: the index and {files} files.",
        as_json,
    )


@app.command()
def rekey(
    name: Name,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    new_passphrase_file: NewPassphraseFile = None,
    new_key_file: NewKeyFile = None,
    keyring: Keyring = False,
    as_json: Json = False,
) -> None:
    """Change the secret of an encrypted profile."""
    from localpers.privacy.airgap import seal
    from localpers.privacy.encryption import change_secret, header_of

    _require_one(new_passphrase_file, new_key_file, keyring)
    profile = _existing(name)
    header = header_of(profile)
    secret = _secret(profile, header, passphrase_file, key_file)
    header.unlock(secret.value)  # Fails before the user is asked for a new secret.
    new_secret = _new_secret(new_passphrase_file, new_key_file, keyring, from_environment=False)
    seal()
    change_secret(profile, secret, new_secret)
    _warn_of_keyring(header)
    _report(
        {"profile": name, "secret": new_secret.kind.value},
        f"Profile {name} is now unlocked by the new {new_secret.kind}.",
        as_json,
    )


def _existing(name: str) -> Profile:
    from localpers.errors import LocalpersError
    from localpers.profile import Profile, profile_names

    if name not in profile_names():
        names = ", ".join(profile_names()) or "none"
        raise LocalpersError(
            f"No profile '{name}' (existing: {names}): 'localpers profiles new' creates one."
        )
    return Profile.locked(name)


def _header(profile: Profile) -> Header | None:
    from localpers.encryption.keys import Header

    return Header.load(profile.root)


def _require_one(passphrase_file: Path | None, key_file: Path | None, keyring: bool) -> None:
    if sum((passphrase_file is not None, key_file is not None, keyring)) > 1:
        raise typer.BadParameter("A profile has one secret: choose one of the options.")


def _secret(
    profile: Profile, header: Header, passphrase_file: Path | None, key_file: Path | None
) -> Secret:
    from localpers.cli.unlocking import secret_of, stated_secret
    from localpers.encryption.keys import SecretKind
    from localpers.privacy.encryption import Secret

    file = key_file if header.kind is SecretKind.KEY_FILE else passphrase_file
    value = stated_secret(header.kind, file) if file else secret_of(profile.name, header)
    return Secret(header.kind, value or b"", header.id)


def _new_secret(
    passphrase_file: Path | None,
    key_file: Path | None,
    keyring: bool,
    from_environment: bool = True,
) -> Secret:
    from localpers.cli.unlocking import asked_passphrase, new_keyring_secret, stated_secret
    from localpers.encryption.keys import SecretKind
    from localpers.privacy.encryption import Secret

    if keyring:
        return new_keyring_secret()
    kind = SecretKind.KEY_FILE if key_file else SecretKind.PASSPHRASE
    file = key_file or passphrase_file
    value = stated_secret(kind, file) if file or from_environment else None
    return Secret(kind, value or asked_passphrase("New passphrase: ", again=True))


def _converted(
    verb: str, convert: Callable[[Profile, Secret, Progress], int], profile: Profile, secret: Secret
) -> int:
    """Seal the network, then convert; returns the number of files."""
    from localpers.privacy.airgap import seal

    seal()
    line = ProgressLine(verb)
    try:
        return convert(profile, secret, line.update)
    finally:
        line.clear()


def _warn_of_keyring(header: Header | None) -> None:
    """The sealed process cannot reach the keyring to remove the old secret."""
    from localpers.cli.unlocking import SERVICE
    from localpers.encryption.keys import SecretKind

    if header is not None and header.kind is SecretKind.KEYRING:
        notice(
            f"The keyring still contains the old secret ('{SERVICE}', {header.id}), now useless."
        )


def _report(facts: dict[str, Any], line: str, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        say(line)
