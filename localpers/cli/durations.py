"""Times as a user writes them."""

from __future__ import annotations

import math
import re

import typer

UNITS = {"s": 1, "m": 60, "h": 3600}


def seconds_in(text: str, default_unit: str = "m") -> float:
    """`90s`, `10m`, `2h`, or `none` for infinite, in seconds. Raises typer.BadParameter."""
    if text == "none":
        return math.inf
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip().lower())
    if not found or not float(found[1]):
        raise typer.BadParameter(f"'{text}' is not a duration: write 90s, 10m, 2h or none.")
    return float(found[1]) * UNITS[found[2] or default_unit]
