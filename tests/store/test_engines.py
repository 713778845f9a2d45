"""The store behaves the same with plain SQLite and with SQLCipher."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localpers.corpus.sync import sync
from localpers.encryption.keys import SecretKind
from localpers.errors import LocalpersError
from localpers.forgotten import Forgotten
from localpers.privacy.encryption import Secret, encrypt_profile
from localpers.profile import Profile
from localpers.retrieval.indexing import Indexer
from localpers.retrieval.retriever import Retriever
from localpers.store import Store
from tests.conftest import write

NOTES = {
    "a.md": "# River\n\nThe zeppelin was low over the river that summer.\n",
    "b.md": "# Bread\n\nSalt, honey and a slow oven.\n",
}


@pytest.fixture(params=["plain", "encrypted"])
def profile(request: pytest.FixtureRequest) -> Iterator[Profile]:
    if request.param == "plain":
        yield Profile.open()
        return
    if sys.platform != "linux":
        pytest.skip("encryption needs Linux")
    Profile.open()
    encrypt_profile(Profile.locked("default"), Secret(SecretKind.PASSPHRASE, b"correct horse"))
    opened = Profile.open("default", lambda name, header: b"correct horse")
    yield opened
    opened.close()


def fill(profile: Profile, store: Store, folder: Path) -> None:
    Indexer(store).refresh()
    sync(store, [folder], Forgotten.of(profile))


def test_what_is_put_in_is_found_again(profile: Profile, tmp_path: Path) -> None:
    with Store.open(profile) as store:
        fill(profile, store, write(tmp_path / "n", NOTES))
    with Store.open(profile) as store:
        (hit,) = Retriever(store).search("zeppelin", 5)
        assert "zeppelin" in hit.text and store.documents.totals().documents == 2


def test_a_failed_transaction_leaves_nothing(profile: Profile, tmp_path: Path) -> None:
    with Store.open(profile) as store:
        fill(profile, store, write(tmp_path / "n", NOTES))
        with pytest.raises(RuntimeError), store.transaction():
            store.set_meta("half", "done")
            raise RuntimeError
        assert store.meta("half") is None and not store.in_transaction


def test_readers_do_not_wait_for_the_writer(profile: Profile) -> None:
    with Store.open(profile) as writer, Store.open(profile) as reader:
        with writer.transaction():
            writer.set_meta("key", "value")
            assert reader.meta("key") is None
        assert reader.meta("key") == "value"


def test_damage_and_wrong_statements_are_one_error(profile: Profile, tmp_path: Path) -> None:
    with Store.open(profile) as store:
        fill(profile, store, write(tmp_path / "n", NOTES))
        store.rewrite()
    content = bytearray(profile.database.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    profile.database.write_bytes(content)
    with (
        pytest.raises(LocalpersError, match=r"damaged|cannot be used"),
        Store.open(profile) as store,
    ):
        list(store.documents.all())
    profile.database.write_bytes(b"no database at all" * 1000)
    with pytest.raises(LocalpersError, match="damaged"):
        Store.open(profile)


def test_cascades_hold(profile: Profile, tmp_path: Path) -> None:
    folder = write(tmp_path / "n", NOTES)
    with Store.open(profile) as store:
        fill(profile, store, folder)
        (folder / "a.md").unlink()
        sync(store, [folder], Forgotten.of(profile))
        totals = store.documents.totals()
        assert (totals.documents, totals.passages) == (1, 1)
        assert not list(Retriever(store).search("zeppelin", 5))
