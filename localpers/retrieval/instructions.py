"""What of a request says what to do, not what about: "draft a tweet about | the talk".

The words of tasks are a closed class, topics are not. A request's instruction is the run of such
words at its beginning, if it names a kind of text or an act of writing and ends before "about" (or
its like); and a form at its end ("in two sentences"). A plain question has none, and what cannot be
told apart with certainty is left to the search: a word too many costs little, a topic lost is lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache

from localpers.retrieval import request_words as words
from localpers.retrieval.dates.words import MONTHS, WEEKDAYS
from localpers.retrieval.stop_words import ANY

Span = tuple[int, int]

_WORD = re.compile(r"\w+(?:[-'’]\w+)*")
_BESIDE = re.compile(r"\([^()]*\)")
"""What is said in parentheses of a text that is to be written: "(at most 280 characters)"."""
MOST_DESCRIBING = 4
"""Words that may stand before a kind of text without being known."""
DAYS = WEEKDAYS.keys() | MONTHS.keys()
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7ff]")


def instruction_spans(
    request: str, tells_nothing: Callable[[str], bool] | None = None
) -> list[Span]:
    """The (start, end) of a request's instruction; none where it is a plain query, or where nothing
    would be left but words that tell nothing of a topic (by default, the stop words of any
    language).
    """
    spans = _cjk_spans(request) if _CJK.search(request) else _spans(request)
    nothing = tells_nothing or _is_stop_word
    kept = _without(request, spans)
    return spans if any(not nothing(word.group()) for word in _WORD.finditer(kept)) else []


def is_of_notes(word: str) -> bool:
    """Whether a word, folded, says only that a note was written: "wrote", "notes"."""
    return word in words.QUERYING or word in words.NOTES


def _is_stop_word(word: str) -> bool:
    return _folded(word) in ANY


def _without(request: str, spans: Sequence[Span]) -> str:
    for start, end in reversed(spans):
        request = request[:start] + " " * (end - start) + request[end:]
    return request


def _spans(request: str) -> list[Span]:
    found = list(_WORD.finditer(request))
    said = [_folded(word.group()) for word in found]
    beside = [span.span() for span in _BESIDE.finditer(request)]
    spoken = [word for word in found if not any(a <= word.start() < b for a, b in beside)]
    opening = _opening([_folded(word.group()) for word in spoken]) or _heading(request, spoken)
    after = spoken[opening - 1].end() if opening else 0
    closing = _closing(said, sum(word.start() < after for word in found))
    spans = []
    if opening:
        spans.append((found[0].start(), after))
    if closing < len(said):
        spans.append((found[closing].start(), found[-1].end()))
    return spans


def _opening(said: Sequence[str]) -> int:
    """How many words at the beginning are the instruction."""
    verb = kind = False
    for place, word in enumerate(said):
        if (verb or kind) and not _asks_how(said) and _leads_to_topic(said, place, verb):
            return place + 1
        if word in words.TYPES:
            kind = True
        elif word in words.VERBS or word in words.QUERYING:
            verb = verb or word in words.VERBS or place > 0
        elif not (_is_manner(word) or (verb and _describes_kind(said, place))):
            # "write an email to Bob": no "about", but both an act and a kind of text.
            bare = said[0] in words.VERBS | words.MANNERS | words.MANNER_STARTS
            # "create a message structure" names a thing: a kind before a noun is part of it.
            named = place > 0 and said[place - 1] in words.TYPES
            return place if verb and kind and bare and not named else 0
    return 0


def _leads_to_topic(said: Sequence[str], place: int, verb: bool) -> bool:
    word = said[place]
    if word in words.TOPIC:
        return True
    following = said[place + 1] if place + 1 < len(said) else ""
    if word in words.TOPIC_OR_DAY:
        # "talk on gardens" is a title, and "a talk on Monday" was given then.
        return verb and not (following in DAYS or following.isdecimal())
    return verb and word in words.FOR and said[place - 1] in words.TYPES


def _is_manner(word: str) -> bool:
    return word in words.MANNERS or _is_stop_word(word) or word[:1].isdecimal()


def _describes_kind(said: Sequence[str], place: int) -> bool:
    """Whether an unknown word says what the text is to be like: "a catchy and short caption about"
    has it between an article and a kind of text, before what leads to the topic.
    """
    articles = [at for at in range(place) if _is_stop_word(said[at])]
    if not articles or said[articles[-1]] not in words.ARTICLES | words.AND:
        return False
    kind = place + 1
    while kind < len(said) and said[kind] not in words.TYPES:
        if _is_stop_word(said[kind]) and said[kind] not in words.AND:
            return False
        kind += 1
    after = kind
    while after < len(said) and said[after] in words.TYPES:
        after += 1
    leading = words.TOPIC | words.TOPIC_OR_DAY | words.FOR
    return kind - place <= MOST_DESCRIBING and after < len(said) and said[after] in leading


def _heading(request: str, found: Sequence[re.Match[str]]) -> int:
    """How many words stand before a colon that ends an instruction: "draft tweet: the talk"."""
    kind = False
    for place, match in enumerate(found):
        word = _folded(match.group())
        kind = kind or word in words.TYPES
        if word.isdecimal() or not (word in words.TYPES | words.VERBS or _is_manner(word)):
            return 0
        if request[match.end() : match.end() + 1] in (":", "："):
            return place + 1 if kind and place + 1 < len(found) else 0
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
    if not all(word in kinds | words.MANNERS or _is_stop_word(word) for word in form):
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
            rf"^{polite}(?:{verb}|发|發)(?:一下)?{count}(?:关于|關於|有关|有關)(.+?)的?{kind}?[。!！?？吗吧]*$"
        ),
        re.compile(rf"^{polite}{verb}(?:一下)?{count}(.+?)的{kind}[。!！?？吗吧]*$"),
        re.compile(rf"^{polite}(?:{verb}一下|介[绍紹]一下)(.+?)[。!！?？吗吧]*$"),
    )


def _cjk_spans(request: str) -> list[Span]:
    for pattern in _cjk_patterns():
        match = pattern.match(request.strip())
        if match:
            shift = len(request) - len(request.lstrip())
            start, end = match.start(1) + shift, match.end(1) + shift
            return [span for span in ((0, start), (end, len(request))) if span[0] < span[1]]
    return _spans(request)
