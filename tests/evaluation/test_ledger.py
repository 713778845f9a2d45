"""What was measured survives an interruption at any byte."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from localpers.evaluation.ledger import Ledger, OtherSettings

SETTINGS = {"seed": 0, "names": ("a", "b")}


@dataclass(frozen=True)
class Row:
    text: str
    value: float | None = None


def never() -> Row:
    pytest.fail("measured twice")


def test_rows_measured_after_a_line_was_cut_off_are_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Ledger(path, SETTINGS)
    first.measured(("trial", "base"), Row, lambda: Row("été", 0.1))
    first.measured(("trial", "rag"), Row, lambda: Row("lost"))
    path.write_bytes(path.read_bytes()[:-9])
    second = Ledger(path, SETTINGS)
    assert len(second) == 1 and ("trial", "rag") not in second
    second.measured(("trial", "peft"), Row, lambda: Row("later"))
    third = Ledger(path, SETTINGS)
    assert third.rows(Row) == [Row("été", 0.1), Row("later")]
    assert third.measured(("trial", "peft"), Row, never) == Row("later")
    assert not path.stat().st_mode & 0o077


def test_rows_of_other_settings_are_discarded_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    Ledger(path, SETTINGS).measured(("a",), Row, lambda: Row("a"))
    with pytest.raises(OtherSettings, match="seed"):
        Ledger(path, SETTINGS | {"seed": 1}, restart=False)
    assert len(Ledger(path, SETTINGS, restart=False)) == 1
    assert len(Ledger(path, SETTINGS | {"seed": 1})) == 0
