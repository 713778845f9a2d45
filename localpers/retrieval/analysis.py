"""Text → terms, for the index and for queries alike. Any change of the terms, or of
what they are kept under, bumps VERSION.

Words are folded (NFKC, case folding, with one letter for the Turkish i with and without dot; what
is invisible goes) and stemmed by the Snowball algorithm of the document's language;
compounds (`getUserName`, `foo_bar.baz`, `2024-05-17`) are kept whole and in parts;
runs of scripts without blanks (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese) become
overlapping bigrams and, in the index, their last character: so every character begins some term,
and a query of one is looked up as all that begin with it (retrieval.bm25); numbers lose the commas
between thousands; emoji are terms.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

VERSION = 6

SNOWBALL = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "ne": "nepali",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
"""ISO 639-1 → Snowball algorithm."""

# Letters and digits, and the combining marks that scripts such as Devanagari write words with.
_WORD = (
    r"[\w\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0963\u0966-\u0dff"
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17df]"
)
_EMOJI = r"[\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff]"
_GROUPED = r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\w,])"
_TOKEN = re.compile(
    rf"[A-Za-z](?:\+\+|\#)(?![A-Za-z_])|{_GROUPED}|{_WORD}+(?:[.\-_/:@+&]{_WORD}+)*|{_EMOJI}"
)
_UNSPACED_RUN = (
    r"[\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003134f"
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+"
)
_UNSPACED = re.compile(_UNSPACED_RUN)
_SCRIPTS = re.compile(rf"{_UNSPACED_RUN}|{_UNSPACED_RUN.replace('[', '[^', 1)}")
_JOINERS = ".-_/:@+&"
_JOINER = re.compile(rf"[{re.escape(_JOINERS)}]+")
_INVISIBLE = re.compile("[\u00ad\u200b\u200d\u2060\ufeff]")
"""Soft hyphens, zero-width spaces and joiners, which a reader does not see in the word."""
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
LONGEST_TERM = 64
"""Characters; longer runs (base64, say) are cut, so that no key grows without bound."""


def analyse(text: str, language: str = "") -> list[str]:
    """The terms of `text`, repeats included, stemmed for `language` (ISO 639-1; "" for none)."""
    terms: list[str] = []
    for token in _tokens(text):
        terms.extend(_terms_of(token, language, True))
    return terms


Forms = Mapping[str, frozenset[str]]
"""The stems that the notes' languages give one word of a query: stem → languages (`stemmed_as`)."""


def query_terms(query: str, languages: Iterable[str]) -> list[str]:
    """All forms of all words of a query against an index whose documents are in `languages`."""
    return [form for forms in query_forms(query, languages) for form in forms]


def query_forms(query: str, languages: Iterable[str]) -> list[Forms]:
    """The terms of a query, repeats included, each as its forms.

    A query of a few words does not tell its language, so each word has the form that each language
    of the index gives it. A form counts only in documents of its languages: the German stem of
    "starter" is no form of an English word.
    """
    return [forms for _, some in _query_tokens(query, languages) for forms in some]


def query_compounds(query: str, languages: Iterable[str]) -> list[tuple[Forms, list[Forms]]]:
    """(the whole, its parts) of each compound among the terms of a query."""
    found = _query_tokens(query, languages)
    return [(terms[0], terms[1:]) for token, terms in found if _is_compound(token)]


def stemmed_as(language: str) -> str:
    """The language whose stemmer its words pass, "" for none."""
    return language if language in SNOWBALL else ""


def _query_tokens(query: str, languages: Iterable[str]) -> Iterator[tuple[str, list[Forms]]]:
    """(token, the forms of its terms) for each token of a query."""
    known = sorted(set(map(stemmed_as, languages))) or [""]
    for token in _tokens(query):
        # How a token falls into terms does not depend on the language.
        columns = zip(*(_terms_of(token, language, False) for language in known), strict=True)
        yield token, [_forms(column, known) for column in columns]


def _forms(column: Sequence[str], languages: Sequence[str]) -> Forms:
    return {
        form: frozenset(
            language for language, other in zip(languages, column, strict=True) if other == form
        )
        for form in column
    }


def _tokens(text: str) -> Iterator[str]:
    """Words and compounds, each in scripts with blanks or without: `GitHubで` are two."""
    normal = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).replace("\u2010", "-")
    for token in _TOKEN.findall(normal):
        if token.isascii() or not _UNSPACED.search(token):
            yield token
        else:
            pieces = (piece.strip(_JOINERS) for piece in _SCRIPTS.findall(token))
            yield from filter(None, pieces)


def is_unspaced_character(term: str) -> bool:
    """Whether a term is one character of a script without blanks."""
    return len(term) == 1 and _UNSPACED.match(term) is not None


def _is_compound(token: str) -> bool:
    """Whether the first of the token's terms is all of it, the others its parts."""
    parts = _parts(token)
    return len(parts) > 1 or any(map(_CAMEL.search, parts))


def _parts(token: str) -> list[str]:
    return [part for part in _JOINER.split(token) if part]


@lru_cache(maxsize=1 << 16)
def _terms_of(token: str, language: str, indexed: bool) -> tuple[str, ...]:
    """The terms under which a token is `indexed`, or looked for."""
    if not token[-1].isalnum() and token[-1] in "+#":
        return (_folded(token),)
    if "," in token:
        token = token.replace(",", "")
    parts = _parts(token)
    terms: list[str] = []
    if len(parts) > 1:
        terms.append(_folded(token)[:LONGEST_TERM])
    for part in parts:
        humps = _CAMEL.split(part)
        if len(humps) > 1:
            terms.append(_folded(part)[:LONGEST_TERM])
        for hump in humps:
            terms.extend(_word_terms(hump, language, indexed))
    return tuple(terms)


def _word_terms(word: str, language: str, indexed: bool) -> list[str]:
    terms: list[str] = []
    end = 0
    for run in _UNSPACED.finditer(word):
        terms.extend(_stemmed(word[end : run.start()], language))
        characters = run.group()
        terms.extend(characters[i : i + 2] for i in range(len(characters) - 1))
        if indexed or len(characters) == 1:
            terms.append(characters[-1])
        end = run.end()
    terms.extend(_stemmed(word[end:], language))
    return terms


def _stemmed(word: str, language: str) -> list[str]:
    if not word:
        return []
    if language == "tr":
        word = word.replace("I", "ı").replace("İ", "i")
    folded = word.casefold()[:LONGEST_TERM]
    if language in SNOWBALL and "_" not in folded and not any(map(str.isdigit, folded)):
        folded = _stemmer(language).stemWord(folded)
    return [_dotted(folded)]


def _folded(word: str) -> str:
    return _dotted(word.casefold())


def _dotted(folded: str) -> str:
    """With one letter for the Turkish i with and without dot, which keyboards and languages fold
    differently.
    """
    return folded if folded.isascii() else folded.replace("i\u0307", "i").replace("ı", "i")


_stemmers = threading.local()


def _stemmer(language: str) -> Any:
    """A Snowball stemmer; its state is not shared between threads."""
    import Stemmer

    by_language: dict[str, Any] = _stemmers.__dict__
    if language not in by_language:
        by_language[language] = Stemmer.Stemmer(SNOWBALL[language])
    return by_language[language]
