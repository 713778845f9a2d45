"""How others can be reached: phone numbers, e-mail addresses and postal addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from localpers.corpus.secrets.findings import Finding, Sensitive

_INTERNATIONAL = re.compile(
    r"(?<![\w.+/=-])(?:\+|00)\(?[1-9](?:[ ().\-/\u00a0\u202f]{0,2}\d){6,16}(?!\w|\.\d)"
)
_NATIONAL = re.compile(r"(?<![\w.+/=:-])\(?\d(?:[ ().\-/\u00a0\u202f]{0,2}\d){6,14}(?!\w|\.\d)")
_CALLED = re.compile(
    r"\b(?:tele?(?:ph?one?|fono?|fon|foon)?|phone|mobile?|mobil(?:e|nummer|telefon)?|handy|cell|fax|call|ring"
    r"|text|whats\s?app|signal|sms|rufnummer|ruf(?:e)?|anrufen|appel(?:er|ez)?|portable|móvil|movil|celular"
    r"|llama[rd]?|cellulare|chiama(?:re)?|telem[óo]vel|ligar|bel(?:len)?|ring|puhelin|tlf|telef|number)\b"
    r"|☎|📞|📱|тел(?:ефон)?|звон|電話|电话|手机|携帯|전화|휴대폰|هاتف|טלפון|τηλ|फ़ोन|โทร",
    re.IGNORECASE,
)
_DATE = re.compile(r"(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?\b|\d\d?[-./]\d\d?[-./](?:19|20)\d\d\b")
_CALLED_WITHIN = 40
_REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ar": ("EG", "SA"), "bg": ("BG",), "cs": ("CZ",), "da": ("DK",), "de": ("DE", "AT", "CH"),
        "el": ("GR",), "en": ("US", "GB", "AU", "IN", "IE", "NZ"), "es": ("ES", "MX", "AR", "CO"),
        "fi": ("FI",), "fr": ("FR", "BE", "CH"), "he": ("IL",), "hi": ("IN",), "hu": ("HU",),
        "it": ("IT",), "ja": ("JP",), "ko": ("KR",), "nl": ("NL", "BE"), "no": ("NO",), "nb": ("NO",),
        "pl": ("PL",), "pt": ("BR", "PT"), "ro": ("RO",), "ru": ("RU",), "sv": ("SE",), "th": ("TH",),
        "tr": ("TR",), "uk": ("UA",), "zh": ("CN", "TW", "HK"),
    }
)  # fmt: skip
"""Where a number without a country code may be from, by the language of the text."""
_ANYWHERE = ("US", "GB", "DE", "FR")

_EMAIL = re.compile(
    r"(?<![\w.+/:=@-])[A-Za-z0-9](?:[A-Za-z0-9._%+'-]{0,62}[A-Za-z0-9_+-])?"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,5}[A-Za-z]{2,24}(?![\w@:/]|-\w|\.\w)"
)
_NO_PERSON = re.compile(
    r"(?:no-?reply|do-?not-?reply|postmaster|mailer-daemon|daemon|bounces?|git|root|admin|administrator|www"
    r"|webmaster|hostmaster|abuse|security|info|support|help|hello|contact|kontakt|sales|press|jobs|office"
    r"|service|team|user|username|name|you|your\.?name|me|someone|somebody|test|example|foo|bar|alice|bob"
    r"|john\.?doe|jane\.?doe|ubuntu|ec2-user|pi|postgres)(?:[+-].*)?",
    re.IGNORECASE,
)
_RESERVED = re.compile(
    r"(?:.*\.)?(?:example\.(?:com|org|net)|example|test|invalid|localhost|local|internal|lan"
    r"|users\.noreply\.github\.com|(?:domain|yourdomain|mydomain|company|email)\.(?:com|org|net|tld))",
    re.IGNORECASE,
)
_LOGIN = re.compile(r"\b(?:ssh|scp|sftp|rsync|mosh)\b[^\n@]*$")
_FILES = frozenset(
    [
        "py",
        "js",
        "ts",
        "jsx",
        "tsx",
        "css",
        "scss",
        "html",
        "md",
        "json",
        "yml",
        "yaml",
        "toml",
        "txt",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "zip",
        "gz",
        "tar",
        "sh",
        "rb",
        "rs",
        "go",
        "java",
        "cpp",
        "php",
        "sql",
        "db",
        "sqlite",
        "service",
        "socket",
        "timer",
        "target",
        "plist",
        "min",
        "map",
        "lock",
        "log",
        "conf",
        "cfg",
        "ini",
    ]
)

_WORD = r"[A-ZÀ-ÖØ-ÞА-Я][\w'’.-]{0,30}"
_GAP = r"[ \t]{0,3}(?:,|;|\n|·|\||–|-)?[ \t]{0,3}\n?[ \t]{0,3}"
_ADDRESSES = tuple(
    re.compile(expression)
    for expression in (
        # 12 High Street, Oxford OX1 4AB · 350 5th Ave Apt 3, New York, NY 10118
        rf"\b\d{{1,6}}[A-Za-z]?,?[ ](?:[NSEW]\.?[ ])?(?:(?:{_WORD}|\d{{1,3}}(?:st|nd|rd|th))[ ]){{1,4}}?"
        r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Terrace|Close"
        r"|Crescent|Gardens|Grove|Hill|Mews|Square|Sq|Parkway|Pkwy|Circle|Cir|Highway|Hwy|Row|Walk|Park)\b"
        r"[^\n\d]{0,12}(?:[^\n]{0,60}\n?[^\n]{0,50}?)"
        r"\b(?:[A-Z]{2}[ ,]{1,2}\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}|[A-Z]\d[A-Z][ ]?\d[A-Z]\d"
        r"|(?:NSW|VIC|QLD|SA|WA|TAS|ACT|NT)[ ]{1,2}\d{4})\b",
        # Musterstraße 12a, 10115 Berlin · Keizersgracht 1, 1015 CN Amsterdam · Storgatan 5, 111 22 Stockholm
        r"\b(?:[A-ZÄÖÜÅÆØ][\w.-]{0,30}(?:[ -][A-ZÄÖÜÅÆØ][\w.-]{0,30}){0,3}?[ -])?[A-ZÄÖÜÅÆØ]?[\w-]{0,30}"
        r"(?:[sS]tra(?:ß|ss)e|[sS]tr\.|[wW]eg|[gG]asse|[pP]latz|[aA]llee|[uU]fer|[rR]ing|[dD]amm|[hH]of"
        r"|[sS]traat|laan|gracht|plein|kade|gade|vej|gata|gatan|gate|vei(?:en)?|vägen|katu|tie)"
        rf"[ ]\d{{1,4}}[ ]?[a-zA-Z]?(?:[-/]\d{{1,4}})?{_GAP}"
        rf"(?:[A-Z]{{1,2}}-)?(?:\d{{4}}[ ]?[A-Z]{{2}}|\d{{3}}[ ]\d{{2}}|\d{{4,5}})[ ]{_WORD}",
        # 12 bis, rue de la Paix, 75002 Paris
        r"\b\d{1,4}(?:[ ]?(?:bis|ter|quater|[A-D]))?,?[ ](?:rue|avenue|av\.|boulevard|bd|place|chemin|allée|allées"
        r"|impasse|quai|cours|route|passage|square)[ ][^\n\d]{2,50}?"
        rf"{_GAP}(?:[FB]-|CH-|L-)?\d{{4,5}}[ ]{_WORD}",
        # Calle Mayor 5, 3º B, 28013 Madrid · Via Roma 10, 00184 Roma · Rua Augusta 100, 1100-053 Lisboa
        r"\b(?:Calle|C/|Avenida|Avda?\.?|Plaza|Paseo|Carrer|Via|Viale|Piazza|Corso|Largo|Rua|Travessa|Praça)[ ]?"
        r"[^\n\d]{2,50}?,?[ ](?:n[.º°]?[ ]?)?\d{1,5}[^\n]{0,30}?[,\n ]{1,3}"
        rf"(?:\d{{5}}-\d{{3}}|\d{{4}}-\d{{3}}|\d{{5}})[ ,-]{{1,3}}{_WORD}",
        # ul. Długa 5/7, 00-238 Warszawa
        rf"\b(?:ul|al|pl|os)\.[ ][^\n\d]{{2,40}}?[ ]\d{{1,4}}[a-zA-Z]?(?:/\d{{1,4}})?{_GAP}\d{{2}}-\d{{3}}[ ]{_WORD}",
        # 101000, Москва, ул. Мясницкая, д. 5, кв. 10
        r"(?:\b\d{6},?[ ][^\n]{0,40})?(?:\bул\.|\bулица|\bпросп?\.|\bпр-т|\bпер\.|\bпроспект|\bвул\.)[ ]?"
        r"[А-ЯІЇЄ][^\n\d]{1,40}?(?:д\.[ ]?|дом[ ])?\d{1,4}[а-я]?(?:,?[ ](?:кв|корп|к|стр)\.?[ ]?\d{1,4}){0,3}"
        r"(?:,[^\n\d]{0,40}\d{5,6})?",
        r"〒[ ]?\d{3}[-‐]?\d{4}[^\n]{0,60}",
        r"[\u4e00-\u9fff]{2,10}(?:省|市|区|區)[\u4e00-\u9fff]{1,20}(?:路|街|大道|巷|弄)\d{1,5}(?:号|號)[^\n，。]{0,20}",
    )
)
# An address without a post code only where something says that somebody lives there.
_LIVES = re.compile(
    r"(?:\b(?:home|postal|mailing|street|private)[ ]address\b|\blives?[ ]at\b|\bwohnt\b|\bWohnhaft\b|\bAnschrift\b"
    r"|\bhabite\b|\bvive[ ]en\b|\babita\b|\bmora\b|\bwoont\b)[^\n]{0,30}?"
    rf"(?P<address>\d{{1,5}}[A-Za-z]?,?[ ](?:{_WORD}[ ]?){{1,5}}"
    rf"|(?:[a-zà-ÿ]{{2,8}}[ ])?{_WORD}(?:[ ][\w'’.-]{{1,30}}){{0,3}}[ ]\d{{1,4}}[a-z]?\b)"
)


def find_phone_numbers(text: str, language: str = "") -> Iterator[Finding]:
    """Valid numbers by the plans of their countries (libphonenumber): with a country code anywhere,
    without one where the text says that it is a phone number. `language` is ISO 639-1.
    """
    for match in _INTERNATIONAL.finditer(text):
        if _is_phone("+" + re.sub(r"^(?:\+|00)", "", match[0]), None):
            yield Finding(Sensitive.PHONE, match.start(), match.end())
    if not _CALLED.search(text):
        return
    for match in _NATIONAL.finditer(text):
        line = text.rfind("\n", 0, match.start()) + 1
        near = max(line, match.start() - _CALLED_WITHIN)
        if not _CALLED.search(text, near, match.start()) or not _is_written_out(match[0]):
            continue
        if any(_is_phone(match[0], region) for region in _REGIONS.get(language, _ANYWHERE)):
            yield Finding(Sensitive.PHONE, match.start(), match.end())


def _is_phone(written: str, region: str | None) -> bool:
    from phonenumbers import NumberParseException, is_valid_number, parse

    try:
        return is_valid_number(parse(written, region))
    except NumberParseException:
        return False


def _is_written_out(written: str) -> bool:
    """Whether people write phone numbers so: in groups or from a zero on, and no date."""
    grouped = re.search(r"\d[ ().\-/\u00a0\u202f]+\d", written) or written.startswith(("0", "("))
    return bool(grouped) and not _DATE.match(written)


def find_email_addresses(text: str) -> Iterator[Finding]:
    """Addresses of persons: none of a role (info@…), reserved for examples (RFC 2606), or code."""
    for match in _EMAIL.finditer(text):
        name, _, host = match[0].rpartition("@")
        ending = host.rpartition(".")[2].lower()
        login = _LOGIN.search(text, max(0, match.start() - 30), match.start())
        if login or ending in _FILES or _NO_PERSON.fullmatch(name) or _RESERVED.fullmatch(host):
            continue
        yield Finding(Sensitive.EMAIL, match.start(), match.end())


def find_postal_addresses(text: str) -> Iterator[Finding]:
    """A street with a number, followed by a post code and a place, in the orders of many countries;
    without them only where the text says that somebody lives there.
    """
    for expression in _ADDRESSES:
        for match in expression.finditer(text):
            yield Finding(Sensitive.ADDRESS, match.start(), match.end())
    for match in _LIVES.finditer(text):
        yield Finding(Sensitive.ADDRESS, match.start("address"), match.end("address"))
