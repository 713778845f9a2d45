"""Payment cards, IBANs and national ids, checked by python-stdnum."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from localpers.corpus.secrets.findings import Finding, Sensitive

_SPACE = r"[ \-\u00a0\u2009\u202f]"
_RUN = re.compile(rf"(?<![\w.,/_-])\d(?:{_SPACE}{{0,2}}\d){{12,31}}(?![\w/_-]|[.,]\d)")
_GROUP = re.compile(r"\d+")
_ISSUERS = re.compile(
    r"4\d{15}"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}"  # American Express, Diners Club
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}"  # Discover, JCB
    r"|62\d{14}|220[0-4]\d{12}|(?:508[5-9]|6521|6522|60[68]\d)\d{12}"  # UnionPay, Mir, RuPay
    r"|(?:5018|5020|5038|5893|6304|6759|676[1-3])\d{12}"  # Maestro
)
_WRITTEN = frozenset({(4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (8, 8), (16,), (15,), (14,)})
"""Group lengths in which cards are written, to find them among other numbers."""

_IBAN = re.compile(rf"(?<![A-Za-z0-9])[A-Za-z]{{2}}\d{{2}}(?:{_SPACE}?[A-Za-z0-9]){{11,30}}")
_ALPHANUMERIC = re.compile(r"[A-Za-z0-9]+")
_IBAN_LENGTHS = range(15, 35)


def find_cards(text: str) -> Iterator[Finding]:
    """Numbers in an issuer's range with a valid check digit (ISO/IEC 7812-1)."""
    for run in _RUN.finditer(text):
        groups = [(m.start() + run.start(), m.end() + run.start()) for m in _GROUP.finditer(run[0])]
        if _is_card(run[0]):
            yield Finding(Sensitive.CARD, run.start(), run.end())
            continue
        for first in range(len(groups)):
            for last in range(first, min(first + 5, len(groups))):
                lengths = tuple(end - start for start, end in groups[first : last + 1])
                start, end = groups[first][0], groups[last][1]
                if lengths in _WRITTEN and _is_card(text[start:end]):
                    yield Finding(Sensitive.CARD, start, end)


def _is_card(written: str) -> bool:
    from stdnum import luhn

    digits = "".join(_GROUP.findall(written))
    return bool(_ISSUERS.fullmatch(digits)) and len(set(digits)) > 1 and luhn.is_valid(digits)


def find_ibans(text: str) -> Iterator[Finding]:
    """International bank account numbers (ISO 13616)."""
    for match in _IBAN.finditer(text):
        # The words after an IBAN may look like further groups of it.
        ends = [group.end() for group in _ALPHANUMERIC.finditer(match[0])]
        for end in reversed(ends):
            if _is_iban(match[0][:end]):
                yield Finding(Sensitive.IBAN, match.start(), match.start() + end)
                break


def _is_iban(written: str) -> bool:
    from stdnum import iban

    compact = re.sub(_SPACE, "", written).upper()
    return len(compact) in _IBAN_LENGTHS and iban.is_valid(compact)


@dataclass(frozen=True, slots=True)
class _Id:
    """stdnum's `module` checks what `form` finds; with `words`, only after one of them."""

    form: str
    module: str = ""
    words: str = ""


