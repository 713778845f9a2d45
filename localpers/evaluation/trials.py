"""Trials: what a model is asked to write, and what the person wrote instead.

Trials are made from held-out documents and carry no passages: those depend on the Condition.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from localpers.datatypes import Kind, StoredDocument
from localpers.errors import LocalpersError
from localpers.profile import write_atomically
from localpers.tuning.examples import ExampleMaker
from localpers.tuning.recipe import Recipe
from localpers.tuning.requests import Task, request
from localpers.weights.tokenizer import Tokenizer

MOST_TRIALS = 200
ORDER = (Task.WRITE, Task.OPENING, Task.TITLE, Task.CONTINUE)
LONGEST = 2048
"""Tokens of prompt and completion, passages included."""
ROOM_FOR_PASSAGES = 1024


@dataclass(frozen=True, slots=True)
class Trial:
    """One request and the person's own answer to it.

    `query` is searched for: the part of the document that the request gives away. `document` is the
    stored Document's id, `content_hash` its content, `date` ISO 8601.
    """

    task: str
    kind: Kind
    document: int
    content_hash: str
    date: str
    request: str
    query: str
    completion: str


def make_trials(
    tokenizer: Tokenizer, recipe: Recipe, documents: Sequence[StoredDocument]
) -> list[Trial]:
    """The trials of the documents, at most MOST_TRIALS: shuffled by the recipe's seed, two of each
    document first, so that a few trials cover many documents.
    """
    maker = _maker(tokenizer, recipe)
    order = list(documents)
    Random(recipe.seed).shuffle(order)
    by_document = (list(_trials_of(maker, document)) for document in order)
    made = list(islice(filter(None, by_document), MOST_TRIALS))
    first = [trial for trials in made for trial in trials[:2]]
    return (first + [trial for trials in made for trial in trials[2:]])[:MOST_TRIALS]


def yields_trials(tokenizer: Tokenizer, recipe: Recipe) -> Callable[[StoredDocument], bool]:
    """Whether a document yields any trial: a line or two is too short."""
    maker = _maker(tokenizer, recipe)
    return lambda document: any(True for _ in _trials_of(maker, document))


def _maker(tokenizer: Tokenizer, recipe: Recipe) -> ExampleMaker:
    return ExampleMaker(tokenizer, recipe, lambda query, asking: (), {})


def _trials_of(maker: ExampleMaker, document: StoredDocument) -> Iterator[Trial]:
    tasks = {task: (given, words) for task, given, words in maker.tasks(document)}
    for task in sorted(tasks, key=ORDER.index):
        given, words = tasks[task]
        text = request(task, document.kind, given)
        completion = maker.fitting(task, text, words, LONGEST - ROOM_FOR_PASSAGES)
        if completion is not None:
            yield Trial(
                task=task.value,
                kind=document.kind,
                document=document.id,
                content_hash=document.content_hash,
                date=document.date,
                request=text,
                query=given,
                completion=completion,
            )


def write_trials(trials: Iterable[Trial], path: Path) -> None:
    """One JSON object a line, with the fields of Trial."""
    lines = (json.dumps(dataclasses.asdict(trial), ensure_ascii=False) for trial in trials)
    write_atomically(path, "".join(line + "\n" for line in lines))


def read_trials(path: Path) -> list[Trial]:
    """The trials of a run. Raises LocalpersError where the file is missing or malformed."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line]
        return [Trial(**{**row, "kind": Kind(row["kind"])}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalpersError(
            f"{path} is missing, damaged or from an older version: tune again without --resume."
        ) from error
