"""Keys, tokens and passwords: detect-secrets' formats, and assignments in many languages.

Only the expressions of detect-secrets are used: by default, its `scan` functions ask the issuer
online whether a secret is valid.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import chain
from typing import Any

from localpers.corpus.secrets.findings import Finding, Sensitive

_PIECE_LENGTH = 4_000
"""Characters that a plugin reads at a time: some expressions take quadratic time."""

_UNUSED_PLUGINS = frozenset(
    {"BasicAuthDetector", "CloudantDetector", "IbmCloudIamDetector", "IbmCosHmacDetector"}
    | {"IPPublicDetector", "PrivateKeyDetector", "SoftlayerDetector"}
)
"""Found by the expressions below with the whole value, or too often mistaken."""
# Newer than detect-secrets, or left to its entropy plugin, which reports every hash.
_OTHER_KEYS = re.compile(
    r"(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{50,}|sk-ant-[A-Za-z0-9_-]{24,}"
    r"|sk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{32,}|hf_[A-Za-z0-9]{30,}|AIza[A-Za-z0-9_-]{35}"
    r"|ya29\.[A-Za-z0-9_-]{30,}|glpat-[A-Za-z0-9_-]{20,}|dop_v1_[a-f0-9]{64}"
    r"|shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|[sr]k_(?:live|test)_[A-Za-z0-9]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{20,}|AGE-SECRET-KEY-1[A-Z0-9]{50,}"
    r"|[xyz]prv[1-9A-HJ-NP-Za-km-z]{100,}|lin_api_[A-Za-z0-9]{32,}|npm_[A-Za-z0-9]{36}"
    r"|SG\.[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,})(?![\w-])"
)
_TOKEN_STARTS = ("gh", "xox", "glpat", "npm_", "ya29")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]|-(?!----)){40,20000}?(?:-----END [A-Z0-9 ]{1,60}-----|\Z)"
    r"|PuTTY-User-Key-File-\d: [^\n]{1,80}\n(?:[^\n]{1,200}\n?){4,80}"
)
_SEED_PHRASE = re.compile(
    r"\b(?:seed|recovery|mnemonic|wallet)\b[^\n]{0,30}?[:=]\s*"
    r"((?:[a-z]{3,8}[ ,]+){11,23}[a-z]{3,8})\b",
    re.IGNORECASE,
)

_PASSWORD_WORDS = (
    r"pass(?:word|wd|phrase|code)|pwd|passwort|kennwort|wlan[ -]?schlüssel|wi-?fi[ -](?:key|code)"
    r"|mot de passe|mdp|contraseña|contrasena|clave|senha|palavra[ -]passe|parola d.ordine"
    r"|wachtwoord|lösenord|adgangskode|passord|salasana|hasło|heslo|jelszó|parolă|şifre|пароль"
    r"|密码|密碼|口令|パスワード|비밀번호|كلمة المرور|סיסמה|κωδικός"
)
_SECRET_WORDS = (
    r"secret|api[_ -]?key|apikey|access[_ -]?key|auth[_ -]?key|service[_ -]?key|account[_ -]?key"
    r"|private[_ -]?key|client[_ -]?key|signing[_ -]?key|encryption[_ -]?key|license[_ -]?key|token"
    r"|credentials?|schlüssel|clé|chave|ключ|密钥|密鑰"
)
_ASSIGNED = re.compile(
    rf"(?P<word>{_PASSWORD_WORDS}|{_SECRET_WORDS})[\w-]{{0,30}}(?P<closing>[\"'\])]{{0,2}})"
    r"(?:[ \t]{0,3}\([^()\n]{0,40}\)"
    r"|[ \t]{1,3}(?:for|für|pour|para|per|voor|von|de)[ \t][^\n:=]{1,40}?)?"
    r"[ \t]{0,8}(?P<sep>:=|=>|={1,3}|[:：＝]"
    r"|\b(?:is|was|ist|lautet|est|es|è|é|är|er|to)\b[:]?|是|は|는)"
    r"[ \t]{0,8}(?P<quote>[\"'`“„«]?)(?P<value>[^\s\"'`“”„«»]{4,200})(?P<after>[\"'`”»]?)",
    re.IGNORECASE,
)
_PASSWORD = re.compile(_PASSWORD_WORDS, re.IGNORECASE)
_STEMS = (
    "pass", "pwd", "kennwort", "schlüssel", "wifi", "wi-fi", "mdp", "mot", "contrase", "clave",
    "senha", "palavra", "parola", "wachtwoord", "lösenord", "adgangskode", "salasana", "hasło",
    "heslo", "jelszó", "parolă", "şifre", "пароль", "密", "口令", "パスワード", "비밀번호",
    "كلمة", "סיסמה", "κωδικός", "secret", "key", "token", "credential", "clé", "chave", "ключ",
)  # fmt: skip
_PIN = re.compile(
    r"\b(?:PIN|TAN|PUK|CVV2?|CVC2?)(?:[ -]?(?:code|nummer|number|Nr\.?))?\b"
    r"[^\n\d]{0,12}[:=]?[ \t]{0,4}"
    r"(\d{3,8})\b(?!%|px|[.,]\d)"
)
_OPTION = re.compile(
    r"(?<![\w-])--?(?:pass(?:word|phrase)?|pwd|token|secret|api-?key)"
    r"[ =][\"']?([^\s\"'`$<{(]{6,200})"
)
_HEADER = re.compile(
    r"\b(?:Bearer[ \t]+([A-Za-z0-9._~+/=-]{16,})"
    r"|Basic[ \t]+([A-Za-z0-9+/]{16,}={0,2})(?![A-Za-z0-9+/])"
    r"|-u[ \t]+[\"']?[\w.@-]{1,60}:([^\s\"'`$<{]{5,100}))"
)
_URL = re.compile(r"://([^\s/:@\"'<>]{1,60}):([^\s/@\"'<>]{3,100})@[\w.-]")

_PLACEHOLDER = re.compile(
    r"x{3,}|\*{3,}|\.{3}|…|example|sample|placeholder|change.?me|your|\bmy[_-]|dummy|redacted|secret"
    r"|passw|token|key|foo|bar\b|hunter2$|abc.?123|1234|abcdef|deadbeef|test|environ|getenv|process\."
    r"|settings?\.|config\.|self\.|this\.|request\.|none|null|true|false|undefined|todo",
    re.IGNORECASE,
)
_CODE = re.compile(r"^\d{4}-\d\d-\d\d|[()\[\]{}<>$|\\]|::|^[/.~]|^https?:|://|^--?\w")
_WORDS_JOINED = re.compile(r"[A-Za-z]+(?:[._/-][A-Za-z0-9]+)+|[a-z]+\d{0,2}|[A-Z_]+\d?")


def find_credentials(text: str) -> Iterator[Finding]:
    """Keys, tokens and passwords in `text`; some may be reported twice."""
    for match in _PRIVATE_KEY.finditer(text):
        yield Finding(Sensitive.PRIVATE_KEY, match.start(), match.end())
    for match in _SEED_PHRASE.finditer(text):
        yield Finding(Sensitive.PRIVATE_KEY, match.start(1), match.end(1))
    for match in _OTHER_KEYS.finditer(text):
        if _random(match[0].split("_")[-1].split("-")[-1], least=2.5):
            kind = Sensitive.TOKEN if match[0].startswith(_TOKEN_STARTS) else Sensitive.API_KEY
            yield Finding(kind, match.start(), match.end())
    yield from _of_plugins(text)
    yield from _assigned(text)
    yield from _passed(text)


def _of_plugins(text: str) -> Iterator[Finding]:
    for offset, piece in _pieces(text):
        for kind, plugin in _plugins():
            for match in chain.from_iterable(found.finditer(piece) for found in plugin.denylist):
                start, end = _value_span(match)
                value = piece[start:end]
                if _PLACEHOLDER.search(value) or not _random(value, least=2.5):
                    continue
                if kind is Sensitive.TOKEN and value.startswith("eyJ") and not _is_jwt(value):
                    continue
                yield Finding(kind, offset + start, offset + end)


def _value_span(match: re.Match[str]) -> tuple[int, int]:
    """The span of the longest group if it can be the value, else of the whole match."""
    groups = [match.span(number) for number in range(1, match.re.groups + 1)]
    start, end = max(groups, key=lambda span: span[1] - span[0], default=(0, 0))
    return (start, end) if end - start >= 16 else match.span()


def _is_jwt(value: str) -> bool:
    from detect_secrets.plugins.jwt import JwtTokenDetector

    return bool(JwtTokenDetector.is_formally_valid(value.rstrip(".")))


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """(offset, piece) of at most _PIECE_LENGTH, cut between lines if possible."""
    at = 0
    while at < len(text):
        end = min(len(text), at + _PIECE_LENGTH)
        if end < len(text):
            end = text.rfind("\n", at, end) + 1 or end
        yield at, text[at:end]
        at = end


@cache
def _plugins() -> tuple[tuple[Sensitive, Any], ...]:
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
    from detect_secrets.plugins.base import RegexBasedDetector

    classes = get_mapping_from_secret_type_to_class().values()
    return tuple(
        (_kind_of_plugin(plugin.__name__), plugin())
        for plugin in classes
        if issubclass(plugin, RegexBasedDetector) and plugin.__name__ not in _UNUSED_PLUGINS
    )


def _kind_of_plugin(name: str) -> Sensitive:
    is_token = name.endswith("TokenDetector") or name in ("NpmDetector", "SlackDetector")
    return Sensitive.TOKEN if is_token else Sensitive.API_KEY


def _assigned(text: str) -> Iterator[Finding]:
    for offset, line in _lines_with_words(text):
        for match in _ASSIGNED.finditer(line):
            value = match["value"].rstrip(".,;:!?)。，、")
            start = offset + match.start("value")
            if kind := _kind_of(match, value):
                yield Finding(kind, start, start + len(value))
    for match in _PIN.finditer(text):
        if len(set(match[1])) > 1 and match[1] not in ("123", "1234", "12345", "123456"):
            yield Finding(Sensitive.PASSWORD, match.start(1), match.end(1))


def _passed(text: str) -> Iterator[Finding]:
    """Secrets in command options, headers and URLs."""
    for match in _OPTION.finditer(text):
        if _password(match[1], quoted=False, spoken=False):
            yield Finding(Sensitive.PASSWORD, match.start(1), match.end(1))
    for match in _HEADER.finditer(text):
        number = match.lastindex or 1
        if number == 3:
            if _password(match[3], quoted=False, spoken=False):
                yield Finding(Sensitive.PASSWORD, match.start(3), match.end(3))
        elif _token(match[number]):
            yield Finding(Sensitive.TOKEN, match.start(number), match.end(number))
    for match in _URL.finditer(text):
        user, value = match.groups()
        named = value == user or _CODE.search(value) or _PLACEHOLDER.search(value)
        if not named and not value.isdigit():
            yield Finding(Sensitive.PASSWORD, match.start(2), match.end(2))


def _lines_with_words(text: str) -> Iterator[tuple[int, str]]:
    """(offset, line) of the few lines with a word for a secret."""
    at = 0
    for line in text.splitlines(keepends=True):
        lowered = line.lower()
        if any(stem in lowered for stem in _STEMS):
            for offset, piece in _pieces(line):
                yield at + offset, piece
        at += len(line)


def _kind_of(match: re.Match[str], value: str) -> Sensitive | None:
    if _PASSWORD.fullmatch(match["word"]):
        quoted = bool(match["quote"] and match["after"]) and match["quote"] != "`"
        spoken = match["sep"].strip(":").isalpha()
        return Sensitive.PASSWORD if _password(value, quoted, spoken) else None
    if not _token(value):
        return None
    return Sensitive.TOKEN if "token" in match["word"].lower() else Sensitive.API_KEY


def _password(value: str, quoted: bool, spoken: bool) -> bool:
    """Whether it may be a password, rather than a placeholder or code."""
    if len(value) < 6 or _CODE.search(value) or _PLACEHOLDER.search(value):
        return False
    digit = any(character.isdigit() for character in value)
    letter = any(character.isalpha() for character in value)
    symbol = bool(re.search(r"[!@#%^&*+=?~§€£-]", value))
    if digit and letter:
        return not re.fullmatch(r"[A-Za-z]+[\d.]|v?\d+(?:\.\d+)+\w*", value)
    if letter and symbol and not spoken:
        return not _WORDS_JOINED.fullmatch(value)
    return quoted and len(value) >= 10 and letter and not _WORDS_JOINED.fullmatch(value)


def _token(value: str) -> bool:
    """Whether it looks random: long, with letters and digits, not joined words."""
    if len(value) < 12 or _CODE.search(value) or _PLACEHOLDER.search(value):
        return False
    digits = sum(character.isdigit() for character in value)
    letters = sum(character.isascii() and character.isalpha() for character in value)
    return digits >= 2 and letters >= 2 and _random(value) and not _WORDS_JOINED.fullmatch(value)


def _random(value: str, least: float = 3.0) -> bool:
    """Whether the Shannon entropy is at least `least` bits per character."""
    if not value:
        return False
    shares = [count / len(value) for count in Counter(value).values()]
    return -sum(share * math.log2(share) for share in shares) >= least
