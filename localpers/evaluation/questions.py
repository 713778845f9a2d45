"""Questions that the notes answer: does a model that writes like the person still use the notes?

A sentence is taken from a retrievable document and a distinctive word in it (a number, a name, an
identifier) withheld. The question is what is left of the sentence without its rarest words and
without the title's, since people ask in other words than they wrote. This works in any language and
needs no model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from random import Random

from localpers.assistant.assistant import Assistant
from localpers.assistant.attribution import Lexicon
from localpers.assistant.options import AnswerOptions
from localpers.datatypes import Block, BlockKind, RetrievedPassage, StoredDocument
from localpers.errors import LocalpersError
from localpers.evaluation.measuring import find_passages

ANSWER_TOKENS = 48
FEWEST_WORDS, MOST_WORDS = 8, 30
EARLIEST = 0.4
"""Least share of the sentence before the withheld word: it must say what is asked for."""
RAREST_DROPPED = 2
"""Words of a sentence that its question lacks, besides the withheld one and the title's: people ask
in other words than the note's."""
FEWEST_KEPT = 4
DISTINCTIVE = 0.5
"""Least idf worth asking for, as a share of that of a word which only one passage holds."""

_SENTENCE = re.compile(r"[^.!?。！？\n]+(?:[.!?](?=\S)[^.!?。！？\n]*)*[.!?。！？]?")
_WORD = re.compile(r"[^\W_](?:[\w.'’+#-]*[\w+#])?")
_MARKUP = re.compile(r"https?:|www\.|[`<>{}|\\\[\]]|^\s*[#>|]|={2,}|\*\*|__")


@dataclass(frozen=True, slots=True)
class NotesQuestion:
    """`text` is the request; `sentence` what the notes say, `term` the word withheld, `rest` the
    sentence from the term on. `document` is the id and `content_hash` the content of the source.
    """

    text: str
    sentence: str
    term: str
    rest: str
    document: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """`right`: the answer holds the term. `cited`: the answer cites the source. `nll`: nats per
    token of the true rest of the sentence, less noisy than right or wrong; NaN where it does not
    fit the context window. `retrieved`: the search found a passage of the source.
    """

    right: bool
    cited: bool
    nll: float
    retrieved: bool = False
    text: str = ""


def make_questions(
    documents: Sequence[StoredDocument], lexicon: Lexicon, most: int, seed: int = 0
) -> tuple[NotesQuestion, ...]:
    """At most `most` questions, one a document, the same for the same documents and seed."""
    order = sorted(documents, key=lambda document: (document.content_hash, document.id))
    Random(seed).shuffle(order)
    found: list[NotesQuestion] = []
    seen: set[str] = set()
    for document in order:
        if len(found) == most:
            break
        if document.content_hash in seen:
            continue
        seen.add(document.content_hash)
        chance = Random(f"{seed}:{document.content_hash}")
        candidates = list(_candidates(document, lexicon))
        facts = [question for question in candidates if _is_fact(question.term)]
        if candidates:
            found.append(chance.choice(facts or candidates))
    return tuple(found)


def _is_fact(term: str) -> bool:
    """A number, a name or an identifier: no other word could replace it."""
    return any(character.isdigit() or character.isupper() for character in term)


def _candidates(document: StoredDocument, lexicon: Lexicon) -> Iterator[NotesQuestion]:
    title = " ".join(document.title.split())
    for sentence in sentences_of(document.text, document.blocks):
        found = _distinctive(sentence, title, lexicon)
        if found is None:
            continue
        text = _paraphrase(sentence, found, title, lexicon)
        if text is None:
            continue
        yield NotesQuestion(
            text=text,
            sentence=sentence,
            term=found[0],
            rest=sentence[found.start() :],
            document=document.id,
            content_hash=document.content_hash,
        )


