"""Forgotten documents, which must not be indexed again, as keyed hashes.

With a plain hash anyone who finds the file could test guesses of the forgotten text. The key is
random for each profile; whoever has the profile's folder can still test guesses.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from localpers.errors import LocalpersError
from localpers.profile import Profile, write_atomically

_KEY_BYTES = 32


def names_of(path: Path) -> frozenset[str]:
    """All absolute paths under which the index may contain `path`.

    `ingest` resolves links in the folder it is given, but keeps the names of links below it.
    """
    absolute = path.expanduser().absolute()
    return frozenset(
        str(Path(os.path.realpath(parent)) / absolute.relative_to(parent))
        for parent in (absolute, *absolute.parents)
    )


class Digests(NamedTuple):
    """Keyed hashes (HMAC-SHA-256, hexadecimal) of a forgotten document: its file, its part of the
    file, and its text anywhere. `part` and `text` are None for a whole file.
    """

    file: str
    part: str | None = None
    text: str | None = None


class Forgotten:
    """The forgotten documents of a profile: as on disk, with unsaved changes."""

    def __init__(self, path: Path, key: bytes, digests: Iterable[Digests]) -> None:
        self._path = path
        self._key = key
        self._use(digests)
        self._before = self._digests

    def _use(self, digests: Iterable[Digests]) -> None:
        self._digests = frozenset(digests)
        self._files = {row.file for row in self._digests if row.part is None}
        self._parts = {row.part for row in self._digests if row.part is not None}
        self._texts = {row.text for row in self._digests if row.text is not None}

    @classmethod
    def of(cls, profile: Profile) -> Forgotten:
        """Load from the profile. Raises LocalpersError if the file is damaged."""
        path = profile.files / "forgotten.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            rows = [Digests(**row) for row in content["forgotten"]]
            return cls(path, bytes.fromhex(content["key"]), rows)
        except FileNotFoundError:
            return cls(path, secrets.token_bytes(_KEY_BYTES), ())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LocalpersError(
                f"{path} is damaged: remove it, forget the documents again, then ingest."
            ) from error

    @property
    def changed(self) -> bool:
        """Whether there are unsaved changes."""
        return self._digests != self._before

    def save(self) -> None:
        rows = [row._asdict() for row in sorted(self._digests, key=repr)]
        content = {"key": self._key.hex(), "forgotten": rows}
        write_atomically(self._path, json.dumps(content, indent=1) + "\n")

    def of_file(self, path: str) -> Digests:
        return Digests(self._digest("file", path))

    def of_document(self, path: str, part: str, text: str) -> Digests:
        """Ignores white space in `text`; an empty text has no digest."""
        return Digests(
            self._digest("file", path),
            self._digest("part", f"{path}\0{part}"),
            self.text_digest(text),
        )

    def text_digest(self, text: str) -> str | None:
        words = " ".join(text.split())
        return self._digest("text", words) if words else None

    def add(self, digests: Iterable[Digests]) -> None:
        self._use((*self._digests, *digests))

    def refuses_file(self, path: str) -> bool:
        return bool(self._files) and self._digest("file", path) in self._files

    def refuses(self, path: str, part: str, text: str) -> bool:
        """Whether this document, or the same text elsewhere, was forgotten."""
        if not self._digests:
            return False
        asked = self.of_document(path, part, text)
        return asked.part in self._parts or asked.text in self._texts

    def take_back(self, path: str, text: str | None = None) -> None:
        """Accept the file again, and its `text` if given."""
        file = self._digest("file", path)
        digest = self.text_digest(text) if text is not None else None
        self._use(
            row
            for row in self._digests
            if row.file != file and (digest is None or row.text != digest)
        )

    def _digest(self, what: str, value: str) -> str:
        data = f"{what}\0".encode() + os.fsencode(value)
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Forgetting:
    """A forget in progress, on disk until it is complete; commands first finish an interrupted one.

    `hashes` are content hashes of the documents and their earlier versions, `files` the paths of
    whole files to remove, `digests` what to refuse from now on.
    """

    hashes: tuple[str, ...]
    files: tuple[str, ...]
    digests: tuple[Digests, ...]

    @staticmethod
    def path(profile: Profile) -> Path:
        return profile.files / "forgetting.json"

    def save(self, profile: Profile) -> None:
        write_atomically(self.path(profile), json.dumps(asdict(self)))

    @classmethod
    def interrupted(cls, profile: Profile) -> Forgetting | None:
        """Raises LocalpersError for a damaged file."""
        path = cls.path(profile)
        try:
            content = json.loads(path.read_text())
            digests = tuple(Digests(*row) for row in content["digests"])
            return cls(tuple(content["hashes"]), tuple(content["files"]), digests)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LocalpersError(
                f"{path} is damaged: remove it and forget the same documents again."
            ) from error
