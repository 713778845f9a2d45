"""Which form a request names."""

from __future__ import annotations

import pytest

from localpers.assistant.plan import plan


@pytest.mark.parametrize(
    ("request_text", "form"),
    [
        ("draft a tweet about last week's talk", "tweet"),
        ("Tweet: the new release is out", "tweet"),
        ("please write a short email to the team about the outage", "email"),
        ("email to my landlord about the heating", "email"),
        ("Schreib eine E-Mail an das Team über den Umzug", "email"),
        ("suggest a title for my note on backups", "title"),
        ("title for an article about bees", "title"),
        ("summarise what I know about sourdough", "summary"),
        ("Fasse meine Notizen zu Docker zusammen", "summary"),
        ("give me a tl;dr of my docker notes", "summary"),
        ("outline a talk on testing", "outline"),
        ("write a blog post on moving house", "post"),
        ("write a commit message for the parser fix", "commit"),
        ("make a list of things I learned about CSS", "list"),
        ("週末の発表についてツイートを書いて", "tweet"),
        ("how do I undo the last commit?", "answer"),
        ("in those links that open a mail, which parameter holds the subject?", "answer"),
        ("what title did I give the talk?", "answer"),
        ("which port does my mail server use?", "answer"),
        ("post a form with curl", "answer"),
        ("sqlite wal mode", "answer"),
    ],
)
def test_forms_are_read_from_the_request(request_text: str, form: str) -> None:
    assert plan(request_text).form == form


@pytest.mark.parametrize(
    ("request_text", "subject"),
    [
        ("draft a tweet about last week's talk", "last week's talk"),
        ("a title for the write-up on giving commits new dates", "giving commits new dates"),
        ("outline a talk on moving to a new house", "moving to a new house"),
        ("tweet: how to skip the checks", "how to skip the checks"),
        ("how do I undo the last commit?", "how do I undo the last commit?"),
    ],
)
def test_the_subject_is_what_a_draft_is_about(request_text: str, subject: str) -> None:
    assert plan(request_text).subject == subject
