"""E-mail: own words apart from others', one bad message never costs the rest."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.corpus.readers import reader_for
from localpers.datatypes import BlockKind, Document, Kind
from localpers.errors import UnreadableFile

REPLY = """\
Hi Bob,

thanks, this works:

    def f():
        return 1

I agree.

Best regards,
Alice

On Mon, 3 Jan 2022 at 10:00, Bob <bob@example.org> wrote:

> Hello Alice,
>
> are you well?
"""

OUTLOOK = """\
My answer.

From: Bob <bob@example.org>
Sent: Monday, January 3, 2022 10:00
To: Alice <alice@example.org>
Subject: Question

What do you think?
"""


def message(body: str, subtype: str = "plain", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "alice@example.org"
    mail["Subject"] = "Über uns"
    mail["Date"] = "Fri, 17 May 2024 10:30:00 +0200"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(body, subtype=subtype)
    return mail


def read(path: Path) -> list[Document]:
    reader = reader_for(path)
    assert reader is not None
    return list(reader(path))


def read_mail(path: Path, mail: EmailMessage) -> Document:
    path.write_bytes(mail.as_bytes())
    (document,) = read(path)
    return document


def own(document: Document) -> list[str]:
    return [
        document.text[b.start : b.end] for b in document.blocks if b.kind is not BlockKind.QUOTE
    ]


def quoted(document: Document) -> str:
    return "\n".join(
        document.text[b.start : b.end] for b in document.blocks if b.kind is BlockKind.QUOTE
    )


def test_own_words_apart_from_the_quoted_mail_and_the_signature(tmp_path: Path) -> None:
    document = read_mail(tmp_path / "x.eml", message(REPLY))
    assert (document.title, document.date, document.kind, document.part, document.first_line) == (
        "Über uns",
        "2024-05-17T10:30:00+02:00",
        Kind.EMAIL,
        "",
        None,
    )
    assert own(document) == [
        "Hi Bob,",
        "thanks, this works:",
        "def f():\n        return 1",
        "I agree.",
    ]
    assert "are you well?" in quoted(document)
    assert "Best regards" in quoted(document)
    assert "    def f():" in document.text


def test_a_mail_quoted_without_marks(tmp_path: Path) -> None:
    document = read_mail(tmp_path / "x.eml", message(OUTLOOK))
    assert own(document) == ["My answer."]
    assert "What do you think?" in quoted(document)


def test_answers_between_the_lines_are_own_words(tmp_path: Path) -> None:
    body = "On Mon, 3 Jan 2022 at 10:00, Bob <b@x.org> wrote:\n> One?\n\nYes.\n\n> Two?\n\nNo.\n"
    assert own(read_mail(tmp_path / "x.eml", message(body))) == ["Yes.", "No."]


def test_an_html_mail_goes_through_the_html_reader(tmp_path: Path) -> None:
    body = (
        "<p>My <b>answer</b></p><div>On Mon, 3 Jan 2022 at 10:00, Bob &lt;b@x.org&gt; wrote:</div>"
        "<blockquote><p>Question?</p></blockquote>"
    )
    document = read_mail(tmp_path / "x.eml", message(body, subtype="html"))
    assert own(document) == ["My answer"]
    assert "Question?" in quoted(document)


def test_attachments_are_left_out(tmp_path: Path) -> None:
    mail = message("The body.")
    mail.add_attachment("attached words", filename="a.txt")
    mail.add_attachment(b"\0\1" * 100, maintype="image", subtype="png", filename="a.png")
    assert read_mail(tmp_path / "x.eml", mail).text == "The body."


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Type: text/plain; charset=no-such-charset\n",
        b"Content-Type: text/plain; charset=ascii\n",
        b"Content-Type: text/plain; charset=\n",
        b"",
    ],
)
def test_wrong_charsets_cost_nothing(tmp_path: Path, headers: bytes) -> None:
    path = tmp_path / "x.eml"
    path.write_bytes(b"Subject: s\n" + headers + b"\n" + "größer".encode() + b"\n")
    (document,) = read(path)
    assert document.text == "größer"


def test_a_mail_without_text_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.eml"
    path.write_bytes(b"Subject: x\nContent-Type: image/png\n\nAAAA\n")
    with pytest.raises(UnreadableFile, match="no text in it"):
        read(path)


def test_mbox_keeps_what_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "Inbox"
    mails = [
        message("First.", Message_ID="<1@x>").as_bytes(),
        b"Content-Type: multipart/mixed; boundary=\nDate: \xff\xfe\nSubject: =?x?q?\n\n\xff\xfe",
        message("Copy.", Message_ID="<2@x>").as_bytes(),
        message("Copy.", Message_ID="<2@x>").as_bytes(),
        message("Other mail, same id.", Message_ID="<2@x>").as_bytes(),
        message("No id.").as_bytes(),
    ]
    path.write_bytes(b"".join(b"From a Fri May 17 10:30:00 2024\n" + m + b"\n" for m in mails))
    documents = [d for d in read(path) if d.title == "Über uns"]
    assert [d.text for d in documents] == [
        "First.",
        "Copy.",
        "Other mail, same id.",
        "No id.",
    ]
    parts = [d.part for d in documents]
    assert parts[:2] == ["<1@x>", "<2@x>"]
    assert len(set(parts)) == 4
    before = {d.part for d in documents}
    path.write_bytes(path.read_bytes() + b"From a Sat May 18 10:30:00 2024\n" + mails[0] + b"more")
    assert before <= {d.part for d in read(path)}


def test_what_is_no_mailbox_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.mbox"
    path.write_text("hello")
    with pytest.raises(UnreadableFile, match="not a mailbox"):
        read(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300), st.text(max_size=200))
def test_no_mail_raises_anything_else(tmp_path: Path, headers: bytes, body: str) -> None:
    path = tmp_path / "x.eml"
    path.write_bytes(b"Subject: x\n" + headers + b"\n\n" + body.encode("utf-8", "replace") + b"\n")
    try:
        (document,) = read(path)
    except UnreadableFile:
        return
    document.text.encode("utf-8")
    end = 0
    for block in document.blocks:
        assert end <= block.start < block.end <= len(document.text)
        end = block.end


@pytest.mark.timeout(20)
def test_a_long_line_does_not_hang(tmp_path: Path) -> None:
    for body in (
        "mail " * 40_000,
        "On " * 40_000 + "wrote:",
        "\n".join(["From:"] * 20_000),
        "a\n" + "\n" * 50_000,
        "thanks\n.\n" * 9_000,
    ):
        read_mail(tmp_path / "x.eml", message(body))
