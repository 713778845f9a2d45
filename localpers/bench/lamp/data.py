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
from random import Random
from typing import Any

from localpers.assistant.forms import AnswerKind
from localpers.bench.lamp.tasks import Task, candidates_in, instruction_of, split_input, task_called
from localpers.datatypes import Pair
from localpers.errors import LocalpersError

_FIX = "fix the file or take another."
Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Question:
    """The input is `instruction` and `text`; `query` is what retrieval looks for, `gold` what the
    user wrote, `number` its place in the set.
    """

    id: str
    instruction: str
    text: str
    query: str
    gold: str
    number: int = 0

    @property
    def input(self) -> str:
        return self.instruction + self.text


@dataclass(frozen=True, slots=True)
class User:
    """One profile, oldest item first where it has dates, and the questions that come with it.

    `person` is whose it is, empty where the file does not say: a person can have several profiles.
    """

    id: str
    profile: tuple[Pair, ...]
    questions: tuple[Question, ...]
    person: str = ""


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
    outputs_path = questions_path.with_name(questions_path.name.replace("questions", "outputs"))
    if outputs_path == questions_path or not outputs_path.is_file():
        raise LocalpersError(
            f"There is no {outputs_path.name} beside {questions_path}: the set needs both files."
        )
    questions, outputs = _read(questions_path), _read(outputs_path)
    stated, golds = _golds(outputs, outputs_path)
    task = _task(task_name, stated, outputs_path)
    rows = _checked(questions, golds, questions_path, outputs_path)
    instruction = instruction_of(task, [row["input"] for row in rows])
    users = _users(task, instruction, rows, golds, questions_path)
    digest = hashlib.sha256(questions_path.read_bytes() + outputs_path.read_bytes()).hexdigest()
    return Dataset(task, users, instruction, digest)


def stranger(users: Sequence[User], user: User, seed: int) -> User:
    """Somebody else with a profile, the same one each time. Raises LocalpersError for nobody."""
    others = [
        other
        for other in users
        if other.id != user.id
        and other.profile
        and not (user.person and other.person == user.person)
    ]
    if not others:
        raise LocalpersError(
            "Mismatched items need a second user with a profile: drop that condition."
        )
    return Random(f"{seed}:{user.id}").choice(others)


def _questions_file(place: Path) -> Path:
    if place.is_file():
        return place
    if not place.is_dir():
        raise LocalpersError(f"There is no folder {place}: name one that holds questions.json.")
    exact = place / "questions.json"
    found = [exact] if exact.is_file() else sorted(place.glob("*questions.json"))
    if not found:
        raise LocalpersError(
            f"{place} holds no questions.json (or …_questions.json): name a folder that does."
        )
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise LocalpersError(f"{place} holds several sets ({names}): name one of these files.")
    return found[0]


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise LocalpersError(f"{path} cannot be read ({error.strerror}): {_FIX}") from error
    except UnicodeDecodeError as error:
        raise LocalpersError(f"{path} is not UTF-8: {_FIX}") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise LocalpersError(f"{path} is not JSON ({error.msg}, {where}): {_FIX}") from error
    except RecursionError as error:
        raise LocalpersError(f"{path} is nested too deeply: {_FIX}") from error


def _golds(outputs: Any, path: Path) -> tuple[str, dict[str, str]]:
    """(the task that the outputs name, gold answers by question id)."""
    stated = str(outputs.get("task") or "") if isinstance(outputs, dict) else ""
    rows: Any = outputs.get("golds") if isinstance(outputs, dict) else outputs
    _require(isinstance(rows, list), f"{path} has no list 'golds'")
    golds: dict[str, str] = {}
    for number, row in enumerate(rows, 1):
        known = isinstance(row, dict) and _text(row.get("id")) is not None
        _require(known, f"{path}: gold {number} has no 'id'")
        output = _text(row.get("output"))
        _require(output is not None, f"{path}: gold {number} has no 'output'")
        golds[str(row["id"])] = output or ""
    return stated, golds


