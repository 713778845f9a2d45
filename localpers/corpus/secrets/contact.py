"""Phone numbers and e-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from localpers.corpus.secrets.findings import Finding, Sensitive

_INTERNATIONAL = re.compile(
    r"(?<![\w.+/=-])(?:\+|00)\(?[1-9](?:[ ().\-/\u00a0\u202f]{0,2}\d){6,16}(?!\w|\.\d)"
)
_NATIONAL = re.compile(r"(?<![\w.+/=:-])\(?\d(?:[ ().\-/\u00a0\u202f]{0,2}\d){6,14}(?!\w|\.\d)")
_LABEL = re.compile(
    r"\b(?:tele?(?:ph?one?|fono?|fon|foon)?|phone|mobile?|mobil(?:e|nummer|telefon)?|handy|cell|fax|call|ring"
    r"|text|whats\s?app|signal|sms|rufnummer|ruf(?:e)?|anrufen|appel(?:er|ez)?|portable|móvil|movil|celular"
    r"|llama[rd]?|cellulare|chiama(?:re)?|telem[óo]vel|ligar|bel(?:len)?|ring|puhelin|tlf|telef|number)\b"
    r"|☎|📞|📱|тел(?:ефон)?|звон|電話|电话|手机|携帯|전화|휴대폰|هاتف|טלפון|τηλ|फ़ोन|โทร",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?:19|20)\d\d ?[-–] ?(?:19|20)\d\d$|(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?\b"
    r"|\d\d?[-./]\d\d?[-./](?:19|20)\d\d\b"
)
_LABEL_DISTANCE = 40
_REGIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ar": ("EG", "SA"), "bg": ("BG",), "cs": ("CZ",), "da": ("DK",), "de": ("DE", "AT", "CH"),
        "el": ("GR",), "en": ("US", "GB", "AU", "IN", "IE", "NZ"), "es": ("ES", "MX", "AR", "CO"),
        "fi": ("FI",), "fr": ("FR", "BE", "CH"), "he": ("IL",), "hi": ("IN",), "hu": ("HU",),
        "it": ("IT",), "ja": ("JP",), "ko": ("KR",), "nl": ("NL", "BE"), "no": ("NO",),
        "nb": ("NO",),
        "pl": ("PL",), "pt": ("BR", "PT"), "ro": ("RO",), "ru": ("RU",), "sv": ("SE",),
        "th": ("TH",),
        "tr": ("TR",), "uk": ("UA",), "zh": ("CN", "TW", "HK"),
    }
)  # fmt: skip
"""Countries to try for a number without a country code, by the language of the text."""
_DEFAULT_REGIONS = ("US", "GB", "DE", "FR")

_EMAIL = re.compile(
    r"(?<![\w.+/:=@-])[A-Za-z0-9](?:[A-Za-z0-9._%+'-]{0,62}[A-Za-z0-9_+-])?"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,5}[A-Za-z]{2,24}(?![\w@:/]|-\w|\.\w)"
)
_ROLE = re.compile(
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
_FILE_SUFFIXES = frozenset((
    "py", "js", "ts", "jsx", "tsx", "css", "scss", "html", "md", "json", "yml", "yaml", "toml",
    "txt", "png", "jpg", "jpeg", "gif", "svg", "webp", "zip", "gz", "tar", "sh", "rb", "rs",
    "go", "java", "cpp", "php", "sql", "db", "sqlite", "service", "socket", "timer", "target",
    "plist", "min", "map", "lock", "log", "conf", "cfg", "ini",
))  # fmt: skip


def find_phone_numbers(text: str, language: str = "") -> Iterator[Finding]:
    """Numbers valid by libphonenumber; without a country code, only next to a word for a phone.

    `language` is the ISO 639-1 code of the text.
    """
    for match in _INTERNATIONAL.finditer(text):
        if _is_phone("+" + re.sub(r"^(?:\+|00)", "", match[0]), None):
            yield Finding(Sensitive.PHONE, match.start(), match.end())
    if not _LABEL.search(text):
        return
    for match in _NATIONAL.finditer(text):
        line = text.rfind("\n", 0, match.start()) + 1
        near = max(line, match.start() - _LABEL_DISTANCE)
        if not _LABEL.search(text, near, match.start()) or not _is_written_out(match[0]):
            continue
        if any(_is_phone(match[0], region) for region in _REGIONS.get(language, _DEFAULT_REGIONS)):
            yield Finding(Sensitive.PHONE, match.start(), match.end())


def _is_phone(written: str, region: str | None) -> bool:
    from phonenumbers import NumberParseException, is_valid_number, parse

    try:
        return is_valid_number(parse(written, region))
    except NumberParseException:
        return False


def _is_written_out(written: str) -> bool:
    """Whether it is grouped, or begins with a zero, and is not a date."""
    grouped = re.search(r"\d[ ().\-/\u00a0\u202f]+\d", written) or written.startswith(("0", "("))
    return bool(grouped) and not _DATE.match(written)


def find_email_addresses(text: str) -> Iterator[Finding]:
    """Personal addresses: not of roles (info@…), reserved domains (RFC 2606), logins or code."""
    for match in _EMAIL.finditer(text):
        name, _, host = match[0].rpartition("@")
        ending = host.rpartition(".")[2].lower()
        login = _LOGIN.search(text, max(0, match.start() - 30), match.start())
        if login or ending in _FILE_SUFFIXES or _ROLE.fullmatch(name) or _RESERVED.fullmatch(host):
            continue
        yield Finding(Sensitive.EMAIL, match.start(), match.end())
