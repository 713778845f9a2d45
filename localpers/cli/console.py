"""Output of every command: results to stdout, notices to stderr."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Annotated, Any

import typer

SHOWN_ID = 12
"""Characters of a document id to print."""

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout and nothing else.")
]


_UNSEEN = "\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_CONTROLS = re.compile(f"[\x00-\x08\x0b-\x1f{_UNSEEN}]")
"""Terminal control characters, C1 forms included, and bidirectional overrides. Each is dropped by
itself, so that no sequence survives wherever a stream is cut."""
_NOT_ESCAPED_BY_JSON = re.compile(f"[{_UNSEEN}]")


def print_json(value: Any) -> None:
    """Print `value` as JSON; infinity and NaN become null."""
    document = json.dumps(
        _finite(value), ensure_ascii=False, indent=2, default=str, allow_nan=False
    )
    document = _NOT_ESCAPED_BY_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
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
    """A line on stderr that is not part of the result."""
    sys.stderr.write(printable(line) + "\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """`text` without terminal control sequences and with undecodable file names made visible."""
    visible = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return _CONTROLS.sub("", visible)


def inline(name: str) -> str:
    """A path or another name inside a line, with its line breaks escaped."""
    return printable(name.replace("\n", "\\n").replace("\t", "\\t"))
