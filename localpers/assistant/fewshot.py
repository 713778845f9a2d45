"""Few-shot prompts: the person's own pairs as exchanges, the most similar one next to the text.

Pairs that are texts alone stand in a list before the request. Lengths are in tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from localpers.assistant.forms.form import Form
from localpers.datatypes import Message, Pair, RetrievedPassage

if TYPE_CHECKING:
    from localpers.assistant.notes import Notes
    from localpers.weights.tokenizer import Tokenizer

EXAMPLES = 4
EXAMPLE_TOKENS = 56
"""To which each side of an example is cut."""
FEWEST_TOKENS = 8
"""To which examples are cut before some are dropped."""
MISSING = "..."
"""In the place of the text, for what a model would write about anything."""
DOCUMENTS_PER_EXAMPLE = 4
"""Searched, as not every document holds a pair of the form."""
LONGEST_QUERY = 400
"""Characters."""


def few_shot(
    form: Form, tokenizer: Tokenizer, text: str, examples: Sequence[Pair], room: int
) -> tuple[Message, ...]:
    """The prompt for `text` with examples, best first, in at most `room` tokens: examples are
    shortened alike, then dropped, and only then is the text cut at its end.
    """
    usable = [pair for pair in examples if pair.given and (pair.wanted or form.listed)]
    tokens, instruction = EXAMPLE_TOKENS, form.instruction
    while True:
        built = _messages(form, tokenizer, instruction, text, usable, tokens)
        excess = len(tokenizer.prompt_ids(built)) - room
        if excess <= 0:
            return built
        if usable and tokens > FEWEST_TOKENS:
            tokens //= 2
        elif usable:
            usable = usable[:-1]
        elif shorter := _without_end(tokenizer, text, excess):
            text = shorter
        elif shorter := _without_end(tokenizer, instruction, excess):
            instruction = shorter
        else:
            return built


def shortened(tokenizer: Tokenizer, text: str, tokens: int) -> str:
    """The beginning of `text`, cut between words if it has any."""
    text = text.strip()
    ids = tokenizer.encode(text)
    if len(ids) <= tokens:
        return text
    cut = tokenizer.decode(ids[:tokens]).strip().rstrip("\ufffd")
    parts = cut.rsplit(maxsplit=1)
    return parts[0] if len(parts) == 2 and len(parts[1]) < len(cut) // 2 else cut


def find_examples(
    notes: Notes, form: Form, text: str, k: int, retriever: str
) -> tuple[list[Pair], list[RetrievedPassage]]:
    """The person's own pairs most like `text`, best first, and the passages of their documents.

    A pair made from `text` itself is left out: it would give the answer away.
    """
    if not k:
        return [], []
    hits = notes.find(text[:LONGEST_QUERY], k * DOCUMENTS_PER_EXAMPLE, retriever)
    first = {hit.document: hit for hit in reversed(hits)}
    documents = notes.documents(first)
    pairs: list[Pair] = []
    passages: list[RetrievedPassage] = []
    for id in dict.fromkeys(hit.document for hit in hits):
        found = form.pairs(documents[id]) if id in documents else iter(())
        pair = next((pair for pair in found if not _same_text(pair.given, text)), None)
        if pair and len(pairs) < k:
            pairs.append(pair)
            passages.append(first[id])
    return pairs, passages


def _same_text(one: str, other: str) -> bool:
    """Whether one holds the other, however it is wrapped."""
    one, other = " ".join(one.split()), " ".join(other.split())
    return one in other or other in one


def _messages(
    form: Form,
    tokenizer: Tokenizer,
    instruction: str,
    text: str,
    examples: Sequence[Pair],
    tokens: int,
) -> tuple[Message, ...]:
    def short(side: str) -> str:
        return shortened(tokenizer, side, tokens)

    question = Message("user", instruction + text)
    best_last = list(reversed(examples))
    if form.listed and examples:
        lines = "\n".join(f"- {short(pair.given)}" for pair in best_last)
        return (Message("user", f"{form.listed}\n{lines}\n\n{question.content}"),)
    turns: list[Message] = []
    for pair in best_last:
        turns.append(Message("user", instruction + short(pair.given)))
        turns.append(Message("assistant", short(pair.wanted)))
    return (*turns, question)


def _without_end(tokenizer: Tokenizer, text: str, tokens: int) -> str:
    """`text` without about so many tokens at its end, "" where that leaves it no shorter."""
    left = max(FEWEST_TOKENS, len(tokenizer.encode(text)) - tokens)
    shorter = shortened(tokenizer, text, left)
    return shorter if len(shorter) < len(text.strip()) else ""
