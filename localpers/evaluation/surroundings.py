"""Surroundings: the passages that stand in a prompt, by the name of the condition's form.

Passages come from documents named by content hash, those that a run knew while it trained: what is
held out, or was written since, is never retrieved. The two controls are random own passages and
another person's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Literal

from localpers.datatypes import RetrievedPassage, StoredDocument
from localpers.errors import LocalpersError
from localpers.profile import Profile, home
from localpers.prompts import PASSAGES
from localpers.retrieval.dates.expressions import newest_day
from localpers.retrieval.retriever import Retriever
from localpers.store import Store
from localpers.tuning.context import LONGEST_QUERY

WIDER = 4
"""Times as many passages are asked for while too few lie in documents that may be retrieved."""
SHIPPED = "other_passages.txt"


@dataclass(frozen=True, slots=True)
class Others:
    """Another person's passages: of another profile of this home, or those that are shipped."""

    passages: tuple[RetrievedPassage, ...]
    source: Literal["profile", "shipped"]


NOBODY = Others((), "shipped")


class Surroundings:
    """Finds passages among the documents with a hash in `retrievable`; the same ones for the same
    query, form and `seed`, on whatever day: `today` is that of the newest of them. `retriever` is
    for forms by vectors, and for `auto` where it uses them.
    """

    def __init__(
        self,
        store: Store,
        retrievable: Collection[str],
        others: Others = NOBODY,
        seed: int = 0,
        retriever: Retriever | None = None,
    ) -> None:
        self._retriever = retriever or Retriever(store)
        self.documents: dict[int, StoredDocument] = {
            document.id: document
            for document in store.documents.all()
            if document.content_hash in retrievable
        }
        self.today = newest_day(document.date for document in self.documents.values())
        self._total = store.documents.totals().passages
        self._seed = seed
        self.others = others
        self._recent: list[RetrievedPassage] | None = None

    def find(self, form: str, query: str, k: int = PASSAGES) -> list[RetrievedPassage]:
        """At most `k` passages for `query`; `form` is "" (none), a retriever's name, `random` or
        `mismatched`.

        Raises LocalpersError for a retriever that cannot work here.
        """
        if not form:
            return []
        chance = Random(f"{self._seed}:{form}:{query}")
        if form == "mismatched":
            return chance.sample(self.others.passages, min(k, len(self.others.passages)))
        if form == "random":
            return self._random(chance, k)
        if form == "recency":
            if self._recent is None or len(self._recent) < k:
                self._recent = self._allowed("", k, form)
            return self._recent[:k]
        return self._allowed(query[:LONGEST_QUERY], k, form)

    def _allowed(self, query: str, k: int, form: str) -> list[RetrievedPassage]:
        asked = k * WIDER
        while True:
            hits = self._retriever.search(query, asked, form, today=self.today)
            allowed = [hit for hit in hits if hit.document in self.documents]
            if len(allowed) >= k or len(hits) < asked or asked >= self._total:
                return allowed[:k]
            asked *= WIDER

    def _random(self, chance: Random, k: int) -> list[RetrievedPassage]:
        ids = sorted(self.documents, key=lambda id: (self.documents[id].content_hash, id))
        chosen = chance.sample(ids, min(k, len(ids)))
        return [_some_passage(self.documents[id], chance) for id in chosen]


def _some_passage(document: StoredDocument, chance: Random) -> RetrievedPassage:
    """A few blocks of the document, from a random one on, of about the length of a passage."""
    blocks = document.blocks
    first = chance.randrange(len(blocks)) if blocks else 0
    start = blocks[first].start if blocks else 0
    end = min(len(document.text), start + 600)
    later = [block.end for block in blocks[first:] if block.end <= end]
    return _passage(document, start, later[-1] if later else end)


def _passage(document: StoredDocument, start: int, end: int) -> RetrievedPassage:
    return RetrievedPassage(
        rank=1,
        score=0.0,
        document=document.id,
        path=document.path,
        title=document.title,
        date=document.date,
        start=start,
        end=end,
        text=document.text[start:end],
    )


def other_persons(profile: Profile, most: int = 200) -> Others:
    """Passages that are not this person's: of the first other profile of this home that holds
    documents and can be opened, else the shipped ones.
    """
    for folder in sorted((home() / "profiles").iterdir()):
        if folder.name == profile.name:
            continue
        if documents := _documents(folder):
            chance = Random(0)
            chosen = chance.sample(documents, min(most, len(documents)))
            return Others(tuple(_some_passage(d, chance) for d in chosen), "profile")
    return Others(tuple(_shipped()), "shipped")


def _documents(folder: Path) -> list[StoredDocument]:
    """Of the profile in `folder`; none where it is no profile, or not one that can be opened."""
    try:
        if not (folder / "index.sqlite").is_file():
            return []
        with Store.open(Profile.open(folder.name)) as store:
            return [document for document in store.documents.all() if document.blocks]
    except (LocalpersError, OSError):
        return []


def _shipped() -> Sequence[RetrievedPassage]:
    """The passages in SHIPPED: a title on the first line of each, blank lines between them."""
    text = files("localpers.evaluation").joinpath(SHIPPED).read_text(encoding="utf-8")
    found = []
    for number, part in enumerate(text.strip().split("\n\n"), 1):
        title, _, body = part.partition("\n")
        found.append(RetrievedPassage(number, 0.0, -number, SHIPPED, title, "", 0, len(body), body))
    return found
