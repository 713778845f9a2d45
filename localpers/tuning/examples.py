"""Documents → Examples: a person's notes are no instructions, so tasks are made of them.

Completions are the person's own words, cut at the borders of blocks. A part of the examples
carries passages from other, earlier documents, in the very prompt that serving uses: an adapter
that has seen retrieved passages while it was trained uses them better (docs/how-it-works.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from localpers.datatypes import (
    Block,
    BlockKind,
    Example,
    Kind,
    Message,
    RetrievedPassage,
    StoredDocument,
    TokenizedExample,
)
from localpers.errors import TooLittleText
from localpers.prompts import build_messages
from localpers.tuning.recipe import Recipe
from localpers.tuning.requests import Task, request
from localpers.weights.tokenizer import Tokenizer

FEWEST_DOCUMENTS = 20
FEWEST_WORDS = 5_000
LONGEST_COMPLETION = 256
"""Tokens."""
GIVEN_TOKENS = 128
"""Of the document, in the prompt of a task that goes on from it."""
MOST_CONTINUATIONS = 3
OPENING_SHARE = 0.2
"""Of a short text's words, given in the prompt (LaMP-7 gives 10 to 25%)."""
SHORTEST_COMPLETION = 8

Retrieve = Callable[[str, StoredDocument], Sequence[RetrievedPassage]]
"""(query, document asking) → passages of other, earlier documents."""

_WORD = re.compile(r"[^\W_]+")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def own_words(document: StoredDocument) -> int:
    """Words that the person wrote; two Chinese, Japanese or Korean characters count as one."""
    text = "".join(document.text[b.start : b.end] + "\n" for b in _own(document.blocks))
    cjk = len(_CJK.findall(text))
    return len(_WORD.findall(_CJK.sub(" ", text))) + cjk // 2


def require_enough(documents: Sequence[StoredDocument]) -> int:
    """The number of own words. Raises TooLittleText where learning would be guessing."""
    each = [count for count in map(own_words, documents) if count]
    words = sum(each)
    if len(each) < FEWEST_DOCUMENTS or words < FEWEST_WORDS:
        raise TooLittleText(
            f"There are {len(each)} documents with {words:,} words of your own; tuning needs "
            f"at least {FEWEST_DOCUMENTS} with {FEWEST_WORDS:,} to learn more than noise. "
            "Ingest more of your writing; 'ask' works without tuning."
        )
    return words


@dataclass(frozen=True, slots=True)
class _Text:
    """A document's own words as pieces that may be kept or cut, with their lengths in tokens."""

    title: str
    pieces: tuple[str, ...]
    tokens: tuple[int, ...]

    def take(self, start: int, most: int) -> tuple[str, int]:
        """(text, end): whole pieces from `start` on, at least one, up to about `most` tokens."""
        end, taken = start, 0
        while end < len(self.pieces) and (end == start or taken + self.tokens[end] <= most):
            taken += self.tokens[end]
            end += 1
        return "".join(self.pieces[start:end]).strip(), end


