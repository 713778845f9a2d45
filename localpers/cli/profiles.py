"""`localpers profiles`: persons and personas, and their encryption."""

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

Name = Annotated[str, typer.Argument(help="The profile.")]
PassphraseFile = Annotated[
    Path | None, typer.Option(help="Read the passphrase from the first line of this file.")
]
KeyFile = Annotated[Path | None, typer.Option(help="Open with this file of random bytes.")]
NewPassphraseFile = Annotated[
    Path | None, typer.Option(help="Read the new passphrase from the first line of this file.")
]
NewKeyFile = Annotated[Path | None, typer.Option(help="Open with this file from now on.")]
Keyring = Annotated[
    bool, typer.Option("--keyring", help="Keep a random secret in the platform's keyring.")
]


_OPENED_FIRST = ("encrypt", "decrypt", "rekey")
"""They close the airgap themselves, as soon as the keyring has been asked."""


@app.callback()
def seal_network(context: typer.Context) -> None:
    """Profiles: list, new, use, remove, encrypt, decrypt, rekey."""
    from localpers.privacy.airgap import seal

    if context.invoked_subcommand not in _OPENED_FIRST:
        seal()


@app.command("list")
def list_profiles(as_json: Json = False) -> None:
    """List the profiles; '*' marks the one in use."""
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
        notice("There is no profile yet: 'localpers ingest FOLDER' makes the default one.")


@app.command()
def new(name: Name, as_json: Json = False) -> None:
    """Make an empty profile."""
    from localpers.errors import LocalpersError
    from localpers.profile import Profile, profile_names

    if name in profile_names():
        raise LocalpersError(f"There is a profile '{name}' already: choose another name.")
    profile = Profile.open(name)
    _tell({"profile": name, "path": str(profile.root)}, f"Made profile {name}.", as_json)


@app.command()
def use(name: Name, as_json: Json = False) -> None:
    """Let commands without --profile use this one."""
    from localpers.profile import use_profile

    _existing(name)
    use_profile(name)
    _tell({"profile": name}, f"Commands without --profile use {name} now.", as_json)


@app.command()
def remove(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete a profile: index, runs, adapters. Your own files stay."""
    from localpers.errors import LocalpersError
    from localpers.profile import remove_profile

    profile = _existing(name)
    if not yes:
        raise LocalpersError(
            f"Profile '{name}' with its index and tuned models would be deleted for good: "
            "say --yes if that is meant."
        )
    header = _header(profile)
    remove_profile(profile)
    _tell_of_keyring(header)
    _tell({"removed": name}, f"Removed profile {name}.", as_json)


@app.command()
def encrypt(
    name: Name,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    keyring: Keyring = False,
    as_json: Json = False,
) -> None:
    """Encrypt a profile; run it again to go on after an interruption."""
    from localpers.privacy.encryption import encrypt_profile

    profile = _existing(name)
    header = _header(profile)
    if header is None:
        _require_one(passphrase_file, key_file, keyring)
        secret = _new_secret(passphrase_file, key_file, keyring)
    else:
        secret = _secret(profile, header, passphrase_file, key_file)
    files = _converted("encrypting", encrypt_profile, profile, secret)
    _tell(
        {"profile": name, "files": files, "secret": secret.kind.value},
        f"Profile {name} is encrypted: the index and {files} files.",
        as_json,
    )
    if not as_json:
        notice("Without its secret it cannot be read by anybody: keep a copy of that elsewhere.")


@app.command()
def decrypt(
    name: Name,
    passphrase_file: PassphraseFile = None,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Turn an encrypted profile back into a plain one."""
    from localpers.privacy.encryption import decrypt_profile, header_of

    profile = _existing(name)
    header = header_of(profile)
    secret = _secret(profile, header, passphrase_file, key_file)
    files = _converted("decrypting", decrypt_profile, profile, secret)
    _tell_of_keyring(header)
    _tell(
        {"profile": name, "files": files},
        f"Profile {name} is plain: the index and {files} files.",
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
    """Change what opens an encrypted profile."""
    from localpers.privacy.airgap import seal
    from localpers.privacy.encryption import change_secret, header_of

    _require_one(new_passphrase_file, new_key_file, keyring)
    profile = _existing(name)
    header = header_of(profile)
    secret = _secret(profile, header, passphrase_file, key_file)
    header.unlock(secret.value)  # Before another secret is asked for.
    new_secret = _new_secret(new_passphrase_file, new_key_file, keyring, from_environment=False)
    seal()
    change_secret(profile, secret, new_secret)
    _tell_of_keyring(header)
    _tell(
        {"profile": name, "secret": new_secret.kind.value},
        f"Profile {name} is opened by the new {new_secret.kind} now.",
        as_json,
    )


def _existing(name: str) -> Profile:
    from localpers.errors import LocalpersError
    from localpers.profile import Profile, profile_names

    if name not in profile_names():
        there = ", ".join(profile_names()) or "none"
        raise LocalpersError(
            f"There is no profile '{name}' (there: {there}): 'localpers profiles new' makes one."
        )
    return Profile.locked(name)


def _header(profile: Profile) -> Header | None:
    from localpers.encryption.keys import Header

    return Header.load(profile.root)


def _require_one(passphrase_file: Path | None, key_file: Path | None, keyring: bool) -> None:
    if sum((passphrase_file is not None, key_file is not None, keyring)) > 1:
        raise typer.BadParameter("A profile is opened by one secret: name one.")


def _secret(
    profile: Profile, header: Header, passphrase_file: Path | None, key_file: Path | None
) -> Secret:
    from localpers.cli.unlocking import secret_of, stated_secret
    from localpers.encryption.keys import Kind
    from localpers.privacy.encryption import Secret

    file = key_file if header.kind is Kind.KEY_FILE else passphrase_file
    value = stated_secret(header.kind, file) if file else secret_of(profile.name, header)
    return Secret(header.kind, value or b"", header.id)


def _new_secret(
    passphrase_file: Path | None,
    key_file: Path | None,
    keyring: bool,
    from_environment: bool = True,
) -> Secret:
    from localpers.cli.unlocking import asked_passphrase, new_keyring_secret, stated_secret
    from localpers.encryption.keys import Kind
    from localpers.privacy.encryption import Secret

    if keyring:
        return new_keyring_secret()
    kind = Kind.KEY_FILE if key_file else Kind.PASSPHRASE
    file = key_file or passphrase_file
    value = stated_secret(kind, file) if file or from_environment else None
    return Secret(kind, value or asked_passphrase("New passphrase: ", again=True))


def _converted(
    verb: str, convert: Callable[[Profile, Secret, Progress], int], profile: Profile, secret: Secret
) -> int:
    """How many files `convert` worked through; the secret is here, so the airgap closes before."""
    from localpers.privacy.airgap import seal

    seal()
    line = ProgressLine(verb)
    try:
        return convert(profile, secret, line.update)
    finally:
        line.clear()


def _tell_of_keyring(header: Header | None) -> None:
    """What cannot be removed from here any more: the way to the keyring is closed by now."""
    from localpers.cli.unlocking import SERVICE
    from localpers.encryption.keys import Kind

    if header is not None and header.kind is Kind.KEYRING:
        notice(
            f"The keyring still holds the old secret ('{SERVICE}', {header.id}); it opens nothing."
        )


def _tell(facts: dict[str, Any], line: str, as_json: bool) -> None:
    if as_json:
        print_json(facts)
    else:
        say(line)
