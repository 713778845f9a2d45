"""What must not be learned is found in many forms and languages, and what looks like it is not.

Keys are put together here, so that no scanner of repositories takes them for real ones.
"""

from __future__ import annotations

from string import ascii_letters, digits

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum import luhn

from localpers.corpus.secrets.numbers import find_cards
from localpers.corpus.secrets.rules import Rules
from localpers.corpus.secrets.scan import scan_text

RULES = Rules()
DRAWN = "q7Zx2Lm9Vb4Tn6Rk1Wp8Hs3Jd5Gf0YcQ4tB7uN2eX9aM"
HEX = "9f86d081884c7d659a2feaa0c55ad015"
SURROUNDINGS = (
    "{}",
    "Notes of Tuesday: {} and then we went home.",
    "- {}\n- bread, onions",
    "| what | value |\n|---|---|\n| it | {} |\n",
    "Bitte nicht weitergeben: {}, danke.",
    "記録: {} です",
)

SECRETS = {
    "api key": [
        "AKIA" + "Q3EGHJ7KLMNP5RST",
        "AIza" + DRAWN[:35],
        "sk-" + DRAWN[:40],
        "sk-ant-api03-" + DRAWN[:40],
        "sk_live_" + DRAWN[:24],
        "SG." + DRAWN[:22] + "." + DRAWN,
        f"api_key = '{HEX}'",
        f"client_secret: {DRAWN[:32]}",
        f"API-Schlüssel: {HEX}",
    ],
    "token": [
        "ghp_" + DRAWN[:36],
        "xoxb-" + "2048203984-" + "1093840293-" + DRAWN[:24],
        f"token={HEX}",
        f"Authorization: Bearer {DRAWN[:40]}",
    ],
    "private key": [
        "-----BEGIN OPENSSH " + "PRIVATE KEY-----\n" + DRAWN + "\n" + DRAWN + "\n-----END OPENSSH "
        "PRIVATE KEY-----",
        "seed phrase: ribbon cattle orbit lunch velvet anchor puzzle mirror hollow fence sand sun",
    ],
    "password": [
        "password: Tr0ub4dor&3",
        "The password for the router is m0ose-elk-44.",
        "Passwort: geheimnis7Kuh",
        "das Kennwort lautet Wald!meister9",
        "mot de passe : bleu2cerise",
        "contraseña: perro7azul",
        "senha = cafe9forte",
        "wachtwoord: fiets22groen",
        "пароль: zima2024les",
        "密码：xiaomao88",
        "パスワード: neko9sakura",
        'db_password = "vj83hdKq"',
        "postgres://mara:w9dkVq3@db.host.org/app",
        "mysql --password=vj83hdKq",
        "PIN: 4921",
    ],
    "card number": [
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "378282246310005",
        "6011 1111 1111 1117",
    ],
    "iban": [
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "FR14 2004 1010 0505 0001 3M02 606",
        "nl91 abna 0417 1643 00",
        "CH93 0076 2011 6238 5295 7",
    ],
    "national id": [
        "536-90-4399",
        "QQ 12 34 56 C".replace("QQ", "AB"),
        "Steuer-ID: 36 574 261 809",
        "2 95 10 99 126 111 93",
        "54362315K",
        "X-2482300-W",
        "RCCMNL83S18D969H",
        "390.533.447-05",
        "756.9217.0769.85",
        "131052-308T",
        "PESEL 44051401359",
        "BSN: 111222333",
        "personnummer 880320-0016",
        "85.07.30-033.28",
        "BOXW310820HNERXN09",
        "Aadhaar 2341 2341 2346",
        "passport no. L8302741",
        "Reisepassnummer: C01X00T47",
    ],
    "phone number": [
        "+1 650-253-0000",
        "+44 20 7031 3000",
        "+49 30 303986300",
        "+33 (0)1 42 68 53 00",
        "0033 1 42 68 53 00",
        "+81 3-6384-9000",
        "+55 11 2395-8400",
        "call her at (650) 253-0000",
        "Tel. 030 303986300",
    ],
    "e-mail address": ["mara.lindt@posteo.de", "j.o'neill+club@mail.co.uk", "<k_sato@nifty.ne.jp>"],
    "postal address": [
        "12 High Street, Oxford OX1 4AB",
        "1600 Amphitheatre Parkway, Mountain View, CA 94043",
        "Lindenstraße 12a, 10969 Berlin",
        "Am Hofweg 3\n22085 Hamburg",
        "12 bis, rue de la Paix, 75002 Paris",
        "Calle Mayor 5, 28013 Madrid",
        "Via Roma 10, 00184 Roma",
        "Rua Augusta 100, 1100-053 Lisboa",
        "Keizersgracht 174, 1016 DW Amsterdam",
        "ul. Długa 5/7, 00-238 Warszawa",
        "ул. Мясницкая, д. 5, кв. 10",
        "〒150-0002 東京都渋谷区渋谷2-21-1",
        "she lives at 44 Orchard Lane",
        "er wohnt Gartenstraße 9",
    ],
}  # fmt: skip
PLANTED = [(kind, secret) for kind, secrets in SECRETS.items() for secret in secrets]

