"""What a request asks for: an answer to a question, or a draft in some form."""

from __future__ import annotations

import re
from dataclasses import dataclass

ANSWER = "answer"

_FORMS = {
    "tweet": r"tweets?|toots?|skeets?|ツイート",
    "email": r"e-?mails?|mail|letter|e-?mail-nachricht|courriel|correo|メール",
    "title": r"titles?|headlines?|titel|überschrift|titre|título|titolo|タイトル|題名|見出し",
    "summary": r"summary|summaries|tl;?dr|zusammenfassung|résumé|resumen|riassunto|要約|まとめ",
    "outline": r"outlines?|talk outline|gliederung|plan de présentation|esquema|アウトライン",
    "commit": r"commit[ -]message",
    "list": r"(?:bullet(?:ed)?[ -])?list|checklist|liste|lista|リスト|箇条書き",
    "post": r"(?:blog[ -]?)?posts?|article|blog[ -]?entry|(?:blog-?)?beitrag|artikel|billet|"
    r"entrada|artículo|articolo|記事|ブログ",
}
_VERBS = {
    "tweet": r"tweet|toot",
    "email": r"e-?mail",
    "title": r"title|betitle",
    "summary": r"summari[sz]e|sum up|recap|fasse?\b|résume|resume|riassumi",
    "outline": r"outline",
}
_WRITE = (
    r"(?:draft|write|compose|suggest|propose|give me|make|create|prepare|generate|come up with|"
    r"help me (?:write|draft)|i need|i want|entwirf|schreib(?:e|en)?|verfasse|formuliere|"
    r"écris|rédige|propose|escribe|redacta|escriba|scrivi)"
)
_FILLER = r"(?:(?!about\b|on\b|for\b|that\b|über\b|sur\b|sobre\b)[\w'’-]+ ){0,4}?"
_POLITE = r"(?:please |can you |could you |bitte |por favor |s'il te plaît )*"
_QUESTION = re.compile(
    r"^\W*(?:what|which|who|whom|whose|where|when|why|how|is|are|was|were|do|does|did|can|could|"
    r"should|has|have|had|wer|was|wo|wann|warum|wie|welche\w*|qui|que|quoi|où|quand|pourquoi|"
    r"comment|quel\w*|qué|quién|dónde|cuándo|cómo|cuál)\b",
    re.IGNORECASE,
)
_JAPANESE_REQUEST = re.compile(r"(?:書いて|作って|考えて|まとめて|要約して|提案して|ください|して)")


_LEAD = re.compile(
    r"^\W*(?:(?:for|of|to)\s+)?(?:(?:an?|the|my|our)\s+)?"
    r"(?:(?:short|quick|blog|conference|lightning)\s+)*"
    r"(?:(?:talk|post|article|notes?|write-?up|page|essay|title|one-liner|what i (?:know|wrote))"
    r"\s+)?"
    r"(?:(?:about|on|of|for|explaining|describing|announcing|über|zu|zum|zur|sur|sobre|su)\s+|:\s*)?",
    re.IGNORECASE,
)
"""Between a form's word and what it is to be about."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`form` is ANSWER for a question. `subject` is what a draft is about, or the question."""

    form: str
    subject: str


def plan(request: str) -> Plan:
    """The form and the subject that a request names: "draft a tweet about …", "sum up …".

    A form's word inside a question ("which parameter holds the subject of a mail?") names none.
    """
    text = " ".join(request.split())
    if any(0x3040 <= ord(character) <= 0x9FFF for character in text):
        return Plan(_japanese(text), text)
    for form, verbs in _VERBS.items():
        if match := re.match(rf"{_POLITE}(?:{verbs})(?:\b|:)", text, re.IGNORECASE):
            return Plan(form, _subject(text, match.end()))
    if _QUESTION.match(text) and not text.casefold().startswith(("can you", "could you")):
        return Plan(ANSWER, text)
    for form, nouns in _FORMS.items():
        named = rf"{_FILLER}(?:{nouns})(?![\w-])"
        told = re.match(rf"{_POLITE}{_WRITE} {named}", text, re.IGNORECASE)
        headed = re.match(rf"(?:an? |the |my )?{named}(?={_FOLLOWS})", text, re.IGNORECASE)
        if match := told or headed:
            return Plan(form, _subject(text, match.end()))
    return Plan(ANSWER, text)


_FOLLOWS = (
    r"\s*(?:about|on|for|of|to|from|with|that|explaining|describing|announcing|saying|asking|"
    r"summari[sz]ing|:|über|an|für|zu|sur|pour|à|sobre|para|su|per)(?:\b|\s|$)"
)


def _subject(text: str, start: int) -> str:
    """What follows a form's word, without the words that lead to it; all where nothing does."""
    rest = _LEAD.sub("", text[start:], count=1).strip()
    return rest if len(rest.split()) > 1 else text


def _japanese(text: str) -> str:
    if not _JAPANESE_REQUEST.search(text):
        return ANSWER
    found = ((text.rfind(match[0]), form) for form, nouns in _FORMS.items()
             if (match := re.search(nouns, text)))  # fmt: skip
    return max(found, default=(0, ANSWER))[1]
