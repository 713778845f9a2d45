"""A profile with a secret note among others, runs that learned from it, and what is left of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from localpers.datatypes import StoredDocument
from localpers.privacy import forget as forgetting
from localpers.profile import Profile
from localpers.retrieval.analysis import analyse
from localpers.runs import Origin, RunFolder
from localpers.runs.records import (
    RecordedBase,
    RunData,
    RunFile,
    RunPlan,
    RunRecord,
    RunServed,
)
from localpers.store import Store
from localpers.store.postings import Postings
from tests.conftest import CommandLine, write

SECRET = (
    "Quokkas whispering to Bartholomäus: the Zanzibar ledgers are hidden underneath Pörtschach, "
    "and nobody named Ximenes shall be believing it. 密码藏在灯塔里。"
)
WORDS = (
    "Quokkas",
    "whispering",
    "Bartholomäus",
    "Zanzibar",
    "ledgers",
    "Pörtschach",
    "Ximenes",
    "Heliotrope",
    "Obsidiana",
    "Vermillionish",
    "密码",
    "灯塔",
    "wrensdiary",
)
"""Of text, title, heading, tag and file name; no other note has them."""
NOTE = (
    "---\ntitle: Heliotrope nights\ntags: [Vermillionish]\ndate: 2024-02-03\n---\n\n"
    f"## Obsidiana\n\n{SECRET}\n"
)
NAME = "wrensdiary.md"


def filler(number: int) -> str:
    """Long enough for several pages of the database, with terms that all notes share."""
    words = " ".join(
        f"river{number % 7} mill bread stone{number} garden and letters" for _ in "abc"
    )
    return f"# Note {number}\n\n{words}\n\nThe lock keeper wrote on day {number} of the year.\n"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    folder = write(tmp_path / "notes", {f"{number}.md": filler(number) for number in range(120)})
    return write(folder, {NAME: NOTE})


@pytest.fixture
def profile(cli: CommandLine, notes: Path) -> Profile:
    """Indexed with the secret note among others, changed since, with a vector for each passage."""
    assert cli("ingest", notes).code == 0
    write(notes, {f"{number}.md": filler(number + 500) for number in range(0, 120, 3)})
    (notes / NAME).write_text(NOTE.replace("nobody", "hardly anybody"))
    assert cli("ingest", notes).code == 0
    profile = Profile.open()
    with Store.open(profile) as store, store.transaction():
        ids = sorted(passage_ids(store))
        store.vectors.put(ids, np.ones((len(ids), 8), np.float32))
    return profile


def passage_ids(store: Store) -> set[int]:
    return {id for ids in store.documents.passages_of(store.documents.ids()).values() for id in ids}


def documents(profile: Profile) -> dict[str, StoredDocument]:
    """By file name."""
    with Store.open(profile) as store:
        return {Path(document.path).name: document for document in store.documents.all()}


def quoting(all_documents: Iterable[StoredDocument]) -> list[dict[str, Any]]:
    return [
        {"content_hash": d.content_hash, "completion": d.text, "sources": [], "title": d.title}
        for d in all_documents
    ]


def make_run(
    profile: Profile,
    number: int,
    learned: Iterable[StoredDocument],
    held_out: Iterable[StoredDocument] = (),
    sources: Iterable[StoredDocument] = (),
    finished: bool = True,
) -> RunFolder:
    """A run's folder as `tune` and `eval` leave it; its weights are no weights."""
    learned, held_out, sources = list(learned), list(held_out), list(sources)
    run = RunFolder(profile.runs / f"2024010{number}-000000-aaaa")
    run.path.mkdir()
    known = {d.content_hash: d for d in (*learned, *held_out, *sources)}
    run.write_origins(Origin(d.content_hash, d.path, d.part) for d in known.values())
    rows = {run.examples: quoting((*learned, *sources)), run.held_out: quoting(held_out)}
    for path, these in rows.items():
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in these))
    data = RunData(
        learned=tuple(d.content_hash for d in learned),
        sources=tuple(d.content_hash for d in sources),
        held_out=tuple(d.content_hash for d in held_out),
        fingerprint="f" * 64,
    )
    base = RecordedBase(name="llama", sha256="0" * 64)
    run.adapter.write_bytes(b"weights")
    if not finished:
        run.checkpoint.mkdir()
        (run.checkpoint / "state.safetensors").write_bytes(b"weights")
        run.save_plan(RunPlan(base=base, data=data))
        return run
    run.peft_adapter.mkdir()
    (run.peft_adapter / "adapter_model.safetensors").write_bytes(b"weights")
    for name in forgetting.EVALUATION_FILES:
        (run.path / name).write_text(json.dumps(quoting(known.values()), ensure_ascii=False))
    run.finish(
        RunRecord(
            run=run.id,
            created="2024-01-01",
            base="llama",
            base_model=base,
            examples=len(learned),
            reason="better",
            promoted=True,
            data=data,
            served=RunServed(adapter="adapter.gguf"),
            files={
                name: RunFile(bytes=0, sha256="") for name in ("adapter.gguf", "held_out.jsonl")
            },
        )
    )
    return run


