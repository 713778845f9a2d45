"""What every command prints is well formed, whatever it measured."""

from __future__ import annotations

import json
import math

import pytest

from localpers.cli.console import inline, print_json, printable


def test_json_has_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1.5, math.nan], "b": ({"c": math.inf},)})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None], "b": [{"c": None}]}


HOSTILE = "a\x1b]0;owned\x07b\x9b31mc\x1b[2Jd\re\x08f\u202eg\u2066h\x7f"


def test_no_terminal_sequence_survives_wherever_the_text_is_cut() -> None:
    whole = printable(HOSTILE)
    assert not set(whole) & set("\x1b\x07\x9b\r\x08\u202e\u2066\x7f")
    for cut in range(len(HOSTILE)):
        assert printable(HOSTILE[:cut]) + printable(HOSTILE[cut:]) == whole
    assert printable("tabs\tand\nlines, \N{HEBREW LETTER ALEF}\u200f\u200d stay") == (
        "tabs\tand\nlines, \N{HEBREW LETTER ALEF}\u200f\u200d stay"
    )


def test_a_name_stays_within_its_line() -> None:
    assert inline("a\n[1] forged\tb\x1b[1m") == r"a\n[1] forged\tb[1m"


def test_json_keeps_controls_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"text": HOSTILE})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"text": HOSTILE}
    assert not set(printed) & set("\x1b\x07\x9b\r\x08\u202e\u2066\x7f")
