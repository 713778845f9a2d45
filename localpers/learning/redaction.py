"""Keeps out of training: secrets, with the sentence or block around them, and texts by others.

Search and ask still find all of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from localpers.corpus.authors import Authors, find_authors, is_transcript
from localpers.corpus.secrets.findings import Finding
from localpers.corpus.secrets.rules import FILE, Rules
from localpers.corpus.secrets.scan import TITLE, scan
from localpers.datatypes import Block, BlockKind, Kind, RetrievedPassage, StoredDocument
from localpers.encryption.files import wipe
from localpers.profile import Profile, write_atomically
from localpers.runs.records import RedactionCounts

SHORTEST_REST = 12
"""Characters: less that is left of a paragraph is no sentence."""
# A sentence ends after a word of some length, or a number: "Dr. Smith" goes on.
_SENTENCE_END = re.compile(
    r"(?:(?<=[^\W\d_]{3})|(?<=[\d)\]\"'”’»]))[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[」』”]?\s*|\n[ \t]*\n"
)
_IN_SENTENCES = frozenset({BlockKind.PARAGRAPH, BlockKind.QUOTE})


@dataclass(frozen=True, slots=True)
class RedactedPlace:
    """One place: `kind` stands at `line` (1-based) of the file; None in a title, or where the
    lines of a text are none of its file.
    """

    path: str
    part: str
    line: int | None
    kind: str


@dataclass(frozen=True, slots=True)
class Redaction:
    """The documents without what must not be learned, and where something was cut."""

    documents: tuple[StoredDocument, ...]
    places: tuple[RedactedPlace, ...]
    mails: Authors
    messages: Authors
    transcripts: frozenset[int]
    """Documents that are a chat of several people, written line by line."""
    findings: Mapping[int, Sequence[Finding]]
    """By document, offsets into its text."""
    rules: str
    """Fingerprint of the user's rules."""

    def touches(self, passage: RetrievedPassage) -> bool:
        """Whether something that must not be learned stands in the passage or its title."""
        return any(
            finding.start == TITLE or (finding.start < passage.end and passage.start < finding.end)
            for finding in self.findings.get(passage.document, ())
        )

    def counts(self) -> RedactionCounts:
        """`kinds` with the most frequent first."""
        return RedactionCounts(
            places=len(self.places),
            documents=len({(place.path, place.part) for place in self.places}),
            kinds=dict(Counter(place.kind for place in self.places).most_common()),
            mails_of_others=len(self.mails.others),
            messages_of_others=len(self.messages.others),
            transcripts=len(self.transcripts),
        )

    def lines(self) -> list[str]:
        """What a user is told before training, in a line each; none where nothing is held back."""
        told = []
        if self.places:
            counts = self.counts()
            number, documents = counts.places, counts.documents
            kinds = ", ".join(f"{count} {kind}" for kind, count in counts.kinds.items())
            told.append(
                f"Not learned: {number} place{'s' * (number > 1)} in {documents} "
                f"document{'s' * (documents > 1)} ({kinds}); --dry-run lists them."
            )
        told += _find_authors(self.mails, "mails", "addresses")
        told += _find_authors(self.messages, "messages", "names")
        if number := len(self.transcripts):
            told.append(f"{number} chats of several people, as text, are searched, not learned.")
        return told


