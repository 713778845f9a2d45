"""Whose words mails and messages are: stated, by the folder of sent mail, by who takes part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from localpers.corpus.authors import find_authors, is_sent, is_transcript
from localpers.corpus.readers.mail import read_eml
from localpers.corpus.readers.posts import read_posts
from localpers.corpus.secrets.rules import Rules
from localpers.datatypes import Kind, StoredDocument

ME, ANN, BEN = "me@x.org", "ann@y.org", "ben@z.org"


def mail(
    number: int,
    author: str,
    *recipients: str,
    path: str = "/mail/all.mbox",
    kind: Kind = Kind.EMAIL,
) -> StoredDocument:
    return StoredDocument(
        id=number,
        path=path,
        part=str(number),
        title="hello",
        kind=kind,
        date="2024-01-01",
        date_from="metadata",
        language="en",
        content_hash=str(number),
        text="words",
        blocks=(),
        author=author,
        recipients=recipients,
    )


MAILBOX = [mail(1, ME, ANN), mail(2, ANN, ME), mail(3, BEN, ME), mail(4, ME, BEN), mail(5, "")]


def test_the_owner_of_a_mailbox_takes_part_in_nearly_every_mail() -> None:
    found = find_authors(MAILBOX, Kind.EMAIL, Rules())
    assert (found.own, found.how, found.others, found.senders) == (
        (ME,),
        "participation",
        {2, 3},
        2,
    )


def test_between_two_that_write_to_each_other_nobody_is_chosen() -> None:
    found = find_authors([mail(1, ME, ANN), mail(2, ANN, ME)], Kind.EMAIL, Rules())
    assert (found.own, found.how, found.others) == ((), "unknown", {1, 2})


def test_who_only_receives_is_not_taken_for_the_writer_of_newsletters() -> None:
    letters = [mail(number, f"news{number}@y.org", ME) for number in range(6)]
    assert find_authors(letters, Kind.EMAIL, Rules()).others == set(range(6))


def test_a_folder_of_sent_mail_tells_more_than_who_takes_part() -> None:
    both = [
        mail(1, ME, ANN, path="/mail/Sent.mbox"),
        mail(2, ANN, ME, path="/mail/Inbox.mbox"),
        mail(3, "me@work.org", ANN, path="/mail/Sent.mbox"),
    ]
    found = find_authors(both, Kind.EMAIL, Rules())
    assert (found.own, found.how, found.others) == (("me@work.org", ME), "sent", {2})


def test_stated_addresses_decide() -> None:
    found = find_authors(MAILBOX, Kind.EMAIL, Rules(addresses=("Ben@Z.org",)))
    assert (found.own, found.how, found.others) == ((BEN,), "stated", {1, 2, 4})


def test_messages_are_told_apart_by_name_and_notes_are_never_asked() -> None:
    chat = [mail(n, name, kind=Kind.MESSAGE) for n, name in enumerate(["Ann", "Me", "Ann"])]
    assert find_authors(chat, Kind.MESSAGE, Rules()).how == "unknown"
    assert find_authors(chat, Kind.MESSAGE, Rules(names=("me",))).others == {0, 2}
    alone = [mail(n, "Me", kind=Kind.MESSAGE) for n in range(3)]
    assert find_authors(alone, Kind.MESSAGE, Rules()).others == set()
    assert find_authors(chat, Kind.EMAIL, Rules()).how == "none"


@pytest.mark.parametrize(
    "form",
    [
        "12/03/2024, 10:1{n} - {name}: {words}",
        "[12.03.24, 10:1{n}:05] {name}: {words}",
        "2024-03-12 10:1{n} {name}: {words}",
        "3/12/24, 9:1{n} PM - {name}: {words}\n{words}",
    ],
)
def test_a_chat_as_text_is_told_from_notes_with_times(form: str) -> None:
    def chat(*names: str) -> str:
        lines = enumerate(names)
        return "\n".join(form.format(n=n, name=name, words="shall we go") for n, name in lines)

    assert is_transcript(chat("Ann", "Me", "Ann", "Me", "Ann"))
    assert not is_transcript(chat("Me", "Me", "Me", "Me", "Me"))
    assert not is_transcript(chat("Ann", "Me") + "\nwords of a note" * 20)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/m/Sent", True),
        ("/m/Sent Items.mbox/mbox", True),
        ("/m/[Gmail].Sent Mail/1.eml", True),
        ("/m/Gesendete Objekte.mbox", True),
        ("/m/Sentences/1.eml", False),
        ("/m/presentations/sent-to-ann.eml", False),
    ],
)
def test_folders_of_sent_mail_are_known_by_name(path: str, sent: bool) -> None:
    assert is_sent(path) is sent


def test_readers_tell_who_wrote_and_to_whom(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_text(
        "From: Ann Smith <Ann@Y.org>\nTo: Me <me@x.org>, ben@z.org\nDelivered-To: me@x.org\n"
        "Subject: hello\n\nWords of Ann.\n"
    )
    (document,) = read_eml(path)
    assert (document.author, document.recipients) == (ANN, (ME, BEN))
    chat = tmp_path / "chat.json"
    items = [
        {"id": 1, "text": "hi there", "date": "2024-01-01", "from": "Ann"},
        {"id": 2, "text": "hello you", "date": "2024-01-02", "from": "Me", "from_me": True},
        {"id": 3, "full_text": "a post", "created_at": "2024-01-03"},
    ]
    chat.write_text(json.dumps(items))
    assert [document.author for document in read_posts(chat)] == ["Ann", "", ""]
