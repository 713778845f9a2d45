"""What of a request says what to do, not what about: "draft a tweet about | the talk".

The words of tasks are a closed class, topics are not. A request's instruction is the run of such
words at its beginning, if it names a kind of text or an act of writing and ends before "about" (or
its like); and a form at its end ("in two sentences"). A plain question has none, and what cannot be
told apart with certainty is left to the search: a word too many costs little, a topic lost is lost.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from localpers.retrieval import request_words as words

Span = tuple[int, int]

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7ff]")


def instruction_spans(request: str) -> list[Span]:
    """The (start, end) of a request's instruction; none where it is a plain query."""
    spans = _cjk_spans(request) if _CJK.search(request) else _spans(request)
    kept = _without(request, spans)
    return spans if any(_tells(word.group()) for word in _WORD.finditer(kept)) else []


def is_stop_word(word: str) -> bool:
    """Whether a word, folded, tells nothing of a topic."""
    return word in words.STOP_WORDS


def is_of_notes(word: str) -> bool:
    """Whether a word, folded, says only that a note was written: "wrote", "notes"."""
    return word in words.QUERYING or word in words.NOTES


def _tells(word: str) -> bool:
    return not is_stop_word(_folded(word))


def _without(request: str, spans: Sequence[Span]) -> str:
    for start, end in reversed(spans):
        request = request[:start] + " " * (end - start) + request[end:]
    return request


def _spans(request: str) -> list[Span]:
    found = list(_WORD.finditer(request))
    said = [_folded(word.group()) for word in found]
    opening = _opening(said)
    closing = _closing(said, opening)
    spans = []
    if opening:
        spans.append((found[0].start(), found[opening - 1].end()))
    if closing < len(said):
        spans.append((found[closing].start(), found[-1].end()))
    return spans


def _opening(said: Sequence[str]) -> int:
    """How many words at the beginning are the instruction."""
    verb = kind = False
    for place, word in enumerate(said):
        if word in words.TOPIC and (verb or kind) and not _asks_how(said):
            return place + 1
        if word in words.TYPES:
            kind = True
        elif word in words.VERBS or word in words.QUERYING:
            verb = verb or word in words.VERBS or place > 0
        elif not (word in words.MANNERS or is_stop_word(word) or word.isdecimal()):
            # "write an email to Bob": no "about", but both an act and a kind of text.
            bare = said[0] in words.VERBS | words.MANNERS | words.MANNER_STARTS
            # "create a message structure" names a thing: a kind before a noun is part of it.
            named = place > 0 and said[place - 1] in words.TYPES
            return place if verb and kind and bare and not named else 0
    return 0


def _asks_how(said: Sequence[str]) -> bool:
    return bool(said) and said[0] in words.HOW


def _closing(said: Sequence[str], opening: int) -> int:
    """Where a form begins that ends the request; its length where none does."""
    end = len(said)
    if opening and said[-1] in words.LAST_VERBS:
        end -= 1  # Kannst du einen Tweet über die Mühle schreiben?
    for place in range(max(opening, 1), end):
        form = said[place + 1 : end]
        if said[place] in words.MANNER_STARTS and form and _is_form(form, bool(opening)):
            return place
    return end


def _is_form(form: Sequence[str], instructed: bool) -> bool:
    kinds = words.TYPES | words.MANNER_NOUNS
    if not all(word in kinds | words.MANNERS or is_stop_word(word) for word in form):
        return all(word.isdecimal() or word in kinds for word in form) and form[-1] in kinds
    # "bees as a haiku" asks for one, "settings in email" does not.
    return form[-1] in kinds and (instructed or len(form) > 1)


def _folded(word: str) -> str:
    return word.casefold().replace("’", "'")


@cache
def _cjk_patterns() -> tuple[re.Pattern[str], ...]:
    kind, verb = f"(?:{words.CJK_TYPE})", f"(?:{words.CJK_VERB})"
    polite = "(?:请|請|帮我|幫我|麻烦你?|麻煩你?|能不能|可以|给我|給我|帮忙|你能|能)*"
    count = "(?:[一几幾两兩三四五\\d]?(?:条|條|篇|封|个|個|份|段|首|则|則))?"
    return (
        # The topic is the group; all else is the instruction.
        re.compile(
            rf"^(.+?)(?:について|に関する|に関して|を題材に|をテーマに).*?(?:{kind}|{verb}).*$"
        ),
        re.compile(rf"^(.+?)の{kind}を{verb}.*$"),
        re.compile(rf"^(.+?)を{verb}(?:して|て|で)?(?:ください|下さい|くれ|ほしい)?[。!！?？]?$"),
        re.compile(rf"^(.+?)\s*에\s*(?:대한|대해서?|관한|관해)\s*.*?(?:{kind}|{verb}).*$"),
        re.compile(
            rf"^{polite}{verb}(?:一下)?{count}(?:关于|關於|有关|有關)(.+?)的?{kind}?[。!！?？吗吧]*$"
        ),
        re.compile(rf"^{polite}{verb}(?:一下)?{count}(.+?)的{kind}[。!！?？吗吧]*$"),
        re.compile(rf"^{polite}{verb}一下(.+?)[。!！?？吗吧]*$"),
    )


def _cjk_spans(request: str) -> list[Span]:
    for pattern in _cjk_patterns():
        match = pattern.match(request.strip())
        if match:
            shift = len(request) - len(request.lstrip())
            start, end = match.start(1) + shift, match.end(1) + shift
            return [span for span in ((0, start), (end, len(request))) if span[0] < span[1]]
    return _spans(request)
