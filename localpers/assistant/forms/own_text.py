"""What of a document the person wrote, apart from its title."""

from __future__ import annotations

import re

from localpers.datatypes import BlockKind, StoredDocument

_WORD = re.compile(r"[^\W_]+")


def body(document: StoredDocument) -> str:
    """The person's own blocks (no quotations), without a heading that repeats the title."""
    blocks = [block for block in document.blocks if block.kind is not BlockKind.QUOTE]
    texts = [document.text[block.start : block.end].strip() for block in blocks]
    if texts and _folded(texts[0]) == _folded(document.title):
        texts = texts[1:]
    return "\n\n".join(text for text in texts if text)


def title_and_body(document: StoredDocument) -> tuple[str, str]:
    """("", "") where the title is missing or is just how the text begins: it says nothing then."""
    title, text = " ".join(document.title.split()), body(document)
    told = (
        len(title) > 1 and text and not _folded(text).startswith(_folded(title).rstrip("….")[:40])
    )
    return (title, text) if told else ("", "")


def _folded(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))
