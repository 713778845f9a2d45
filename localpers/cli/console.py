"""What every command shares: where output goes. Results to stdout, notices to stderr."""

from __future__ import annotations

import json
import math
import sys
from typing import Annotated, Any

import typer

SHOWN_ID = 12
"""Characters of a content hash, a document's id: enough to tell documents apart."""

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")
]


def print_json(value: Any) -> None:
    """What JSON has no number for, infinite or undefined, is null."""
    document = json.dumps(
        _finite(value), ensure_ascii=False, indent=2, default=str, allow_nan=False
    )
    # A file name that is not UTF-8 holds lone surrogates: JSON's own escapes carry them.
    sys.stdout.write(document.encode("utf-8", "backslashreplace").decode() + "\n")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


def say(line: str = "") -> None:
    """A line of the result, for a person."""
    sys.stdout.write(printable(line) + "\n")


def notice(line: str) -> None:
    """Progress and remarks, never part of the result."""
    sys.stderr.write(printable(line) + "\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """`text` without terminal control sequences and with undecodable file names made visible."""
    visible = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c for c in visible if c in "\n\t" or (c >= " " and not "\x7f" <= c <= "\x9f"))
