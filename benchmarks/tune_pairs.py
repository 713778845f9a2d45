"""What the contenders of tune.py learn and are judged by: pairs of prompt and completion."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BASE = "smollm2-135m-instruct"
Pair = tuple[list[int], list[int]]
"""Token ids of prompt and completion."""


def notes_folder(given: str | None) -> list[Path]:
    data = os.environ.get("LOCALPERS_TEST_DATA")
    if given:
        return [Path(given)]
    if data and (Path(data) / "til").is_dir():
        return [Path(data) / "til"]
    return [ROOT / "docs", ROOT / "README.md", ROOT / "CHANGELOG.md"]


def note_pairs(paths: Sequence[Path], count: int, unseen: int) -> tuple[list[Pair], list[Pair]]:
    """(training, held out): what `tune` makes of the notes, passages in half of the prompts."""
    from localpers.corpus.sync import sync
    from localpers.forgotten import Forgotten
    from localpers.profile import Profile
    from localpers.retrieval.indexing import Indexer
    from localpers.retrieval.retriever import Retriever
    from localpers.store import Store
    from localpers.tuning.context import OtherDocuments
    from localpers.tuning.examples import ExampleMaker
    from localpers.tuning.recipe import Recipe
    from localpers.tuning.split import split

    recipe = Recipe()
    profile = Profile.open()
    with Store.open(profile) as store:
        Indexer(store).refresh()
        sync(store, list(paths), Forgotten.of(profile))
        documents = list(store.documents.all())
        parts = split(documents, recipe.held_out)
        retriever = Retriever(store)
        hashes = {document.id: document.content_hash for document in documents}
        earlier = OtherDocuments(retriever, parts.train, recipe.passages, only_earlier=True)
        maker = ExampleMaker(_tokenizer(), recipe, earlier, hashes)
        learned, late = list(parts.train), list(parts.held_out)
        random.Random(0).shuffle(learned)
        return (
            _first(maker.training(learned), count),
            _first(maker.training(late), unseen),
        )


def headline_pairs(folder: Path, count: int, unseen: int) -> tuple[list[Pair], list[Pair]]:
    """(training, held out) of the largest LaMP_4 profile: its latest items are held out."""
    from localpers.datatypes import Message
    from localpers.prompts import build_messages

    questions = json.loads((folder / "questions.json").read_text())
    profile = max((question["profile"] for question in questions), key=len)
    items = sorted(profile, key=lambda item: str(item["date"]))
    pairs = []
    for item in items:
        article = " ".join(item["text"].split()[:280])
        asked = f"Generate a headline for the following article: {article}"
        messages = (*build_messages(asked), Message("assistant", item["title"]))
        pairs.append(_pair(_tokenizer().example_ids(messages)))
    held_out = pairs[-min(unseen, len(pairs) // 3) :]
    return pairs[: -len(held_out)][:count], held_out


def _tokenizer() -> Any:
    from localpers.weights import catalog
    from localpers.weights.tokenizer import Tokenizer

    return Tokenizer.open(catalog.find(BASE).path)


def _pair(ids: Any) -> Pair:
    return list(ids.prompt), list(ids.completion)


def _first(examples: Iterator[Any], count: int) -> list[Pair]:
    tokenizer = _tokenizer()
    pairs = []
    for example in examples:
        pairs.append(_pair(tokenizer.example_ids(example.messages)))
        if len(pairs) == count:
            break
    return pairs