def _task(name: str | None, stated: str, outputs: Path) -> Task:
    if name is None and not stated:
        raise LocalpersError(f"{outputs} names no task: say which it is with --task LaMP_N.")
    task = task_called(name or stated)
    if stated and task_called(stated) != task:
        raise LocalpersError(
            f"{outputs} is of the task {stated}, not {task.name}: drop --task, or name another "
            "folder."
        )
    return task


def _checked(rows: Any, golds: Mapping[str, str], path: Path, outputs: Path) -> Rows:
    _require(isinstance(rows, list) and rows, f"{path} holds no list of questions")
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        known = isinstance(row, dict) and _text(row.get("id")) is not None
        _require(known, f"{path}: question {number} has no 'id'")
        id, text = str(row["id"]), row.get("input")
        asked = isinstance(text, str) and bool(text.strip())
        _require(asked, f"{path}: question {id} has no 'input'")
        listed = isinstance(row.get("profile"), list)
        _require(listed, f"{path}: question {id} has no list 'profile'")
        _require(id not in seen, f"{path}: two questions have the id {id}")
        _require(id in golds, f"{outputs} has no gold for question {id}")
        seen.add(id)
    checked: Rows = rows
    return checked


def _users(
    task: Task, instruction: str, rows: Rows, golds: Mapping[str, str], path: Path
) -> tuple[User, ...]:
    """By profile: what is learned for one must never hold what another one's is asked for."""
    grouped: dict[tuple[str, str], tuple[tuple[Pair, ...], Rows]] = {}
    for row in rows:
        items = tuple(
            _item(task, entry, f"{path}: item {number} of question {row['id']}'s profile")
            for number, entry in enumerate(row["profile"], 1)
        )
        key = (_text(row.get("user_id")) or "", repr(items))
        grouped.setdefault(key, (items, []))[1].append(row)
    users: dict[str, User] = {}
    number = 0
    for (person, _), (items, asked) in grouped.items():
        name = person or str(asked[0]["id"])
        while name in users:
            name += "+"
        questions = []
        for row in asked:
            gold = golds[str(row["id"])]
            _require_rating(task, gold, f"{path}: the gold of question {row['id']}")
            questions.append(_question(task, instruction, row, gold, number))
            number += 1
        dated = all(item.date for item in items)
        ordered = tuple(sorted(items, key=lambda item: item.date)) if dated else items
        users[name] = User(name, ordered, tuple(questions), person)
    return tuple(users.values())


def _question(
    task: Task, instruction: str, row: dict[str, Any], gold: str, number: int
) -> Question:
    own_instruction, text = split_input(task, instruction, row["input"])
    query = " ".join(candidates_in(text)[1]) or text if task.cites else text
    return Question(str(row["id"]), own_instruction, text, query, gold, number)


def _item(task: Task, entry: Any, where: str) -> Pair:
    _require(isinstance(entry, dict), f"{where} is no object")
    wanted = _field(entry, task.wanted, where) if task.wanted else ""
    _require_rating(task, wanted, where)
    return Pair(_field(entry, task.given, where), wanted, _text(entry.get("date")) or "")


def _field(entry: dict[str, Any], names: Sequence[str], where: str) -> str:
    name = next((name for name in names if name in entry), None)
    if name is None:
        raise LocalpersError(f"{where} has no '{names[0]}': {_FIX} Is it another task's?")
    # Published profiles hold a null here and there: an empty text, not a damaged file.
    return (_text(entry[name]) or "").strip()


def _require_rating(task: Task, text: str, where: str) -> None:
    if task.form.kind is AnswerKind.RATING:
        try:
            float(text)
        except ValueError:
            raise LocalpersError(f"{where} has no number for its score: {_FIX}") from None


def _text(value: Any) -> str | None:
    """A string as it is, a number in digits; None for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return None


def _require(found: object, problem: str) -> None:
    if not found:
        raise LocalpersError(f"{problem}: {_FIX}")
