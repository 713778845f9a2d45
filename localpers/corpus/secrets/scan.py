"""Scans all Documents for sensitive text before training, under the user's rules."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from localpers.corpus.secrets.contact import find_email_addresses, find_phone_numbers
from localpers.corpus.secrets.credentials import find_credentials
from localpers.corpus.secrets.findings import CREDENTIALS, Finding, outermost
from localpers.corpus.secrets.numbers import find_cards, find_ibans, find_national_ids
from localpers.corpus.secrets.postal import find_postal_addresses
from localpers.corpus.secrets.rules import Rules
from localpers.datatypes import StoredDocument

MIN_REPEATED_LENGTH = 8
"""Characters of a credential that is searched for in all documents."""
_MAX_REPEATED = 500
TITLE = -1
"""Offset of findings in a title, which is not part of the text."""


def scan_text(text: str, language: str, rules: Rules) -> list[Finding]:
    """Findings in `text`, sorted, without findings inside another.

    Raises LocalpersError if a user rule takes too long.
    """
    found = (
        finding
        for finding in _built_in(text, language)
        if finding.kind not in rules.ignore and not rules.allows(text[finding.start : finding.end])
    )
    return outermost([*found, *rules.find(text)])


def _built_in(text: str, language: str) -> Iterator[Finding]:
    yield from find_credentials(text)
    yield from find_cards(text)
    yield from find_ibans(text)
    yield from find_national_ids(text)
    yield from find_phone_numbers(text, language)
    yield from find_email_addresses(text)
    yield from find_postal_addresses(text)


def scan(
    documents: Sequence[StoredDocument],
    rules: Rules,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Mapping[int, list[Finding]]:
    """Document id → findings, with offsets into the text or TITLE.

    A password, key or token found in one place is found in all others, whatever surrounds it.
    """
    found: dict[int, list[Finding]] = defaultdict(list)
    values: dict[str, str] = {}
    for number, document in enumerate(documents, 1):
        for text, in_title in ((document.text, False), (document.title, True)):
            for finding in scan_text(text, document.language, rules):
                value = text[finding.start : finding.end]
                if finding.kind in CREDENTIALS and len(value) >= MIN_REPEATED_LENGTH:
                    values[value] = finding.kind
                found[document.id].append(
                    Finding(finding.kind, TITLE, TITLE) if in_title else finding
                )
        on_progress(number, len(documents))
    for id, repeated in _repeated(documents, values):
        found[id].append(repeated)
    return {id: outermost(findings) for id, findings in found.items()}


def _repeated(
    documents: Iterable[StoredDocument], values: Mapping[str, str]
) -> Iterator[tuple[int, Finding]]:
    # Longest first, so that no value hides a longer one that begins with it.
    known = sorted(values, key=len, reverse=True)[:_MAX_REPEATED]
    if not known:
        return
    expression = re.compile("|".join(map(re.escape, known)))
    for document in documents:
        for match in expression.finditer(document.text):
            yield document.id, Finding(values[match[0]], match.start(), match.end())
        for match in expression.finditer(document.title):
            yield document.id, Finding(values[match[0]], TITLE, TITLE)
