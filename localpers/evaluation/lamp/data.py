"""Files in LaMP's format: questions with their profiles, and what their users really wrote.

Published files vary in their names and in the type of their ids; damaged ones are refused in one
line that names the place.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localpers.errors import LocalpersError
from localpers.evaluation.lamp.tasks import Answer, Task, instruction_of, query_of, task_called

_MEND = "mend the file or take another."


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a profile: of `given` the user made `wanted` (empty where there is no such).

    `date` is as the file has it, empty where it has none; dates of one file sort as text.
    """

    given: str
    wanted: str
    date: str = ""

    @property
    def text(self) -> str:
        """All that is known of it, for retrieval."""
        return f"{self.wanted} {self.given}".strip()


@dataclass(frozen=True, slots=True)
class Question:
    """`input` as given, `query` its part that retrieval looks for, `gold` what the user wrote."""

    id: str
    input: str
    query: str
    gold: str


@dataclass(frozen=True, slots=True)
class User:
    """One profile, oldest item first where it has dates, and the questions that come with it;
    `person` is whose it is, empty where the file does not say: several profiles can be of one.
    """

    id: str
    profile: tuple[Item, ...]
    questions: tuple[Question, ...]
    person: str = ""

    @property
    def has_dates(self) -> bool:
        return bool(self.profile) and all(item.date for item in self.profile)


@dataclass(frozen=True, slots=True)
class Dataset:
    """`instruction` is what the inputs begin with; `fingerprint` the SHA-256 of both files."""

    task: Task
    users: tuple[User, ...]
    instruction: str
    fingerprint: str


def load(place: Path, task_name: str | None = None) -> Dataset:
    """The data in the folder `place` (or whose questions are the file `place`).

    Without `task_name` the task is the one that the outputs name. Raises LocalpersError for files
    that are missing or damaged, or belong to another task.
    """
    questions_path = _questions_file(place)
    outputs_path = _outputs_file(questions_path)
    questions, outputs = _read(questions_path), _read(outputs_path)
    stated, golds = _golds(outputs, outputs_path)
    task = _task(task_name, stated, outputs_path)
    rows = _questions(questions, golds, questions_path, outputs_path)
    instruction = instruction_of(task, [row["input"] for row in rows])
    users = _users(task, instruction, rows, golds, questions_path)
    digest = hashlib.sha256(questions_path.read_bytes() + outputs_path.read_bytes()).hexdigest()
    return Dataset(task, users, instruction, digest)