class ExampleMaker:
    """Makes Examples that fit `recipe.max_length` tokens; the same for the same documents.

    `hashes` gives the content hash of every document that `retrieve` may return a passage of.
    """

    def __init__(
        self, tokenizer: Tokenizer, recipe: Recipe, retrieve: Retrieve, hashes: Mapping[int, str]
    ) -> None:
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._retrieve = retrieve
        self._hashes = hashes

    def training(
        self, documents: Iterable[StoredDocument]
    ) -> Iterator[tuple[Example, TokenizedExample]]:
        """The training examples of the documents, retrieval in `retrieval_share` of them."""
        for document in documents:
            chance = Random(f"{self._recipe.seed}:{document.content_hash}")
            for task, given, completion in self.tasks(document):
                text = request(task, document.kind, given, chance)
                query = document.title if task is Task.WRITE else given
                with_passages = chance.random() < self._recipe.retrieval_share
                passages = self._retrieve(query, document) if with_passages else ()
                example = self._example(document, task, text, completion, passages)
                if example:
                    yield example

    def fitting(self, task: Task, text: str, completion: str, most: int) -> str | None:
        """The completion of the request `text`, halved where both are longer than `most` tokens;
        None where it is still too long, or too short to tell anything.
        """
        prompt = build_messages(text)
        for words in (completion, _shortened(completion)):
            ids = self._tokenizer.example_ids((*prompt, Message("assistant", words)))
            if ids.length <= most:
                short = task is not Task.TITLE and len(ids.completion) < SHORTEST_COMPLETION
                return None if short else words
        return None

    def tasks(self, document: StoredDocument) -> Iterator[tuple[Task, str, str]]:
        """(task, what is given, completion) in a fixed order, a task several times where the
        document is long; completions are not cut to any length yet.
        """
        text = self._text(document)
        if not text.pieces:
            return
        start, end_of_start = text.take(0, LONGEST_COMPLETION)
        if text.title:
            yield Task.WRITE, text.title, start
            yield Task.TITLE, start, text.title
        if len(text.pieces) == 1 or document.kind in (Kind.POST, Kind.MESSAGE):
            opening, rest = _after_opening(start)
            if rest:
                yield Task.OPENING, opening, rest
            return
        opening, at = text.take(0, GIVEN_TOKENS // 2)
        completion, _ = text.take(at, LONGEST_COMPLETION)
        if completion:
            yield Task.OPENING, opening, completion
        at = end_of_start
        for _ in range(MOST_CONTINUATIONS):
            if at >= len(text.pieces):
                return
            completion, end = text.take(at, LONGEST_COMPLETION)
            yield Task.CONTINUE, self._before(text, at), completion
            at = end

    def _before(self, text: _Text, at: int) -> str:
        start, taken = at - 1, text.tokens[at - 1]
        while start > 0 and taken + text.tokens[start - 1] <= GIVEN_TOKENS:
            start -= 1
            taken += text.tokens[start]
        given = "".join(text.pieces[start:at]).strip()
        return f"{text.title}\n\n{given}" if text.title else given

    def _text(self, document: StoredDocument) -> _Text:
        blocks = list(_own(document.blocks))
        title = " ".join(document.title.split())
        if blocks and _plain(document.text[blocks[0].start : blocks[0].end]) == _plain(title):
            blocks = blocks[1:]
        pieces: list[str] = []
        for number, block in enumerate(blocks):
            last = number + 1 == len(blocks)
            gap = "" if last else _gap(document.text, block, blocks[number + 1])
            pieces.append(document.text[block.start : block.end].rstrip() + gap)
        # A title that is just how the text begins says nothing about titles.
        told = bool(pieces) and not _plain(pieces[0]).startswith(_plain(title).rstrip("….")[:40])
        named = told and document.kind not in (Kind.POST, Kind.MESSAGE) and len(title) > 1
        return _Text(
            title if named else "",
            tuple(pieces),
            tuple(len(self._tokenizer.encode(piece)) for piece in pieces),
        )

    def _example(
        self,
        document: StoredDocument,
        task: Task,
        text: str,
        completion: str,
        passages: Sequence[RetrievedPassage],
    ) -> tuple[Example, TokenizedExample] | None:
        """The Example with as many of the passages, and of the completion, as fit."""
        for count in range(len(passages), -1, -1):
            used = passages[:count]
            prompt = build_messages(text, used)
            for words in (completion, _shortened(completion)):
                messages = (*prompt, Message("assistant", words))
                ids = self._tokenizer.example_ids(messages)
                if ids.length > self._recipe.max_length:
                    continue
                if task is not Task.TITLE and len(ids.completion) < SHORTEST_COMPLETION:
                    return None
                example = Example(
                    messages=messages,
                    task=task.value,
                    kind=document.kind,
                    document=document.id,
                    content_hash=document.content_hash,
                    sources=tuple(self._hashes[passage.document] for passage in used),
                )
                return example, ids
        return None


def _own(blocks: Iterable[Block]) -> Iterator[Block]:
    return (block for block in blocks if block.kind is not BlockKind.QUOTE)


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(text.casefold()))


def _gap(text: str, block: Block, following: Block) -> str:
    """The blank lines between two blocks as written; a plain break where something was left out."""
    between = text[block.end : following.start]
    return "\n\n" if between.strip() or not between else between


def _after_opening(text: str) -> tuple[str, str]:
    words = list(re.finditer(r"\S+\s*", text))
    if len(words) < SHORTEST_COMPLETION:
        return text, ""
    at = words[max(2, round(len(words) * OPENING_SHARE))].start()
    return text[:at].rstrip(), text[at:]


def _shortened(completion: str) -> str:
    """The first half of a completion, ending with a line."""
    half = completion[: len(completion) // 2]
    return half.rpartition("\n")[0].strip() or half.strip()