def redact(
    documents: Sequence[StoredDocument],
    rules: Rules,
    first_lines: Callable[[Sequence[int]], Mapping[int, int | None]],
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Redaction:
    """`first_lines` gives the line of the file at which a document's text begins.

    Raises LocalpersError where a rule of the user takes too long.
    """
    mails = find_authors(documents, Kind.EMAIL, rules)
    messages = find_authors(documents, Kind.MESSAGE, rules)
    # What mails by the user hold of their own address is theirs, and no secret.
    fields = rules.model_dump() | {"addresses": (*rules.addresses, *mails.own)}
    found = scan(documents, Rules(**fields), on_progress)
    transcripts = frozenset(one.id for one in documents if is_transcript(one.text))
    others = mails.others | messages.others | transcripts
    lines = first_lines(sorted(found))
    return Redaction(
        documents=tuple(
            _quoted(document)
            if document.id in others
            else _cut(document, found.get(document.id, ()))
            for document in documents
        ),
        places=tuple(
            RedactedPlace(
                document.path, document.part, _line(document, finding, lines), finding.kind
            )
            for document in documents
            for finding in _reported(found.get(document.id, ()))
        ),
        mails=mails,
        messages=messages,
        transcripts=transcripts,
        findings=found,
        rules=fingerprint(rules),
    )


def rules_of(profile: Profile) -> Rules:
    """The profile's own; what lies in the clear beside an encrypted profile is taken into it.

    Raises as Rules.load does.
    """
    laid_down = profile.root / FILE
    if profile.vault is not None and laid_down.exists():
        Rules.load(profile.root)
        write_atomically(profile.files / FILE, laid_down.read_bytes())
        wipe(laid_down)
    return Rules.load(profile.files)


def fingerprint(rules: Rules) -> str:
    """Changes with every change of the rules."""
    return hashlib.sha256(rules.model_dump_json().encode()).hexdigest()[:16]


def fingerprint_of_rules(profile: Profile) -> str:
    return fingerprint(rules_of(profile))


def cut_blocks(text: str, blocks: Sequence[Block], findings: Sequence[Finding]) -> list[Block]:
    """`blocks` without what is found: paragraphs lose the sentences it stands in, other blocks (an
    item, a table, code, a heading) make no sense in parts and go as a whole.
    """
    kept: list[Block] = []
    for block in blocks:
        within = [f for f in findings if f.start < block.end and block.start < f.end]
        if not within:
            kept.append(block)
        elif block.kind in _IN_SENTENCES:
            kept += _rests(text, block, within)
    return kept


def _rests(text: str, block: Block, within: Sequence[Finding]) -> Iterator[Block]:
    ends = [m.end() for m in _SENTENCE_END.finditer(text, block.start, block.end)]
    borders = sorted({block.start, *ends, block.end})
    at = block.start
    for finding in within:
        first = borders[max(0, bisect_right(borders, max(finding.start, block.start)) - 1)]
        last = borders[bisect_left(borders, min(finding.end, block.end))]
        yield from _rest(text, block, at, first)
        at = max(at, last)
    yield from _rest(text, block, at, block.end)


def _rest(text: str, block: Block, start: int, end: int) -> Iterator[Block]:
    piece = text[start:end]
    if len(piece.strip()) >= SHORTEST_REST:
        start += len(piece) - len(piece.lstrip())
        yield dataclasses.replace(block, start=start, end=start + len(piece.strip()))


def _cut(document: StoredDocument, findings: Sequence[Finding]) -> StoredDocument:
    if not findings:
        return document
    blocks = cut_blocks(document.text, document.blocks, [f for f in findings if f.start != TITLE])
    title = "" if any(finding.start == TITLE for finding in findings) else document.title
    return dataclasses.replace(document, title=title, blocks=tuple(blocks))


def _quoted(document: StoredDocument) -> StoredDocument:
    blocks = (Block(BlockKind.QUOTE, block.start, block.end) for block in document.blocks)
    return dataclasses.replace(document, blocks=tuple(blocks))


def _reported(findings: Sequence[Finding]) -> Iterator[Finding]:
    """A title is mostly a heading, or the first line, of its text: reported once."""
    in_text = {finding.kind for finding in findings if finding.start != TITLE}
    return (f for f in findings if f.start != TITLE or f.kind not in in_text)


def _line(
    document: StoredDocument, finding: Finding, first_lines: Mapping[int, int | None]
) -> int | None:
    first = first_lines.get(document.id)
    if first is None or finding.start == TITLE:
        return None
    return first + document.text.count("\n", 0, finding.start)


def _find_authors(authors: Authors, what: str, field: str) -> list[str]:
    number = len(authors.others)
    if not number:
        return []
    if authors.how == "unknown":
        return [
            f"None of the {number} {what} is learned: which of {authors.senders} senders is you? "
            f"Name yourself in {FILE} in the profile's folder ({field} = [...])."
        ]
    by = {
        "stated": f"stated in {FILE}",
        "sent": "who wrote the mail in the folder of sent mail",
        "participation": f"in nearly all of them; {field} in {FILE} overrules that",
    }[authors.how]
    return [
        f"{number} {what} of {authors.senders} others are searched, not learned; "
        f"yours are those of {', '.join(authors.own) or 'nobody here'} ({by})."
    ]
