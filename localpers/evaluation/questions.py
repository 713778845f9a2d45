"""Questions that the notes answer: does a model that writes like the person still use the notes?

Known sentence → question: of a sentence in a document that may be retrieved, a distinctive word (a
number, a name, an identifier) is withheld, and the model is asked to complete the sentence. It
works in any language and needs no model to write questions; it asks for a fact that stands in the
notes and nowhere else.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from localpers.assistant.answer import Answer
from localpers.assistant.attribution import Lexicon
from localpers.assistant.conversation import Conversation
from localpers.assistant.generation import generate
from localpers.assistant.options import ResolvedOptions
from localpers.datatypes import Block, BlockKind, Message, RetrievedPassage, StoredDocument
from localpers.errors import LocalpersError
from localpers.inference.engine import Engine
from localpers.prompts import build_messages

ANSWER_TOKENS = 48
FEWEST_WORDS, MOST_WORDS = 8, 30
EARLIEST = 0.4
"""Share of the sentence that stands before the withheld word, at least: it must tell what is asked
for."""
DISTINCTIVE = 0.5
"""Of the idf of a word that one passage alone holds: what is worth asking for."""

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
    """`right`: the term stands in the answer. `cited`: the source is among what the answer cites.
    `nll`: nats per token of the true rest of the sentence, which is less noisy than right or
    wrong; NaN where it does not fit the window. `retrieved`: a passage of the source stood in the
    prompt.
    """

    right: bool
    cited: bool
    nll: float
    retrieved: bool
    text: str


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
    """A number, a name or an identifier, which no other word could stand for."""
    return any(character.isdigit() or character.isupper() for character in term)


def _candidates(document: StoredDocument, lexicon: Lexicon) -> Iterator[NotesQuestion]:
    title = " ".join(document.title.split())
    for sentence in sentences_of(document.text, document.blocks):
        found = _distinctive(sentence, title, lexicon)
        if found is None:
            continue
        before, term = sentence[: found.start()].rstrip(), found[0]
        yield NotesQuestion(
            text=f"Quote the whole sentence from “{title}” that begins: “{before}”",
            sentence=sentence,
            term=term,
            rest=sentence[found.start() :],
            document=document.id,
            content_hash=document.content_hash,
        )


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
    """In words; a sentence without blanks counts two characters as one."""
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
    engine: Engine,
    question: NotesQuestion,
    passages: Sequence[RetrievedPassage],
    lexicon: Lexicon | None,
) -> QuestionScore:
    """Answer as `ask` does and judge. The result does not depend on what the engine did before."""
    engine.forget()
    options = ResolvedOptions(max_tokens=ANSWER_TOKENS)
    asked = (Message("user", question.text),)
    *_, result = generate(
        engine, Conversation(), asked, passages, lexicon, options, time.perf_counter()
    )
    assert isinstance(result, Answer)
    sources = [source for source in result.sources if source.cited or source.attributed]
    return QuestionScore(
        right=_holds(result.text, question.term),
        cited=any(source.passage.document == question.document for source in sources),
        nll=_nll(engine, question, passages),
        retrieved=any(s.passage.document == question.document for s in result.sources),
        text=result.text,
    )


def _holds(text: str, term: str) -> bool:
    words = {word[0].casefold() for word in _WORD.finditer(text)}
    return term.casefold() in words or (not term.isascii() and term.casefold() in text.casefold())


def _nll(engine: Engine, question: NotesQuestion, passages: Sequence[RetrievedPassage]) -> float:
    """Nats per token of the sentence from the term on, given the prompt and what precedes it; NaN
    where all of it does not fit the window.
    """
    before = question.sentence[: len(question.sentence) - len(question.rest)]
    asked = (Message("user", question.text),)
    _, given = Conversation().fit(
        engine.tokenizer, asked, passages, engine.n_ctx, 2 * ANSWER_TOKENS
    )
    prompt = build_messages(question.text, given)
    whole = engine.tokenizer.example_ids((*prompt, Message("assistant", question.sentence)))
    told = 0
    for ours, theirs in zip(
        engine.tokenizer.encode(before.rstrip()), whole.completion, strict=False
    ):
        # A token across the seam belongs to what is asked for.
        if ours != theirs:
            break
        told += 1
    try:
        # What precedes the term is a part of the answer, which an activated adapter reads too.
        logs = engine.log_likelihood(whole.prompt, whole.completion)
    except LocalpersError:
        return math.nan
    logs = logs[min(told, len(logs) - 1) :]
    return -float(logs.sum()) / len(logs)
