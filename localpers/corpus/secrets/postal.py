"""Postal addresses: a street with a number near a post code and a place, in several orders.

Libraries for this take gigabytes or know three countries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from localpers.corpus.secrets.findings import Finding, Sensitive

_WORD = r"[A-ZÀ-ÖØ-ÞА-Я][\w'’.-]{0,30}"
_GAP = r"[ \t]{0,3}(?:,|;|\n|·|\||–|-)?[ \t]{0,3}\n?[ \t]{0,3}"

# 12 High Street, Oxford OX1 4AB · 350 5th Ave Apt 3, New York, NY 10118
_ENGLISH = (
    rf"\b\d{{1,6}}[A-Za-z]?,?[ ](?:[NSEW]\.?[ ])?"
    rf"(?:(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}?"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace"
    r"|Close|Crescent|Gardens|Grove|Hill|Mews|Square|Sq|Parkway|Pkwy|Circle|Cir|Highway|Hwy|Row"
    r"|Walk|Park)\b[^\n\d]{0,12}(?:[^\n]{0,60}\n?[^\n]{0,50}?)"
    r"\b(?:[A-Z]{2}[ ,]{1,2}\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}"
    r"|[A-Z]\d[A-Z][ ]?\d[A-Z]\d|(?:NSW|VIC|QLD|SA|WA|TAS|ACT|NT)[ ]{1,2}\d{4})\b"
)
# Musterstraße 12a, 10115 Berlin · Keizersgracht 1, 1015 CN Amsterdam · Storgatan 5, 111 22 Malmö
_GERMANIC = (
    r"\b[A-ZÄÖÜÅÆØ]?[\w-]{0,30}(?:(?<=[A-Za-zßäöüåæø.-])|\b)"
    r"(?:[sS]tra(?:ß|ss)e|[sS]tr\.|[wW]eg|[gG]asse|[pP]latz|[aA]llee|[uU]fer|[rR]ing|[dD]amm"
    r"|[hH]of|[sS]traat|laan|gracht|plein|kade|gade|vej|gata|gatan|gate|vei(?:en)?|vägen|katu|tie)"
    rf"[ ]\d{{1,4}}[ ]?[a-zA-Z]?(?:[-/]\d{{1,4}})?{_GAP}"
    rf"(?:[A-Z]{{1,2}}-)?(?:\d{{4}}[ ]?[A-Z]{{2}}|\d{{3}}[ ]\d{{2}}|\d{{4,5}})[ ]{_WORD}"
)
# 12 bis, rue de la Paix, 75002 Paris
_FRENCH = (
    r"\b\d{1,4}(?:[ ]?(?:bis|ter|quater|[A-D]))?,?[ ](?:rue|avenue|av\.|boulevard|bd|place|chemin"
    r"|allées?|impasse|quai|cours|route|passage|square)[ ][^\n\d]{2,50}?"
    rf"{_GAP}(?:[FB]-|CH-|L-)?\d{{4,5}}[ ]{_WORD}"
)
# Calle Mayor 5, 3º B, 28013 Madrid · Via Roma 10, 00184 Roma · Rua Augusta 100, 1100-053 Lisboa
_ROMANCE = (
    r"\b(?:Calle|C/|Avenida|Avda?\.?|Plaza|Paseo|Carrer|Via|Viale|Piazza|Corso|Largo|Rua|Travessa"
    r"|Praça)[ ]?[^\n\d]{2,50}?,?[ ](?:n[.º°]?[ ]?)?\d{1,5}[^\n]{0,30}?[,\n ]{1,3}"
    rf"(?:\d{{5}}-\d{{3}}|\d{{4}}-\d{{3}}|\d{{5}})[ ,-]{{1,3}}{_WORD}"
)
# ul. Długa 5/7, 00-238 Warszawa
_POLISH = (
    r"\b(?:ul|al|pl|os)\.[ ][^\n\d]{2,40}?[ ]\d{1,4}[a-zA-Z]?(?:/\d{1,4})?"
    rf"{_GAP}\d{{2}}-\d{{3}}[ ]{_WORD}"
)
# 101000, Москва, ул. Мясницкая, д. 5, кв. 10
_RUSSIAN = (
    r"\b(?:ул\.|улица|просп?\.|пр-т|пер\.|проспект|вул\.)[ ]?[А-ЯІЇЄ][^\n\d]{1,40}?"
    r"(?:д\.[ ]?|дом[ ])?\d{1,4}[а-я]?(?:,?[ ](?:кв|корп|к|стр)\.?[ ]?\d{1,4}){0,3}"
)
_JAPANESE = r"〒[ ]?\d{3}[-‐]?\d{4}[^\n]{0,60}"
_CHINESE = (
    r"[\u4e00-\u9fff]{2,10}(?:省|市|区|區)[\u4e00-\u9fff]{1,20}(?:路|街|大道|巷|弄)\d{1,5}(?:号|號)"
    r"[^\n，。]{0,20}"
)
_ADDRESSES = tuple(
    re.compile(form)
    for form in (_ENGLISH, _GERMANIC, _FRENCH, _ROMANCE, _POLISH, _RUSSIAN, _JAPANESE, _CHINESE)
)
# Without a post code, only after words such as "lives at".
_LIVES = re.compile(
    r"(?:\b(?:home|postal|mailing|street|private)[ ]address\b|\blives?[ ]at\b|\bwohnt\b"
    r"|\bWohnhaft\b|\bAnschrift\b|\bhabite\b|\bvive[ ]en\b|\babita\b|\bmora\b|\bwoont\b)"
    r"[^\n]{0,30}?"
    rf"(?P<address>\d{{1,5}}[A-Za-z]?,?[ ](?:{_WORD}[ ]?){{1,5}}"
    rf"|(?:[a-zà-ÿ]{{2,8}}[ ])?{_WORD}(?:[ ][\w'’.-]{{1,30}}){{0,3}}[ ]\d{{1,4}}[a-z]?\b)"
)


def find_postal_addresses(text: str) -> Iterator[Finding]:
    """Street addresses; without a post code, only after words such as "lives at"."""
    for expression in _ADDRESSES:
        for match in expression.finditer(text):
            yield Finding(Sensitive.ADDRESS, match.start(), match.end())
    for match in _LIVES.finditer(text):
        yield Finding(Sensitive.ADDRESS, match.start("address"), match.end("address"))
