"""Kinds and positions of sensitive text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Sensitive(StrEnum):
    """Kinds found without user rules."""

    API_KEY = "api key"
    PRIVATE_KEY = "private key"
    PASSWORD = "password"
    TOKEN = "token"
    CARD = "card number"
    IBAN = "iban"
    NATIONAL_ID = "national id"
    PHONE = "phone number"
    EMAIL = "e-mail address"
    ADDRESS = "postal address"


CREDENTIALS = frozenset({Sensitive.API_KEY, Sensitive.PASSWORD, Sensitive.TOKEN})
"""Kinds whose value is also searched for without context."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`text[start:end]` is of `kind`: a Sensitive kind, or the name of a user rule.

    It never holds the text itself, so that none can be logged.
    """

    kind: str
    start: int
    end: int


def outermost(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted, without findings inside another."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda found: (found.start, -found.end)):
        if not kept or finding.end > kept[-1].end:
            kept.append(finding)
    return kept
