"""What every command shares: where output goes. Results to stdout, notices to stderr."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")
]


def print_json(value: Any) -> None:
    document = json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"
    # A file name that is not UTF-8 holds lone surrogates: JSON's own escapes carry them.
    sys.stdout.write(document.encode("utf-8", "backslashreplace").decode())


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
