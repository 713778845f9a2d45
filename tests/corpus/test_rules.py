"""Rules of the user: what they hold back and allow, and what is refused with one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.corpus.secrets.rules import Rules
from localpers.corpus.secrets.scan import scan_text
from localpers.errors import LocalpersError


def rules(folder: Path, text: str) -> Rules:
    (folder / "learning.toml").write_text(text)
    return Rules.load(folder)


def kinds(text: str, known: Rules) -> list[str]:
    return [finding.kind for finding in scan_text(text, "en", known)]


def test_without_a_file_there_are_no_rules(tmp_path: Path) -> None:
    assert Rules.load(tmp_path) == Rules()


def test_a_named_expression_holds_back_what_it_matches(tmp_path: Path) -> None:
    known = rules(tmp_path, "[hold_back]\nproject = '(?i)project\\s+falcon'\n")
    assert kinds("We call it Project  Falcon.", known) == ["project"]
    assert kinds("We call it a project.", known) == []


def test_what_is_allowed_or_ignored_or_ones_own_is_learned(tmp_path: Path) -> None:
    known = rules(
        tmp_path,
        'addresses = ["Me@posteo.de", "@lindt.org"]\nallow = ["+49 30 303986300"]\n'
        'ignore = ["iban"]\n',
    )
    for text in ("me+news@posteo.de", "anyone@lindt.org", "+49 (30) 30398-6300"):
        assert kinds(f"Write to {text} soon.", known) == []
    assert kinds("Pay to DE89 3704 0044 0532 0130 00.", known) == []
    assert kinds("Write to other@posteo.de soon.", known) == ["e-mail address"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[hold_back]\nbroken = '(a'\n", "rule 'broken' is not a regular expression"),
        ("[hold_back]\nall = 'a*'\n", "rule 'all' matches the empty text"),
        (f"[hold_back]\nlong = '{'a' * 2000}'\n", "rule 'long' is longer than"),
        ("addreses = ['a@b.org']\n", "'addreses'"),
        ("ignore = ['shoe size']\n", "'ignore.0'"),
        ("names = [\n", "is not valid TOML"),
    ],
)
def test_a_rule_that_cannot_work_is_refused_in_one_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(LocalpersError) as refusal:
        rules(tmp_path, text)
    assert expected in str(refusal.value) and "\n" not in str(refusal.value)


def test_a_catastrophic_expression_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("localpers.corpus.secrets.rules.RULE_SECONDS", 0.1)
    known = rules(tmp_path, "[hold_back]\nslow = '(a|aa)+$'\n")
    with pytest.raises(LocalpersError, match=r"Rule 'slow' .* simplify it"):
        scan_text("a" * 80 + "b", "en", known)