_END = r"(?![\w-]|[.,]\d)"
_CANDIDATE = re.compile(r"(?<![\w.,/+-])(?=[A-Za-z]{0,6}[- ]?\d)[A-Za-z0-9]")
_MAX_ID_LENGTH = 24
_MIN_DIGITS = 4
_IDS = (
    _Id(r"\d{3}-\d{2}-\d{4}", "us.ssn"),
    _Id(r"\d{9}|\d{3} \d{2} \d{4}", "us.ssn", r"SSN|social security"),
    _Id(r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]"),
    _Id(r"\d{3}[ -]?\d{3}[ -]?\d{4}", "gb.nhs", r"NHS"),
    _Id(r"\d{3}[ -]?\d{3}[ -]?\d{3}", "ca.sin", r"\bSIN\b|social insurance|assurance sociale"),
    _Id(r"\d{3} ?\d{3} ?\d{2,3}", "au.tfn", r"\bTFN\b|tax file"),
    _Id(
        r"\d{2} ?\d{3} ?\d{3} ?\d{3}",
        "de.idnr",
        r"steuer-?\s?(?:id|nummer)|\bIdNr\b|\bTIN\b",
    ),
    _Id(r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}", "fr.nir"),
    _Id(r"\d{8}-?[A-HJ-NP-TV-Z]", "es.dni"),
    _Id(r"[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]", "es.nie"),
    _Id(r"[A-Za-z]{6}\d{2}[A-EHLMPR-Ta-ehlmpr-t]\d{2}[A-Za-z]\d{3}[A-Za-z]", "it.codicefiscale"),
    _Id(r"\d{3}\.\d{3}\.\d{3}-\d{2}", "br.cpf"),
    _Id(r"\d{11}", "br.cpf", r"\bCPF\b"),
    _Id(r"756\.\d{4}\.\d{4}\.\d{2}|756\d{10}", "ch.ssn"),
    _Id(r"\d{4} ?\d{6}", "at.vnr", r"SVNR|SV-?Nummer|sozialversicherung|versicherungsnummer"),
    _Id(r"[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])\d{2}\d{3}[\dXx]", "cn.ric"),
    _Id(r"\d{6}-\d{7}", "kr.rrn"),
    _Id(r"\d{11}", "pl.pesel", r"PESEL"),
    _Id(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", "fi.hetu"),
    _Id(r"(?:19|20)\d{6}-\d{4}", "se.personnummer"),
    _Id(r"(?:19|20)?\d{6}[-+]?\d{4}", "se.personnummer", r"personn(?:umme)?r|personal identity"),
    _Id(r"\d{6}-?\d{4}", "dk.cpr", r"\bCPR\b|personnummer"),
    _Id(r"\d{6} ?\d{5}", "no.fodselsnummer", r"fødselsn(?:umme)?r|personnummer|\bfnr\b"),
    _Id(r"\d{4}[. ]?\d{2}[. ]?\d{3}|\d{9}", "nl.bsn", r"\bBSN\b|burgerservice|sofi"),
    _Id(r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}", "be.nn"),
    _Id(
        r"\d{11}|\d{2} \d{2} \d{2} \d{3} \d{2}",
        "be.nn",
        r"rijksregister|registre national|\bNISS\b",
    ),
    _Id(r"[1-9]\d{2} ?\d{3} ?\d{3}", "pt.nif", r"\bNIF\b|contribuinte"),
    _Id(r"\d{7}[A-W][A-IWTX]?", "ie.pps", r"\bPPSN?\b|personal public"),
    _Id(r"[2-9]\d{3}[ -]\d{4}[ -]\d{4}", "in_.aadhaar", r"aadha+r|आधार|UIDAI"),
    _Id(r"[2-9]\d{11}", "in_.aadhaar", r"aadha+r|आधार|UIDAI"),
    _Id(r"[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]", "in_.pan", r"\bPAN\b|permanent account"),
    _Id(r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[A-Z0-9]\d", "mx.curp"),
    _Id(r"\d{7,8}-?\d", "il.idnr", r"teudat|ת\.ז|תעודת זהות|israeli? id"),
    _Id(r"[1-9]\d{10}", "tr.tckimlik", r"\bT\.?C\.?\b|kimlik"),
    _Id(r"\d{10}|\d{12}", "ru.inn", r"ИНН|\bINN\b"),
    _Id(r"\d{3}-\d{3}-\d{3} \d{2}", "", r"СНИЛС|SNILS"),
    _Id(r"\d{6} ?\d{4} ?\d{3}", "za.idnr", r"\bID\b|identity"),
    _Id(r"\d{1,2}\.\d{3}\.\d{3}-[\dKk]", "cl.rut"),
    _Id(r"\d{7,8}-?[\dKk]", "cl.rut", r"\bRU[TN]\b"),
    _Id(r"\d{6}/\d{3,4}", "cz.rc"),
    _Id(r"\d{9,10}", "cz.rc", r"rodné č|rodné číslo|birth number"),
    _Id(r"[1-8]\d{12}", "ro.cnp", r"\bCNP\b"),
    _Id(r"\d{11}", "hr.oib", r"\bOIB\b"),
    _Id(r"\d{10}", "bg.egn", r"\bЕГН\b|\bEGN\b"),
    _Id(r"\d{11}", "gr.amka", r"ΑΜΚΑ|AMKA"),
    _Id(r"[1-6]\d{10}", "ee.ik", r"isikukood|personal code|asmens kodas"),
    _Id(r"\d-\d{4}-\d{5}-\d{2}-\d", "th.pin"),
    _Id(r"\d{13}", "th.pin", r"บัตรประชาชน|thai id"),
    _Id(r"\d{4}[ -]?\d{4}[ -]?\d{4}", "", r"マイナンバー|個人番号|my number card"),
    # Passports and identity cards have no common checksum, so they need a label.
    _Id(
        r"(?=(?:[A-Z]*\d){4})[A-Z0-9]{7,10}",
        "",
        r"(?:passport|reisepass|passeport|pasaporte|passaporto|passaporte|paspoort|паспорт|护照|ausweis"
        r"|personalausweis|führerschein|driv(?:er|ing).{0,3} licen[cs]e|carte d.identité)"
        r"(?:[ -]?(?:no|nr|number|nummer|numéro|número|n°|id|#)\.?)?\s*[:#=]?",
    ),
)
_LABEL_DISTANCE = 40
"""Characters before a number searched for its label."""


def find_national_ids(text: str) -> Iterator[Finding]:
    """Personal ids of some forty countries with a distinctive form or a label before them."""
    for candidate in _CANDIDATE.finditer(text):
        start = candidate.start()
        if sum(map(str.isdigit, text[start : start + _MAX_ID_LENGTH])) < _MIN_DIGITS:
            continue
        for known, form, words in _expressions():
            match = form.match(text, start)
            if match is None or (
                words and not words.search(text, max(0, start - _LABEL_DISTANCE), start)
            ):
                continue
            if _valid(known.module, match[0]):
                yield Finding(Sensitive.NATIONAL_ID, start, match.end())
                break


def _valid(module: str, written: str) -> bool:
    if len(set(re.sub(r"\D", "", written))) < 3:
        return False
    return not module or bool(_module(module).is_valid(written))


@cache
def _expressions() -> tuple[tuple[_Id, re.Pattern[str], re.Pattern[str] | None], ...]:
    return tuple(
        (
            known,
            re.compile(rf"(?:{known.form}){_END}"),
            re.compile(known.words, re.IGNORECASE) if known.words else None,
        )
        for known in _IDS
    )


@cache
def _module(name: str) -> Any:
    from importlib import import_module

    return import_module(f"stdnum.{name}")
