"""HeldOutContext: the notes as they were for a run while it trained, for an Assistant to search.

Documents held out, or written since, are never retrieved. Two controls besides the retrievers:
`random` passages of the person and `mismatched` ones of somebody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Literal

from localpers.assistant.attribution import Lexicon
from localpers.assistant.similarity import Closeness, Similarity
from localpers.datatypes import RetrievedPassage, StoredDocument
from localpers.errors import LocalpersError
from localpers.evaluation.authorship import AuthorshipVerifier
from localpers.profile import Profile, home
from localpers.retrieval import lexicon as retrieval_lexicon
from localpers.retrieval.dates.expressions import newest_day
from localpers.retrieval.retriever import Retriever
from localpers.store import Store
from localpers.tuning.context import LONGEST_QUERY

WIDER = 4
"""Factor by which the search is widened while too few hits lie in retrievable documents."""
SHIPPED = "other_passages.txt"


@dataclass(frozen=True, slots=True)
class Others:
    """Another person's passages: from another profile here, or those shipped with localpers."""

    passages: tuple[RetrievedPassage, ...]
    source: Literal["profile", "shipped"]


NOBODY = Others((), "shipped")


class HeldOutContext:
    """The Notes of an Assistant, restricted to documents whose content hash is in `retrievable`.

    The same query, retriever and `seed` give the same passages on any day: dates in queries are
    relative to `today`, the date of the newest document. The caller owns `store` and `retriever`.
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
        self._similarity = Similarity(store, self._retriever)
        self.retrievable: dict[int, StoredDocument] = {
            document.id: document
            for document in store.documents.all()
            if document.content_hash in retrievable
        }
        self.today = newest_day(document.date for document in self.retrievable.values())
        self.lexicon: Lexicon = retrieval_lexicon.Lexicon(store)
        self._total = store.documents.totals().passages
        self._seed = seed
        self.others = others

    def documents(self, ids: Iterable[int]) -> dict[int, StoredDocument]:
        return {id: self.retrievable[id] for id in ids if id in self.retrievable}

    def closeness(self, query: str, ids: Sequence[int]) -> dict[int, Closeness] | None:
        return self._similarity.closeness(query, ids)

    def similarities(self, query: str, texts: Sequence[str]) -> list[float] | None:
        return self._similarity.similarities(query, texts)

    @cached_property
    def verifier(self) -> AuthorshipVerifier | None:
        """Verifies texts as the person's, by the retrievable documents; None for too few."""
        own = [document.text for document in self.retrievable.values() if document.text.strip()]
        others = [passage.text for passage in self.others.passages or shipped_passages()]
        try:
            return AuthorshipVerifier(own, others)
        except ValueError:
            return None

    def close(self) -> None:
        pass

    def find(self, query: str, k: int, retriever: str) -> Sequence[RetrievedPassage]:
        """At most `k` passages; `retriever` may also be `random` or `mismatched`.

        Raises LocalpersError for a retriever that cannot work here.
        """
        chance = Random(f"{self._seed}:{retriever}:{query}")
        if retriever == "mismatched":
            return chance.sample(self.others.passages, min(k, len(self.others.passages)))
        if retriever == "random":
            return self._random(chance, k)
        query = "" if retriever == "recency" else query[:LONGEST_QUERY]
        return self._search(query, k, retriever)

    def _search(self, query: str, k: int, retriever: str) -> list[RetrievedPassage]:
        asked = k * WIDER
        while True:
            hits = self._retriever.search(query, asked, retriever, today=self.today)
            allowed = [hit for hit in hits if hit.document in self.retrievable]
            if len(allowed) >= k or len(hits) < asked or asked >= self._total:
                return allowed[:k]
            asked *= WIDER

    def _random(self, chance: Random, k: int) -> list[RetrievedPassage]:
        ids = sorted(self.retrievable, key=lambda id: (self.retrievable[id].content_hash, id))
        chosen = chance.sample(ids, min(k, len(ids)))
        return [_some_passage(self.retrievable[id], chance) for id in chosen]


def _some_passage(document: StoredDocument, chance: Random) -> RetrievedPassage:
    """Consecutive blocks of the document from a random one on, about a passage long."""
    blocks = document.blocks
    first = chance.randrange(len(blocks)) if blocks else 0
    start = blocks[first].start if blocks else 0
    end = min(len(document.text), start + 600)
    later = [block.end for block in blocks[first:] if block.end <= end]
    end = later[-1] if later else end
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
    """Passages of the first other profile that holds documents and can be opened, else the shipped
    ones.
    """
    for folder in sorted((home() / "profiles").iterdir()):
        if folder.name == profile.name:
            continue
        if documents := _documents(folder):
            chance = Random(0)
            chosen = chance.sample(documents, min(most, len(documents)))
            return Others(tuple(_some_passage(d, chance) for d in chosen), "profile")
    return Others(tuple(shipped_passages()), "shipped")


def _documents(folder: Path) -> list[StoredDocument]:
    """Of the profile in `folder`; none where it cannot be opened as one."""
    try:
        if not (folder / "index.sqlite").is_file():
            return []
        with Store.open(Profile.open(folder.name)) as store:
            return [document for document in store.documents.all() if document.blocks]
    except (LocalpersError, OSError):
        return []


def shipped_passages() -> Sequence[RetrievedPassage]:
    """The passages in SHIPPED: a title on the first line of each, blank lines between them."""
    text = files("localpers.evaluation").joinpath(SHIPPED).read_text(encoding="utf-8")
    found = []
    for number, part in enumerate(text.strip().split("\n\n"), 1):
        title, _, body = part.partition("\n")
        found.append(RetrievedPassage(number, 0.0, -number, SHIPPED, title, "", 0, len(body), body))
    return found
