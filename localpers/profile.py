"""Profile: the folder that holds all data of one person."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localpers.atomic import write_atomically as write_atomically
from localpers.encryption.keys import Header, MasterKey, State
from localpers.encryption.memory import free_bytes
from localpers.encryption.vault import Vault
from localpers.errors import LocalpersError, ProfileBusy, ProfileLocked
from localpers.locks import locked
from localpers.permissions import FILE_MODE as FILE_MODE
from localpers.permissions import FOLDER_MODE, restrict

WRITER_WAIT_SECONDS = 10.0
DEFAULT = "default"
_HOME_SETTINGS = "settings.json"
MOST_EARLIER = 20
"""Number of promotions that `rollback` can undo."""
_CHECKED_LEVELS = 3
"""Folder levels whose modes are checked whenever a profile is opened: down to the files of runs."""


def home() -> Path:
    """`LOCALPERS_HOME`, or the platform's user data folder."""
    if stated := os.environ.get("LOCALPERS_HOME"):
        return Path(stated).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("localpers", appauthor=False))


def profiles_folder() -> Path:
    return home() / "profiles"


def profile_names() -> list[str]:
    folder = profiles_folder()
    return (
        sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    )


def default_profile() -> str:
    """The profile of commands without --profile."""
    try:
        return str(json.loads((home() / _HOME_SETTINGS).read_text())["profile"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT


def use_profile(name: str) -> None:
    """Make `name` the default profile."""
    write_atomically(home() / _HOME_SETTINGS, json.dumps({"profile": name}) + "\n")


def remove_profile(profile: Profile) -> None:
    """Delete the profile (from Profile.locked) and its folder, also if that is a symbolic link.

    Raises ProfileBusy.
    """
    with profile.exclusive("profiles remove"):
        shutil.rmtree(profile.root.resolve())
        if profile.root.is_symlink():
            profile.root.unlink()
    if default_profile() == profile.name:
        use_profile(DEFAULT)


def make_private(path: Path) -> Path:
    """Create the folder `path`, or restrict it, so that only its owner has access."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(FOLDER_MODE)
    return path


@dataclass(frozen=True, slots=True)
class Profile:
    """Paths and settings of one profile."""

    name: str
    root: Path
    vault: Vault | None = field(default=None, repr=False, compare=False)
    """Set for encrypted profiles."""

    @classmethod
    def open(
        cls, name: str = DEFAULT, secret: Callable[[str, Header], bytes] | None = None
    ) -> Profile:
        """Open the profile; create its folders and restrict their modes as needed.

        `secret(name, header)` returns the secret of an encrypted profile. Raises ProfileLocked
        without `secret` or if encryption was interrupted, WrongSecret, and LocalpersError.
        """
        profile = cls.locked(name)
        header = Header.load(profile.root)
        if header is not None:
            return cls(name, profile.root, Vault(profile.root, _unlocked(name, header, secret)))
        make_private(profile.runs)
        return profile

    @classmethod
    def locked(cls, name: str) -> Profile:
        """The profile without its vault, to convert or remove it.

        Raises LocalpersError for a name that is not letters, digits, `-`, `_` or `.`.
        """
        if not re.fullmatch(r"[\w-][\w.-]{0,63}", name):
            raise LocalpersError(
                f"'{name}' is not a valid profile name: use letters, digits, '-', '_' and '.'."
            )
        make_private(home())
        root = make_private(profiles_folder()) / name
        # Below a restricted folder nothing was accessible; otherwise every file is checked.
        was_open = root.exists() and bool(root.stat().st_mode & 0o077)
        restrict(make_private(root), None if was_open else _CHECKED_LEVELS)
        return cls(name, root)

    def close(self) -> None:
        """Clear the decrypted files of an encrypted profile."""
        if self.vault is not None:
            self.vault.close()

    @property
    def files(self) -> Path:
        """Folder of the files besides the database: `root`, or the vault's folder in memory."""
        return self.root if self.vault is None else self.vault.folder

    def free_bytes(self) -> int:
        """Free space in `files`."""
        return free_bytes(self.files)

    @property
    def database(self) -> Path:
        return self.root / "index.sqlite"

    @property
    def runs(self) -> Path:
        return self.files / "runs"

    @property
    def _settings(self) -> Path:
        return self.files / "profile.json"

    def settings(self) -> dict[str, Any]:
        try:
            settings = json.loads(self._settings.read_text())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise LocalpersError(
                f"{self._settings} is damaged: remove it, then promote a run again."
            ) from error
        return dict(settings)

    def promoted(self) -> str | None:
        """Id of the promoted run, None for the base model."""
        run = self.settings().get("promoted")
        return str(run) if run else None

    def earlier(self) -> list[str | None]:
        """Ids of runs promoted before, latest last; None stands for the base model."""
        return [run for run, _ in self._earlier()]

    def _earlier(self) -> list[tuple[str | None, str | None]]:
        """(run, base) pairs, latest last."""
        return [(row.get("run"), row.get("base")) for row in self.settings().get("earlier", [])]

    def promote(self, run: str | None, base: str | None = None) -> None:
        """Promote `run` (None: the base model) and set the default base (None: unchanged)."""
        current = self.promoted(), self.base()
        new = run, base or current[1]
        if new != current:
            self._set_promoted(*new, [*self._earlier(), current][-MOST_EARLIER:])

    def return_to(self, run: str | None) -> None:
        """Promote `run`, one of `earlier`, with its base again and drop later promotions."""
        earlier = self._earlier()
        last = max(number for number, (id, _) in enumerate(earlier) if id == run)
        self._set_promoted(run, earlier[last][1], earlier[:last])

    def withdraw(self, runs: Collection[str]) -> None:
        """Demote `runs`, also for rollback; the run promoted before them is promoted again."""
        earlier = [entry for entry in self._earlier() if entry[0] not in runs]
        current, base = self.promoted(), self.base()
        if current in runs:
            current, base = earlier.pop() if earlier else (None, base)
        self._set_promoted(current, base, earlier)

    def base(self) -> str | None:
        """Name of the default base model."""
        name = self.settings().get("base")
        return str(name) if name else None

    def _set_promoted(
        self, run: str | None, base: str | None, earlier: list[tuple[str | None, str | None]]
    ) -> None:
        rows = [{"run": run, "base": base} for run, base in earlier]
        settings = self.settings() | {"promoted": run, "base": base, "earlier": rows}
        write_atomically(self._settings, json.dumps(settings, indent=2) + "\n")

    def is_being_written(self) -> bool:
        """Whether a command holds the profile's write lock."""
        try:
            with locked(self.root / "writer.lock", lambda: ProfileBusy(self.name)):
                return False
        except ProfileBusy:
            return True

    @contextmanager
    def writing(self, command: str, wait: float = WRITER_WAIT_SECONDS) -> Iterator[None]:
        """Hold the write lock; waits `wait` seconds for another writer.

        Raises ProfileBusy, which names the command and the process that hold it.
        """
        with self._locked("writer", "written", command, wait):
            yield

    @contextmanager
    def measuring(self, command: str, wait: float = 0.0) -> Iterator[None]:
        """Hold the lock of commands that store measurements of the documents; writers may run at
        the same time. Raises ProfileBusy.
        """
        with self._locked("measuring", "measured", command, wait):
            yield

    @contextmanager
    def exclusive(self, command: str) -> Iterator[None]:
        """Hold both locks. Raises ProfileBusy."""
        with self.writing(command), self.measuring(command):
            yield

    @contextmanager
    def _locked(self, name: str, what: str, command: str, wait: float) -> Iterator[None]:
        note = self.root / f"{name}.json"

        def busy() -> ProfileBusy:
            return ProfileBusy(
                f"Profile '{self.name}' is being {what} by {_holder(note)}: "
                "wait for it to finish, or stop it, and run this again."
            )

        with locked(self.root / f"{name}.lock", busy, wait):
            try:
                holder = {"command": command, "pid": os.getpid(), "since": time.time()}
                write_atomically(note, json.dumps(holder))
                if self.vault is not None:
                    self.vault.refresh()
                yield
                if self.vault is not None:
                    self.vault.sync()
            finally:
                note.unlink(missing_ok=True)


def _unlocked(
    name: str, header: Header, secret: Callable[[str, Header], bytes] | None
) -> MasterKey:
    if header.state is not State.ENCRYPTED:
        what = "encrypt" if header.state is State.ENCRYPTING else "decrypt"
        raise ProfileLocked(
            f"Profile '{name}' is only partly {what}ed: run 'localpers profiles {what} {name}' "
            "again to finish."
        )
    if secret is None:
        raise ProfileLocked(
            f"Profile '{name}' is encrypted: select it with --profile to unlock it."
        )
    return header.unlock(secret(name, header))


def _holder(note: Path) -> str:
    try:
        holder = json.loads(note.read_text())
        minutes = (time.time() - holder["since"]) / 60
        return f"'localpers {holder['command']}' (process {holder['pid']}, for {minutes:.0f} min)"
    except (OSError, ValueError, KeyError):
        return "another localpers command"
