"""What was measured survives an interruption at any byte."""

from __future__ import annotations

from pathlib import Path

from localpers.evaluation.results import Ledger

SETTINGS = {"seed": 0}


def test_rows_measured_after_a_line_was_cut_off_are_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    first = Ledger(path, SETTINGS)
    first.put(("trial", "base"), {"text": "été"})
    first.put(("trial", "rag"), {"text": "lost"})
    path.write_bytes(path.read_bytes()[:-9])
    second = Ledger(path, SETTINGS)
    assert len(second) == 1 and second.get(("trial", "rag")) is None
    second.put(("trial", "peft"), {"text": "later"})
    third = Ledger(path, SETTINGS)
    assert len(third) == 2 and third.get(("trial", "peft")) == {"text": "later"}
    assert third.get(("trial", "base")) == {"text": "été"} and not path.stat().st_mode & 0o077
    assert len(Ledger(path, {"seed": 1})) == 0
