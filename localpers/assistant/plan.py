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


@dataclass(frozen=True, slots=True)
class Plan:
    """`form` is ANSWER for a question."""

    form: str


def plan(request: str) -> Plan:
    """The form that a request names: "draft a tweet about …", "title for …", "sum up …".

    A form's word inside a question ("which parameter holds the subject of a mail?") names none.
    """
    text = " ".join(request.split()).casefold()
    if any(0x3040 <= ord(character) <= 0x9FFF for character in text):
        return Plan(_japanese(text))
    for form, verbs in _VERBS.items():
        if re.match(rf"{_POLITE}(?:{verbs})(?:\b|:)", text):
            return Plan(form)
    if _QUESTION.match(text) and not text.startswith(("can you", "could you")):
        return Plan(ANSWER)
    for form, nouns in _FORMS.items():
        if re.match(rf"{_POLITE}(?:{_WRITE} )?{_FILLER}(?:{nouns})(?![\w-])", text):
            verb = re.match(rf"{_POLITE}{_WRITE}\b", text)
            headed = re.match(rf"(?:an? |the |my )?{_FILLER}(?:{nouns})(?: |:)", text)
            follows = re.search(
                rf"(?:{nouns})\s*(?:about|on|for|of|to|from|with|that|explaining|describing|"
                rf"announcing|saying|asking|summari[sz]ing|:|über|an|für|zu|sur|pour|à|sobre|para|"
                rf"su|per)(?:\b|\s|$)",
                text,
            )
            if verb or (headed and follows):
                return Plan(form)
    return Plan(ANSWER)


def _japanese(text: str) -> str:
    if not _JAPANESE_REQUEST.search(text):
        return ANSWER
    found = ((text.rfind(match[0]), form) for form, nouns in _FORMS.items()
             if (match := re.search(nouns, text)))  # fmt: skip
    return max(found, default=(0, ANSWER))[1]
