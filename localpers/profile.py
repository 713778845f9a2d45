"""Profile: one person's folder. What belongs to a person lies below it and dies with it."""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from localpers.encryption.files import replaced
from localpers.encryption.keys import Header, MasterKey, State
from localpers.encryption.memory import free_bytes
from localpers.encryption.vault import Vault, keep
from localpers.errors import LocalpersError, ProfileBusy, ProfileLocked
from localpers.permissions import FILE_MODE as FILE_MODE
from localpers.permissions import FOLDER_MODE, mend

WRITER_WAIT_SECONDS = 10.0
DEFAULT = "default"
_HOME_SETTINGS = "settings.json"
MOST_EARLIER = 20
"""Promotions that `rollback` can undo."""
_LOOKED_AT = 3
"""Levels whose modes are looked at whenever a profile is opened: down to the files of its runs."""


def home() -> Path:
    """The folder of all profiles: `LOCALPERS_HOME`, else the platform's user data folder."""
    if stated := os.environ.get("LOCALPERS_HOME"):
        return Path(stated).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("localpers", appauthor=False))


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace `path` as a whole: temporary name beside it, fsync, rename."""
    with replaced(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)
    keep(path)


def profiles_folder() -> Path:
    """Where the profiles of this home lie, one folder each."""
    return home() / "profiles"


def profile_names() -> list[str]:
    """The profiles that there are."""
    folder = profiles_folder()
    return (
        sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    )


def default_profile() -> str:
    """What a command uses without --profile."""
    try:
        return str(json.loads((home() / _HOME_SETTINGS).read_text())["profile"])
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT


def use_profile(name: str) -> None:
    """Let `name` be the one that a command uses without --profile."""
    write_atomically(home() / _HOME_SETTINGS, json.dumps({"profile": name}) + "\n")


def remove_profile(profile: Profile) -> None:
    """Delete the profile (see Profile.locked) and all that is in its folder, also where that is
    elsewhere, behind a link. Raises ProfileBusy.
    """
    command = "profiles remove"
    with profile.writing(command), profile.measuring(command):
        shutil.rmtree(profile.root.resolve())
        if profile.root.is_symlink():
            profile.root.unlink()
    if default_profile() == profile.name:
        use_profile(DEFAULT)


def make_private(path: Path) -> Path:
    """Make `path` a folder that only its owner can enter, mending a looser mode."""
    path.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077:
        path.chmod(FOLDER_MODE)
    return path


@dataclass(frozen=True, slots=True)
class Profile:
    """The paths of one person's data.

    Raises LocalpersError for a name that is not letters, digits, `-`, `_` or `.`.
    """

    name: str
    root: Path
    vault: Vault | None = field(default=None, repr=False, compare=False)
    """The files of an encrypted profile."""

    @classmethod
    def open(
        cls, name: str = DEFAULT, secret: Callable[[str, Header], bytes] | None = None
    ) -> Profile:
        """Make the folders where they are missing, and mend their modes.

        `secret` is asked, with the name, for what opens an encrypted profile. Raises ProfileLocked
        without it and where encryption was interrupted, WrongSecret, and LocalpersError.
        """
        profile = cls.locked(name)
        header = Header.load(profile.root)
        if header is not None:
            return cls(name, profile.root, Vault(profile.root, _unlocked(name, header, secret)))
        make_private(profile.runs)
        return profile

    @classmethod
    def locked(cls, name: str) -> Profile:
        """The profile without its vault, for what changes or removes it as a whole."""
        if not re.fullmatch(r"[\w-][\w.-]{0,63}", name):
            raise LocalpersError(
                f"'{name}' cannot name a profile: use letters, digits, '-', '_' and '.'."
            )
        make_private(home())
        root = make_private(profiles_folder()) / name
        # Behind a closed door all was closed; where it stood open, everything is gone through.
        was_open = root.exists() and bool(root.stat().st_mode & 0o077)
        mend(make_private(root), None if was_open else _LOOKED_AT)
        return cls(name, root)

    def close(self) -> None:
        """Let nothing of an encrypted profile lie in memory."""
        if self.vault is not None:
            self.vault.close()

    @property
    def files(self) -> Path:
        """Where the files besides the database are read and written: the folder itself, or the
        vault's in memory.
        """
        return self.root if self.vault is None else self.vault.folder

    def free_bytes(self) -> int:
        """What more `files` can hold."""
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
                f"{self._settings} is damaged: remove it; the promoted model must be chosen again."
            ) from error
        return dict(settings)

    def promoted(self) -> str | None:
        """The id of the run that answers, None while the base itself does."""
        run = self.settings().get("promoted")
        return str(run) if run else None

    def earlier(self) -> list[str | None]:
        """What answered before, the latest last: ids of runs, None for the base itself."""
        return [run for run, _ in self._earlier()]

    def _earlier(self) -> list[tuple[str | None, str | None]]:
        """(run, base chosen then) of each."""
        known = self.settings().get("earlier", [])
        return [(entry.get("run"), entry.get("base")) for entry in known]

    def promote(self, run: str | None, base: str | None = None) -> None:
        """Let `run` answer from now on (None: the base), `base` be the base that is tuned and asked
        unless another is named (None: as before); and remember what was until now.
        """
        now, chosen = self.promoted(), self.base()
        if (run, base or chosen) == (now, chosen):
            return
        earlier = [*self._earlier(), (now, chosen)][-MOST_EARLIER:]
        self._change_settings(promoted=run, base=base or chosen, earlier=_entries(earlier))

    def return_to(self, run: str | None) -> None:
        """Let `run`, one of `earlier`, answer again, on its base; what came after is forgotten."""
        known = self._earlier()
        last = max(number for number, (earlier, _) in enumerate(known) if earlier == run)
        base = known[last][1]
        self._change_settings(promoted=run, base=base, earlier=_entries(known[:last]))

    def withdraw(self, runs: Collection[str]) -> None:
        """Let none of `runs` answer, now or by rollback: what answered before them does."""
        earlier = [entry for entry in self._earlier() if entry[0] not in runs]
        now, base = self.promoted(), self.base()
        if now in runs:
            now, base = earlier.pop() if earlier else (None, base)
        self._change_settings(promoted=now, base=base, earlier=_entries(earlier))

    def base(self) -> str | None:
        """The name of the base model that this profile was last tuned on."""
        name = self.settings().get("base")
        return str(name) if name else None

    def _change_settings(self, **changes: Any) -> None:
        settings = self.settings() | changes
        write_atomically(self._settings, json.dumps(settings, indent=2) + "\n")

    def is_being_written(self) -> bool:
        """Whether a command holds the profile for writing just now."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.root / "writer.lock", mode=FILE_MODE, timeout=0):
                return False
        except Timeout:
            return True

    @contextmanager
    def writing(self, command: str, wait: float = WRITER_WAIT_SECONDS) -> Iterator[None]:
        """Hold the profile for one writer; waits `wait` seconds for another to finish.

        Raises ProfileBusy, naming the command and the process that hold it. The lock is the
        kernel's: it dies with the process that holds it.
        """
        with self._held("writer", "written", command, wait):
            yield

    @contextmanager
    def measuring(self, command: str, wait: float = 0.0) -> Iterator[None]:
        """Hold the profile for one command that keeps what it measures on the documents, beside
        whoever writes. Raises as `writing`.
        """
        with self._held("measuring", "measured", command, wait):
            yield

    @contextmanager
    def _held(self, name: str, what: str, command: str, wait: float) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self.root / f"{name}.lock", mode=FILE_MODE)
        note = self.root / f"{name}.json"
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            raise ProfileBusy(
                f"Profile '{self.name}' is being {what} by {_holder(note)}: "
                "wait for it to finish, or stop it, and run this again."
            ) from None
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
            lock.release()


def _unlocked(
    name: str, header: Header, secret: Callable[[str, Header], bytes] | None
) -> MasterKey:
    if header.state is not State.ENCRYPTED:
        what = "encrypt" if header.state is State.ENCRYPTING else "decrypt"
        raise ProfileLocked(
            f"Profile '{name}' is half {what}ed, as that was interrupted: run 'localpers profiles "
            f"{what} {name}' again, which goes on."
        )
    if secret is None:
        raise ProfileLocked(f"Profile '{name}' is encrypted: name it with --profile to open it.")
    return header.unlock(secret(name, header))


def _entries(earlier: Iterable[tuple[str | None, str | None]]) -> list[dict[str, str | None]]:
    return [{"run": run, "base": base} for run, base in earlier]


def _holder(note: Path) -> str:
    try:
        holder = json.loads(note.read_text())
        minutes = (time.time() - holder["since"]) / 60
        return f"'localpers {holder['command']}' (process {holder['pid']}, for {minutes:.0f} min)"
    except (OSError, ValueError, KeyError):
        return "another localpers command"
