"""Ledger: rows on disk as they are measured, so that an interrupted measurement resumes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from localpers.encryption.vault import keep
from localpers.errors import LocalpersError
from localpers.profile import write_atomically

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Row = TypeVar("Row", bound="DataclassInstance")


class OtherSettings(LocalpersError):
    """The file holds rows measured under other settings, `differing` by name."""

    def __init__(self, path: Path, differing: Sequence[str]) -> None:
        super().__init__(f"{path} holds results of other settings ({', '.join(differing)}).")
        self.differing = differing


class Ledger:
    """A JSON Lines file: the settings first, then {"key": [...], "row": {...}} per line.

    Rows are dataclasses, one type per kind of key; the caller says which. A line cut off by an
    interruption is dropped.
    """

    def __init__(self, path: Path, settings: Mapping[str, Any], *, restart: bool = True) -> None:
        """Rows of other settings are discarded, or with `restart` False OtherSettings is raised."""
        self.path = path
        self._rows: dict[tuple[str, ...], dict[str, Any]] = {}
        head = json.loads(json.dumps(settings))
        lines = list(_whole_lines(path))
        if lines and lines[0] == head:
            self._rows = {tuple(line["key"]): line["row"] for line in lines[1:] if "key" in line}
        elif lines and not restart:
            names = sorted({*lines[0], *head})
            differing = [name for name in names if lines[0].get(name) != head.get(name)]
            raise OtherSettings(path, differing)
        rows = (_line(key, row) for key, row in self._rows.items())
        write_atomically(path, "".join((json.dumps(head, sort_keys=True) + "\n", *rows)))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: tuple[str, ...]) -> bool:
        return key in self._rows

    def rows(self, kind: type[Row]) -> list[Row]:
        """All rows, where they are of one kind, in the order in which they were measured."""
        return [kind(**row) for row in self._rows.values()]

    def measured(self, key: tuple[str, ...], kind: type[Row], measure: Callable[[], Row]) -> Row:
        """The row under `key`: from the file, else measured now and appended."""
        if key not in self._rows:
            row = dataclasses.asdict(measure())
            with self.path.open("a", encoding="utf-8") as file:
                file.write(_line(key, row))
            keep(self.path)
            self._rows[key] = row
        return kind(**self._rows[key])

    def remove(self) -> None:
        """Delete the file: its rows are kept elsewhere now."""
        self.path.unlink(missing_ok=True)


def _line(key: tuple[str, ...], row: dict[str, Any]) -> str:
    return json.dumps({"key": key, "row": row}) + "\n"


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return
    for line in text.split("\n"):
        try:
            row = json.loads(line)
        except ValueError:
            return
        if isinstance(row, dict):
            yield row
