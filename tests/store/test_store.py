"""Opening, transactions and snapshots of a profile's database."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing

import pytest

from localpers.errors import LocalpersError
from localpers.profile import Profile
from localpers.store import Store


def test_a_database_of_a_newer_version_is_refused_and_left_unchanged() -> None:
    profile = Profile.open()
    Store.open(profile).close()
    with closing(sqlite3.connect(profile.database)) as connection:
        connection.execute("PRAGMA user_version = 1000")
    with pytest.raises(LocalpersError, match="newer localpers: upgrade"):
        Store.open(profile)
    with closing(sqlite3.connect(profile.database)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1000,)


def test_reopening_keeps_the_contents() -> None:
    profile = Profile.open()
    with Store.open(profile) as store:
        store.set_meta("key", "value")
        store.set_meta("key", "other")
    with Store.open(profile) as store:
        assert store.meta("key") == "other"
        store.remove_meta("key")
        assert store.meta("key") is None


def test_a_failed_transaction_rolls_back_rows_and_postings() -> None:
    with Store.open(Profile.open()) as store:
        with store.transaction():
            store.postings.add(1, Counter(["river"]))
        with pytest.raises(RuntimeError), store.transaction():
            store.set_meta("key", "value")
            store.postings.add(2, Counter(["river"]))
            raise RuntimeError
        with store.transaction():
            store.postings.add(3, Counter(["bread"]))
        assert store.meta("key") is None and not store.in_transaction
        assert store.postings.count("river") == 1
        assert store.postings.statistics().number == 2


def test_a_snapshot_does_not_see_later_commits() -> None:
    profile = Profile.open()
    with Store.open(profile) as reader, Store.open(profile) as writer:
        with reader.snapshot():
            assert reader.meta("key") is None
            with writer.transaction():
                writer.set_meta("key", "value")
                writer.postings.add(1, Counter(["river"]))
            assert reader.meta("key") is None and reader.postings.count("river") == 0
        assert reader.meta("key") == "value"
        assert reader.postings.count("river") == 1
        assert reader.postings.statistics().number == 1


def test_a_new_index_replaces_the_current_one_only_when_it_is_used() -> None:
    with Store.open(Profile.open()) as store:
        with store.transaction():
            store.postings.add(1, Counter(["old"]))
        with store.transaction():
            postings, fields = store.next_index(empty=True)
            postings.add(1, Counter(["new"]))
            postings.flush()
            fields.flush()
        assert (store.postings.count("old"), store.postings.count("new")) == (1, 0)
        with store.transaction():
            store.use_next_index()
        assert (store.postings.count("old"), store.postings.count("new")) == (0, 1)


def test_deleted_text_is_not_in_the_file_after_a_rewrite() -> None:
    profile = Profile.open()
    with Store.open(profile) as store:
        store.set_meta("key", "zeppelin" * 1000)
        store.remove_meta("key")
        store.rewrite()
        files = list(profile.root.glob("index.sqlite*"))
        assert files and not any(b"zeppelin" in path.read_bytes() for path in files)


def test_database_files_are_private() -> None:
    profile = Profile.open()
    with Store.open(profile) as store:
        store.set_meta("key", "value")
        modes = {path.stat().st_mode & 0o777 for path in profile.root.glob("index.sqlite*")}
    assert modes == {0o600}
