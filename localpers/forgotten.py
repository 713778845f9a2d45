"""What must not be taken back: keyed hashes of what was forgotten, outside of the index.

A plain hash would let anybody who finds the file test a guess at what was forgotten. The key is
random and the profile's own; with the profile's folder in hand a guess can still be tested.
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
    """Every absolute name of `path` that the index may know it by: a walk resolves the links in the
    folder that it was given, and keeps the names of links that it meets below.
    """
    absolute = path.expanduser().absolute()
    return frozenset(
        str(Path(os.path.realpath(parent)) / absolute.relative_to(parent))
        for parent in (absolute, *absolute.parents)
    )


class Digests(NamedTuple):
    """Keyed hashes (HMAC-SHA-256, hexadecimal) of one forgotten document, or of a whole file where
    `part` and `text` are None. They refuse the file, this part of it, and the text anywhere.
    """

    file: str
    part: str | None = None
    text: str | None = None


class Forgotten:
    """What a profile must not take back, as it is on disk and after `add` and `take_back`."""

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
        """Raises LocalpersError for a damaged file: what it kept out must not come back unseen."""
        path = profile.files / "forgotten.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            rows = [Digests(**row) for row in content["forgotten"]]
            return cls(path, bytes.fromhex(content["key"]), rows)
        except FileNotFoundError:
            return cls(path, secrets.token_bytes(_KEY_BYTES), ())
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LocalpersError(
                f"{path} is damaged: remove it, forget again what must stay out, then ingest."
            ) from error

    @property
    def changed(self) -> bool:
        """Whether it differs from what is on disk."""
        return self._digests != self._before

    def save(self) -> None:
        rows = [row._asdict() for row in sorted(self._digests, key=repr)]
        content = {"key": self._key.hex(), "forgotten": rows}
        write_atomically(self._path, json.dumps(content, indent=1) + "\n")

    def of_file(self, path: str) -> Digests:
        return Digests(self._digest("file", path))

    def of_document(self, path: str, part: str, text: str) -> Digests:
        """`text` counts without its white space, and not at all where there is nothing else."""
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
        """Whether this document, or its text from elsewhere, was forgotten."""
        if not self._digests:
            return False
        asked = self.of_document(path, part, text)
        return asked.part in self._parts or asked.text in self._texts

    def take_back(self, path: str, text: str | None = None) -> None:
        """Refuse the file no more, nor, where it is given, its text."""
        file = self._digest("file", path)
        words = self.text_digest(text) if text is not None else None
        self._use(
            row
            for row in self._digests
            if row.file != file and (words is None or row.text != words)
        )

    def _digest(self, what: str, value: str) -> str:
        data = f"{what}\0".encode() + os.fsencode(value)
        return hmac.new(self._key, data, hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class Forgetting:
    """A forget under way, on disk until it is complete: what is left of one is finished before
    any other command goes on.

    `hashes` are content hashes of documents, of earlier versions too; `files` paths of files that
    go as a whole; `digests` what will be refused.
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
                f"{path} is damaged: remove it, and forget the same documents again."
            ) from error
