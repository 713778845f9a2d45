"""Archives of posts and chats, and the many JSON files that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localpers.corpus.readers import reader_for
from localpers.datatypes import Document, Kind
from localpers.errors import NotADocument


def read(path: Path, content: str) -> list[Document]:
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    reader = reader_for(path)
    assert reader is not None
    return list(reader(path))


def facts(documents: list[Document]) -> list[tuple[str, str, str | None, Kind]]:
    return [(d.part, d.text, d.date, d.kind) for d in documents]


def test_x_archive(tmp_path: Path) -> None:
    tweets = [
        {
            "tweet": {
                "id_str": "1",
                "full_text": "Hello\n\nworld \ud83d\ude00 \ud83d",
                "created_at": "Fri May 17 20:19:24 +0000 2024",
            }
        },
        {"tweet": {"id_str": "2", "full_text": "RT @other: theirs", "created_at": "2024-05-18"}},
        {"tweet": {"id_str": "3"}},
    ]
    documents = read(tmp_path / "tweets.js", f"window.YTD.tweets.part0 = {json.dumps(tweets)}")
    assert facts(documents) == [
        ("1", "Hello\n\nworld 😀 \ufffd", "2024-05-17T20:19:24+00:00", Kind.POST)
    ]
    assert documents[0].title == "Hello"
    assert len(documents[0].blocks) == 2


def test_mastodon_outbox(tmp_path: Path) -> None:
    note = {
        "id": "https://s/1",
        "type": "Note",
        "published": "2024-05-17T10:00:00Z",
        "content": "<p>Hi &amp; <a href='x'>bye</a></p><p>Two</p>",
    }
    items: list[dict[str, Any]] = [
        {"id": "https://s/1/activity", "type": "Create", "object": note},
        *({"type": "Announce", "id": str(n), "object": note} for n in range(3)),
    ]
    documents = read(tmp_path / "outbox.json", json.dumps({"orderedItems": items}))
    assert facts(documents) == [
        ("https://s/1", "Hi & bye\n\nTwo", "2024-05-17T10:00:00+00:00", Kind.POST)
    ]


def test_bluesky_records_as_json_lines(tmp_path: Path) -> None:
    record = {"$type": "app.bsky.feed.post", "text": "Sky", "createdAt": "2024-05-17T10:00:00Z"}
    line = json.dumps({"uri": "at://1", "value": record})
    documents = read(tmp_path / "posts.jsonl", f'{line}\n{line}\n{{"cut off')
    assert [(d.text, d.kind) for d in documents] == [("Sky", Kind.POST)]


def test_chat_messages_of_the_owner(tmp_path: Path) -> None:
    messages = [
        {"id": 1, "ts": 1715940000, "from": "me", "is_from_me": True, "text": "mine"},
        {"id": 2, "ts": 1715940001000, "from": "you", "is_from_me": False, "text": "yours"},
        {"id": 3, "ts": "1715940002.5", "from": "me", "text": ["see ", {"text": "this"}]},
    ]
    documents = read(tmp_path / "chat.json", json.dumps({"messages": messages}))
    assert facts(documents) == [
        ("1", "mine", "2024-05-17T10:00:00+00:00", Kind.MESSAGE),
        ("3", "see this", "2024-05-17T10:00:02+00:00", Kind.MESSAGE),
    ]


def test_posts_without_ids_have_stable_parts(tmp_path: Path) -> None:
    posts = [{"title": "T", "body": f"text {n}", "date": "2024-05-17"} for n in range(3)]
    before = read(tmp_path / "a.json", json.dumps(posts[1:]))
    after = read(tmp_path / "a.json", json.dumps(posts))
    assert [d.part for d in before] == [d.part for d in after[1:]]
    assert {d.title for d in after} == {"T"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("package.json", '{"name": "x", "version": "1"}'),
        ("a.json", "[]"),
        ("a.json", "[1, 2, 3]"),
        ("a.json", '"text"'),
        ("a.json", "{broken"),
        ("a.json", "[" * 100_000),
        ("a.json", '[{"text": "no date, no id"}]'),
        ("a.json", '[{"id": 1, "text": "one"}, {"id": 2}, {"id": 3}]'),
        ("a.json", '[{"id": 1, "name": "n"}]'),
        ("a.jsonl", '{"a": 1}\n{"b": 2}\n'),
        ("app.js", "const posts = [];"),
        ("like.js", 'window.YTD.like.part0 = [{"like": {"tweetId": "1", "fullText": "t"}}]'),
    ],
)
def test_data_is_not_writing(tmp_path: Path, name: str, content: str) -> None:
    with pytest.raises(NotADocument):
        read(tmp_path / name, content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["text", "content", "id", "date", "ts", "type", "object", "from", "title", "post"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=30,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(JSON, max_size=6))
def test_any_json_is_posts_or_no_document(tmp_path: Path, items: list[Any]) -> None:
    try:
        documents = read(tmp_path / "any.json", json.dumps(items))
    except NotADocument:
        return
    for document in documents:
        document.text.encode("utf-8")
        assert document.blocks
        assert document.part


@pytest.mark.parametrize("when", ["1e999", "-1e999", "NaN", "1" + "0" * 400, "5"])
def test_a_time_that_is_none_does_not_hang(tmp_path, when):
    path = tmp_path / "posts.json"
    path.write_text(f'[{{"id": 1, "text": "one", "ts": {when}}}]')
    (post,) = reader_for(path)(path)
    assert post.text == "one" and post.date is None
