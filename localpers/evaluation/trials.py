"""Trials: what a model is asked to write, and what the person wrote instead.

They are made from held-out documents and carry no passages: what stands in the prompt besides is a
matter of the Condition (conditions.py, surroundings.py).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random

from localpers.datatypes import Example, Kind, Message, RetrievedPassage, StoredDocument
from localpers.errors import LocalpersError
from localpers.profile import write_atomically
from localpers.prompts import build_messages
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

    `query` is what is searched for: that part of the document which the request gives away, never
    more. `document` is the stored Document's id, `content_hash` its content, `date` ISO 8601.
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
    document first, so that few trials are of many documents.
    """
    maker = _maker(tokenizer, recipe)
    order = list(documents)
    Random(recipe.seed).shuffle(order)
    those = (list(_of(maker, document)) for document in order)
    made = list(islice(filter(None, those), MOST_TRIALS))
    first = [trial for trials in made for trial in trials[:2]]
    return (first + [trial for trials in made for trial in trials[2:]])[:MOST_TRIALS]


def yields_trials(tokenizer: Tokenizer, recipe: Recipe) -> Callable[[StoredDocument], bool]:
    """Tells of a document whether there is any trial in it: a line or two are too short."""
    maker = _maker(tokenizer, recipe)
    return lambda document: any(True for _ in _of(maker, document))


def _maker(tokenizer: Tokenizer, recipe: Recipe) -> ExampleMaker:
    return ExampleMaker(tokenizer, recipe, lambda query, asking: (), {})


def _of(maker: ExampleMaker, document: StoredDocument) -> Iterator[Trial]:
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


def as_example(
    trial: Trial,
    passages: Sequence[RetrievedPassage],
    tokenizer: Tokenizer,
    n_ctx: int,
) -> Example:
    """The trial with as many of the first passages in its prompt as `n_ctx` tokens hold beside the
    completion, LONGEST at most.
    """
    answer = Message("assistant", trial.completion)
    used = tuple(passages)
    while True:
        messages = (*build_messages(trial.request, used), answer)
        ids = tokenizer.example_ids(messages)
        if not used or ids.length <= min(n_ctx, LONGEST):
            break
        used = used[:-1]
    return Example(
        messages=messages,
        task=trial.task,
        kind=trial.kind,
        document=trial.document,
        content_hash=trial.content_hash,
    )


def write_trials(trials: Iterable[Trial], path: Path) -> None:
    """One JSON object a line, with the fields of Trial."""
    lines = (json.dumps(dataclasses.asdict(trial), ensure_ascii=False) for trial in trials)
    write_atomically(path, "".join(line + "\n" for line in lines))


def read_trials(path: Path) -> list[Trial]:
    """The trials of a run. Raises LocalpersError where the file is missing or of another form."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line]
        return [Trial(**{**row, "kind": Kind(row["kind"])}) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalpersError(
            f"{path} is missing, damaged or of an older version: tune again without --resume."
        ) from error