def _questions_file(place: Path) -> Path:
    if place.is_file():
        return place
    if not place.is_dir():
        raise LocalpersError(f"There is no folder {place}: name one that holds questions.json.")
    exact = place / "questions.json"
    if exact.is_file():
        return exact
    found = sorted(place.glob("*questions.json"))
    if not found:
        raise LocalpersError(
            f"{place} holds no questions.json (or …_questions.json): name a folder that does."
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise LocalpersError(f"{place} holds several sets ({names}): name one of these files.")
    return found[0]


def _outputs_file(questions: Path) -> Path:
    outputs = questions.with_name(questions.name.replace("questions", "outputs"))
    if outputs == questions or not outputs.is_file():
        raise LocalpersError(
            f"There is no {outputs.name} beside {questions}: both files of the set are needed."
        )
    return outputs


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LocalpersError(f"{path} cannot be read ({error.strerror}): {_MEND}") from error
    except UnicodeDecodeError as error:
        raise LocalpersError(f"{path} is not UTF-8: {_MEND}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise LocalpersError(f"{path} is not JSON ({error.msg}, {where}): {_MEND}") from error
    except RecursionError as error:
        raise LocalpersError(f"{path} is nested too deeply: {_MEND}") from error


def _golds(outputs: Any, path: Path) -> tuple[str, dict[str, str]]:
    """(the task that the outputs name, gold answers by question id)."""
    stated = str(outputs.get("task") or "") if isinstance(outputs, dict) else ""
    rows = outputs.get("golds") if isinstance(outputs, dict) else outputs
    if not isinstance(rows, list):
        raise LocalpersError(f"{path} has no list 'golds': {_MEND}")
    golds: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or _text(row.get("id")) is None:
            raise LocalpersError(f"{path}: gold {number} has no 'id': {_MEND}")
        output = _text(row.get("output"))
        if output is None:
            raise LocalpersError(f"{path}: gold {number} has no 'output': {_MEND}")
        golds[str(row["id"])] = output
    return stated, golds


def _task(name: str | None, stated: str, outputs: Path) -> Task:
    if name is None:
        if not stated:
            raise LocalpersError(f"{outputs} names no task: say which it is with --task LaMP_N.")
        return task_called(stated)
    task = task_called(name)
    if stated and task_called(stated) != task:
        raise LocalpersError(
            f"{outputs} is of the task {stated}, not {task.name}: leave --task away, or name "
            "another folder."
        )
    return task


def _questions(
    rows: Any, golds: Mapping[str, str], path: Path, outputs: Path
) -> list[dict[str, Any]]:
    if not isinstance(rows, list) or not rows:
        raise LocalpersError(f"{path} holds no list of questions: {_MEND}")
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or _text(row.get("id")) is None:
            raise LocalpersError(f"{path}: question {number} has no 'id': {_MEND}")
        id = str(row["id"])
        if not isinstance(row.get("input"), str) or not row["input"].strip():
            raise LocalpersError(f"{path}: question {id} has no 'input': {_MEND}")
        if not isinstance(row.get("profile"), list):
            raise LocalpersError(f"{path}: question {id} has no list 'profile': {_MEND}")
        if id in seen:
            raise LocalpersError(f"{path}: two questions have the id {id}: {_MEND}")
        if id not in golds:
            raise LocalpersError(f"{outputs} has no gold for question {id}: {_MEND}")
        seen.add(id)
    return rows


def _users(
    task: Task,
    instruction: str,
    rows: Sequence[dict[str, Any]],
    golds: Mapping[str, str],
    path: Path,
) -> tuple[User, ...]:
    """By profile: what is learned for one must never hold what another one's is asked for."""
    grouped: dict[tuple[str, str], tuple[tuple[Item, ...], list[Question]]] = {}
    for row in rows:
        id, gold = str(row["id"]), golds[str(row["id"])]
        if task.answer is Answer.RATING:
            _require_rating(gold, f"{path}: the gold of question {id}")
        items = tuple(
            _item(task, entry, f"{path}: item {number} of question {id}'s profile")
            for number, entry in enumerate(row["profile"], 1)
        )
        key = (_text(row.get("user_id")) or "", _fingerprint(items))
        _, questions = grouped.setdefault(key, (items, []))
        query = query_of(task, instruction, row["input"])
        questions.append(Question(id, row["input"], query, gold))
    return _named(grouped)


def _named(
    grouped: Mapping[tuple[str, str], tuple[tuple[Item, ...], list[Question]]],
) -> tuple[User, ...]:
    names: set[str] = set()
    users = []
    for (stated, _), (items, questions) in grouped.items():
        name = stated or questions[0].id
        while name in names:
            name += "+"
        names.add(name)
        dated = bool(items) and all(item.date for item in items)
        ordered = tuple(sorted(items, key=lambda item: item.date)) if dated else items
        users.append(User(name, ordered, tuple(questions), stated))
    return tuple(users)


def _item(task: Task, entry: Any, where: str) -> Item:
    if not isinstance(entry, dict):
        raise LocalpersError(f"{where} is no object: {_MEND}")
    wanted = _field(entry, task.wanted, where) if task.wanted else ""
    if task.answer is Answer.RATING:
        _require_rating(wanted, where)
    return Item(_field(entry, task.given, where), wanted, _text(entry.get("date")) or "")


def _field(entry: dict[str, Any], names: Sequence[str], where: str) -> str:
    for name in names:
        if name in entry:
            # Published profiles hold a null here and there: an empty text, not a damaged file.
            return (_text(entry[name]) or "").strip()
    raise LocalpersError(f"{where} has no '{names[0]}': {_MEND} Is it another task's?")


def _require_rating(text: str, where: str) -> None:
    try:
        float(text)
    except ValueError:
        raise LocalpersError(f"{where} has no number for its score: {_MEND}") from None


def _text(value: Any) -> str | None:
    """A string as it is, a number in digits; None for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return None


def _fingerprint(items: Sequence[Item]) -> str:
    text = "\0".join(f"{item.given}\1{item.wanted}\1{item.date}" for item in items)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
