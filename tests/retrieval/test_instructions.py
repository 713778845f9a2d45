from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localpers.retrieval.instructions import instruction_spans


def topic(request: str) -> str:
    for start, end in reversed(instruction_spans(request)):
        request = request[:start] + " " * (end - start) + request[end:]
    return " ".join(request.split()).strip("?.: ")


@pytest.mark.parametrize(
    ("request_text", "expected"),
    [
        ("draft a tweet about last week's talk", "last week's talk"),
        ("Could you please write an email regarding the invoice?", "the invoice"),
        ("write an email to Bob", "Bob"),
        ("Summarize my notes on bees", "bees"),
        ("What do my notes say about bees?", "bees"),
        ("In two sentences, explain photosynthesis", "photosynthesis"),
        ("Turn my notes on bees into a blog post", "bees"),
        ("bees as a haiku", "bees"),
        ("draft a catchy tweet about last week's talk", "last week's talk"),
        ("write an enthusiastic tweet about quantum chromodynamics", "quantum chromodynamics"),
        ("write a tweet (max 280 characters) about bees", "bees"),
        ("write a bold and memorable Instagram caption about bees", "bees"),
        ("write a 200-word blog post about bees", "bees"),
        ("draft tweet: beekeeping talk", "beekeeping talk"),
        ("I need a tweet for the beekeeping talk", "the beekeeping talk"),
        ("Schreibe einen begeisterten Tweet über den Vortrag", "den Vortrag"),
        ("发一条关于养蜂的微博", "养蜂"),
        ("Schreibe einen Tweet über den Vortrag", "den Vortrag"),
        ("Kannst du mir einen Beitrag über die Mühle schreiben?", "die Mühle"),
        ("Écris un tweet sur la conférence", "la conférence"),
        ("Escribe un tuit sobre la charla", "la charla"),
        ("Riassumi i miei appunti sulle api", "api"),
        ("Escreva um resumo sobre abelhas", "abelhas"),
        ("Schrijf een tweet over de lezing", "de lezing"),
        ("先週の講演についてツイートを書いて", "先週の講演"),
        ("写一条关于上周演讲的推文", "上周演讲"),
        ("지난주 강연에 대한 트윗을 써줘", "지난주 강연"),
    ],
)
def test_the_topic_remains_of_a_task(request_text: str, expected: str) -> None:
    assert topic(request_text) == expected


@pytest.mark.parametrize(
    "query",
    [
        "Why does the garden flood",
        "What did we carry over the pass",
        "how to draft a contract",
        "How do I write a post about bees",
        "Create a message structure from binary data",
        "Write message contents to the queue",
        "explain query plan",
        "talk on Monday",
        "talk on gardens",
        "describe the security of a message about keys",
        "email settings",
        "draft contract",
        "draft a tweet",
        "Wo steht die alte Mühle",
        "東京の天気",
    ],
)
def test_a_plain_question_stays_whole(query: str) -> None:
    assert topic(query) == query


@given(st.text())
def test_any_text_keeps_something_to_look_for(text: str) -> None:
    spans = instruction_spans(text)
    assert spans == sorted(spans)
    assert not spans or topic(text)