HARMLESS = """
git commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b
uuid 123e4567-e89b-12d3-a456-426614174000
ISBN 978-3-16-148410-0, EAN 4006381333931, DOI 10.1000/182
version 4.12.0-rc.1, numpy 2.4.6, llama-cpp-python 0.3.36
2024-09-21T19:43:44Z and 20240921 and 1726947824123
lat 37.42199912345678, lon -122.08405712345678
GET https://api.example.org/v1/items?page=2&token=YOUR_TOKEN
password = os.environ["DB_PASSWORD"]
password: ${{ secrets.DB_PASSWORD }}
export API_KEY=your-api-key-here
api_key = settings.API_KEY
token = get_token(request.headers["x"])
postgres://postgres:postgres@localhost/app
ssh pi@raspberry.local and ssh root@10.0.0.12
git clone git@github.com:owner/name.git
npm install left-pad@1.3.0
@app.route("/users")
write to info@museum.org or noreply@shop.com, not to me@example.com
The password is wrong more often than not, and the token expired.
The key to a good note: keep it short.
sha256-47DEQpj8HBSa+/TIm+5JCeuQeRkm5NMpJWZG3hSuFU= of nothing
4 8 15 16 23 42 108 4 8 15 16 23 42
We met at 5 pm in room 12, 400 people came, 1,234,567 did not.
Call me maybe; 1990-2024 were good years.
Walk 12 km along the main road to Oxford. 30 Park benches, 20 oaks.
tweet 1212092628029698048, order 4045142741717613284
""".strip().split("\n")


def kinds(text: str, language: str = "") -> set[str]:
    return {finding.kind for finding in scan_text(text, language, RULES)}


@pytest.mark.parametrize(("kind", "secret"), PLANTED)
def test_secrets_and_personal_data_are_found_whatever_stands_around_them(
    kind: str, secret: str
) -> None:
    missed = [around for around in SURROUNDINGS if kind not in kinds(around.format(secret))]
    assert missed == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("es", "móvil: 612 34 56 78"),
        ("it", "cellulare 312 345 6789"),
        ("pl", "tel. 512 345 678"),
        ("ja", "電話 03-6384-9000"),
        ("ru", "тел. 8 495 739-70-00"),
        ("sv", "mobil 070-123 45 67"),
    ],
)
def test_a_number_without_country_code_is_of_the_countries_of_the_language(
    language: str, text: str
) -> None:
    assert kinds(text, language) == {"phone number"}
    assert kinds(text.split(" ", 1)[1], language) == set()


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_looks_like_a_secret_is_learned(line: str) -> None:
    assert kinds(line, "en") == set()


@st.composite
def cards(draw: st.DrawFn) -> str:
    """A valid number of an issuer's range, in groups of any lengths."""
    prefix, length = draw(st.sampled_from([("4", 16), ("52", 16), ("37", 15), ("6011", 16)]))
    body = prefix + draw(st.text("0123456789", min_size=length - 5, max_size=length - 5))
    body = body[: length - 1].ljust(length - 1, "7")
    return body + luhn.calc_check_digit(body)


@given(cards(), st.lists(st.sampled_from(["", "", "", " ", "-"]), min_size=16, max_size=16))
def test_a_valid_card_number_is_found_in_any_spacing(card: str, gaps: list[str]) -> None:
    written = "".join(digit + gap for digit, gap in zip(card, gaps, strict=False)).strip(" -")
    found = list(find_cards(f"the card {written}, thanks"))
    assert [(f.start, f.end) for f in found] == [(9, 9 + len(written))]


@given(cards(), st.integers(1, 9))
def test_a_number_with_a_wrong_check_digit_is_no_card(card: str, off: int) -> None:
    wrong = card[:-1] + str((int(card[-1]) + off) % 10)
    assert list(find_cards(f"the number {wrong}, thanks")) == []


@settings(max_examples=200)
@given(st.text(max_size=400))
def test_any_text_can_be_scanned_and_findings_lie_within_it(text: str) -> None:
    for finding in scan_text(text, "", RULES):
        assert 0 <= finding.start < finding.end <= len(text)


@given(st.text(ascii_letters + digits, min_size=2_000, max_size=2_000), st.sampled_from("@:-=/ ."))
@settings(max_examples=10, deadline=None)
def test_long_lines_without_spaces_take_no_more_than_linear_time(word: str, mark: str) -> None:
    scan_text((word + mark) * 20, "en", RULES)


def test_no_finding_carries_what_was_found() -> None:
    (finding,) = scan_text("password: Tr0ub4dor&3", "en", RULES)
    assert "Tr0ub4dor" not in repr(finding)
