"""Findings: where something that must not be learned stands, and of what kind it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Sensitive(StrEnum):
    """The kinds that are found without rules of the user."""

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
"""Kinds whose value is as secret where nothing around it tells what it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`text[start:end]` is of `kind`: a Sensitive one, or the name of a rule of the user.

    It never carries the text itself: what is reported, logged or printed is where it stands.
    """

    kind: str
    start: int
    end: int


def outermost(findings: Iterable[Finding]) -> list[Finding]:
    """In order, without those that lie within another one."""
    kept: list[Finding] = []
    for finding in sorted(findings, key=lambda found: (found.start, -found.end)):
        if not kept or finding.end > kept[-1].end:
            kept.append(finding)
    return kept