def _paraphrase(sentence: str, withheld: re.Match[str], title: str, lexicon: Lexicon) -> str | None:
    """What somebody might ask for the withheld word without the sentence's own rare words: the
    common words of the sentence, none of the title's. None where too few are left.
    """
    if " " not in sentence:
        return f"{sentence[: withheld.start()]}？"
    named = set(lexicon.terms(title))
    words = [w[0] for w in _WORD.finditer(sentence) if w.span() != withheld.span()]
    content = {w: lexicon.idf(lexicon.terms(w)[:1]) for w in words}
    rarest = sorted(content, key=lambda w: -content[w])[:RAREST_DROPPED]
    kept = [w for w in words if w not in rarest and not named.intersection(lexicon.terms(w))]
    return f"{' '.join(kept)}?" if len(kept) >= FEWEST_KEPT else None


def sentences_of(document: str, blocks: Iterable[Block]) -> Iterator[str]:
    """Sentences of the person's own prose in `blocks`, without markup, code and addresses."""
    for block in blocks:
        if block.kind not in (BlockKind.PARAGRAPH, BlockKind.LIST_ITEM):
            continue
        text = document[block.start : block.end]
        for match in _SENTENCE.finditer(" ".join(text.split())):
            sentence = match[0].strip()
            if _MARKUP.search(sentence) or sentence[-1:] not in ".!?。！？":
                continue
            if FEWEST_WORDS <= _length(sentence) <= MOST_WORDS:
                yield sentence


def _length(sentence: str) -> int:
    """In words; in a sentence without spaces, two characters count as one."""
    words = len(sentence.split())
    return words if words > 1 else len(sentence) // 2


def _distinctive(sentence: str, title: str, lexicon: Lexicon) -> re.Match[str] | None:
    """The word to withhold: the rarest that stands late enough, once, and not in the title."""
    earliest = EARLIEST * len(sentence)
    best: tuple[float, re.Match[str] | None] = (DISTINCTIVE * lexicon.rarest, None)
    for word in _WORD.finditer(sentence):
        shown = word[0].casefold()
        told = sentence.casefold().count(shown) > 1 or shown in title.casefold()
        if word.start() < earliest or len(shown) < 2 or told:
            continue
        terms = lexicon.terms(word[0])
        weight = max((lexicon.idf([term]) for term in terms), default=0.0) + _is_fact(word[0])
        if weight > best[0]:
            best = (weight, word)
    return best[1]


def ask_question(
    assistant: Assistant, question: NotesQuestion, options: AnswerOptions
) -> QuestionScore:
    """Ask and score; the result does not depend on what the assistant did before."""
    options = replace(options, max_tokens=ANSWER_TOKENS)
    passages = find_passages(assistant, question.text, options)
    assistant.reset()
    answer = assistant.answer(question.text, options)
    cited = [source for source in answer.sources if source.cited or source.attributed]
    return QuestionScore(
        right=_holds(answer.text, question.term),
        cited=any(source.passage.document == question.document for source in cited),
        nll=_nll(assistant, question, options, passages),
        retrieved=any(passage.document == question.document for passage in passages),
        text=answer.text,
    )


def _holds(text: str, term: str) -> bool:
    words = {word[0].casefold() for word in _WORD.finditer(text)}
    return term.casefold() in words or (not term.isascii() and term.casefold() in text.casefold())


def _nll(
    assistant: Assistant,
    question: NotesQuestion,
    options: AnswerOptions,
    passages: Sequence[RetrievedPassage],
) -> float:
    """Nats per token of the sentence from the term on, given the prompt and the words before it;
    NaN where all of it does not fit the context window.
    """
    before = question.sentence[: len(question.sentence) - len(question.rest)].rstrip()
    encode = assistant.engine.tokenizer.encode
    pairs = zip(encode(before), encode(question.sentence), strict=False)
    # A token that spans the boundary counts to what is asked for.
    told = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    try:
        # The words before the term belong to the answer: an activated adapter must read them.
        logs = assistant.answer_likelihood(
            question.text, question.sentence, options, passages=passages
        )
    except LocalpersError:
        return math.nan
    logs = logs[min(told, len(logs) - 1) :]
    return -float(logs.sum()) / len(logs)