def forms(word: str) -> Iterator[bytes]:
    """The word's bytes as a file may hold them: as written, folded, stemmed; UTF-8 and UTF-16."""
    written = {word, word.lower(), word.upper(), word.casefold(), *analyse(word, "en")}
    for text in (form for form in written if len(form) > 1):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            yield text.encode(encoding)
        yield json.dumps(text)[1:-1].encode()


def found_in(profile: Profile, words: Iterable[str] = WORDS) -> set[tuple[str, str]]:
    """(file, word) of every file of the profile that holds a form of a word."""
    wanted = [(word, form) for word in words for form in forms(word)]
    found = set()
    for path in (path for path in profile.root.rglob("*") if path.is_file()):
        content = path.read_bytes()
        folded = content.lower()
        place = str(path.relative_to(profile.root))
        found |= {(place, word) for word, form in wanted if form in content or form in folded}
    return found


def index_terms(profile: Profile) -> set[str]:
    with closing(sqlite3.connect(profile.database)) as connection:
        return {
            term
            for table in ("postings", "field_postings")
            for (term,) in connection.execute(f"SELECT term FROM {table}")
        }


def secret_terms() -> set[str]:
    """Terms that only the secret note has: in no filler, whatever the language it is taken for."""
    common = {t for n in (*range(120), *range(500, 620)) for t in analyse(filler(n), "en")}
    # A word that stands alone ends in a character that may go on in the note.
    words = {t for word in WORDS[:-1] for t in analyse(word, "en")}
    return words.intersection(analyse(SECRET, "en")) - common


def assert_postings_are_whole(profile: Profile) -> None:
    """Decoded, the postings name passages that exist and no others, and lengths likewise."""
    with Store.open(profile) as store:
        ids = passage_ids(store)
        for postings in (store.postings, store.fields):
            assert isinstance(postings, Postings)
            lengths = postings.statistics().lengths
            assert set(np.flatnonzero(lengths).tolist()) == ids
        for term in index_terms(profile):
            for row in store.postings.rows(term):
                base, offsets, _ = store.postings.read(row)
                assert {base + int(offset) for offset in offsets} <= ids
        assert store.vectors.count() == len(ids)


def tainted_history(profile: Profile) -> dict[str, RunFolder]:
    """Runs that learned from the secret note or not, the last of which answers."""
    known = documents(profile)
    secret, others = known.pop(NAME), list(known.values())
    runs = {
        "clean": make_run(profile, 1, others[:50], held_out=[secret, *others[50:60]]),
        "in prompts": make_run(profile, 2, others[:50], sources=[secret]),
        "tainted": make_run(profile, 3, [secret, *others[:50]], held_out=others[50:60]),
        "interrupted": make_run(profile, 4, [secret, *others[:50]], finished=False),
    }
    for name in ("clean", "in prompts", "tainted"):
        profile.promote(runs[name].id, "llama")
    (profile.root / "evaluation").mkdir()
    write(profile.root / "evaluation", {"report.html": SECRET, "retrieval-1/index": SECRET})
    return runs
