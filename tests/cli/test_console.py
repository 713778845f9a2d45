"""What every command prints is well formed, whatever it measured."""

from __future__ import annotations

import json
import math

import pytest

from localpers.cli.console import print_json


def test_json_has_null_for_what_is_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [1.5, math.nan], "b": ({"c": math.inf},)})
    assert json.loads(capsys.readouterr().out) == {"a": [1.5, None], "b": [{"c": None}]}
