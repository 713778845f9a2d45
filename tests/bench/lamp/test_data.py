"""LaMP files as they are published, and damaged ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localpers.bench.lamp.data import load, stranger
from localpers.bench.lamp.tasks import TASKS, instruction_of, split_input, task_called
from localpers.errors import LocalpersError
from tests.lamp_files import HEADS, write_lamp


@pytest.mark.parametrize("task", TASKS)
def test_each_task_is_read_by_user(tmp_path: Path, task: str) -> None:
    dataset = load(write_lamp(tmp_path, task))
    assert dataset.task.name == task
    assert [user.id for user in dataset.users] == ["user/0", "user/1"]
    first = dataset.users[0]
    assert len(first.profile) == 5 and len(first.questions) == 2
    question = first.questions[0]
    if task == "LaMP_1":
        titles = question.input.split('"')[1::2]
        assert question.query == " ".join(titles[1:])
        assert dataset.instruction == ""
    else:
        assert dataset.instruction == HEADS[task]
        assert question.query == question.input.removeprefix(HEADS[task])


def test_without_user_ids_every_profile_is_a_user(tmp_path: Path) -> None:
    users = load(write_lamp(tmp_path, "LaMP_4", users=3, user_ids=False)).users
    assert [user.id for user in users] == ["0", "100", "200"]
    assert all(len(user.questions) == 2 for user in users)


def test_one_user_with_two_profiles_learns_each_apart(tmp_path: Path) -> None:
    write_lamp(tmp_path, "LaMP_4", users=1)
    path = tmp_path / "questions.json"
    rows = json.loads(path.read_text())
    rows[1]["profile"] = rows[1]["profile"][:3]
    path.write_text(json.dumps(rows))
    users = load(tmp_path).users
    assert [len(user.profile) for user in users] == [5, 3]
    assert len({user.id for user in users}) == 2
    with pytest.raises(LocalpersError, match="second user"):
        stranger(users, users[0], 0)


def test_dated_profiles_are_put_in_order(tmp_path: Path) -> None:
    write_lamp(tmp_path, "LaMP_6", dates=True)
    path = tmp_path / "questions.json"
    rows = json.loads(path.read_text())
    for row in rows:
        row["profile"].reverse()
    path.write_text(json.dumps(rows))
    user = load(tmp_path).users[0]
    assert user.profile[0].date == "2020-01-01"


def test_names_of_published_files(tmp_path: Path) -> None:
    write_lamp(tmp_path, "LaMP_5")
    for name in ("questions", "outputs"):
        (tmp_path / f"{name}.json").rename(tmp_path / f"dev_{name}.json")
    assert load(tmp_path).task.name == "LaMP_5"
    assert load(tmp_path / "dev_questions.json", "lamp-5").task.name == "LaMP_5"
    for name in ("questions", "outputs"):
        (tmp_path / f"train_{name}.json").write_text((tmp_path / f"dev_{name}.json").read_text())
    with pytest.raises(LocalpersError, match="several sets"):
        load(tmp_path)


def test_a_translated_instruction_is_found_by_what_inputs_share() -> None:
    head = "Erstelle eine Überschrift: kurz. Artikel: "
    inputs = [head + body for body in ("Am Fluss: still", "Brot und Salz", "Alle Bienen")]
    found = instruction_of(TASKS["LaMP_4"], inputs)
    assert found == head
    assert split_input(TASKS["LaMP_4"], found, inputs[0]) == (head, "Am Fluss: still")


def test_task_names() -> None:
    assert task_called("lamp-3").name == task_called("LaMP_3").name == "LaMP_3"
    assert task_called("LaMP_2M").name == "LaMP_2"
    for name in ("LaMP_8", "LongLaMP_1", ""):
        with pytest.raises(LocalpersError, match="LaMP_1"):
            task_called(name)


def _change(row: str, key: str, value: Any) -> Callable[[Any, Any], None]:
    def change(questions: Any, outputs: Any) -> None:
        target = {
            "question": questions[0],
            "item": questions[0]["profile"][1],
            "outputs": outputs,
            "gold": outputs["golds"][0],
        }[row]
        if value is None:
            del target[key]
        else:
            target[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_change("question", "id", None), "question 1 has no 'id'"),
        (_change("question", "input", ""), "question 0 has no 'input'"),
        (_change("question", "profile", "none"), "has no list 'profile'"),
        (_change("question", "id", 1), "two questions have the id 1"),
        (_change("question", "id", 77), "no gold for question 77"),
        (_change("item", "title", None), "item 2 of question 0's profile has no 'title'"),
        (_change("outputs", "golds", 3), "no list 'golds'"),
        (_change("outputs", "task", "LaMP_2"), "is of the task LaMP_2"),
        (_change("gold", "output", None), "gold 1 has no 'output'"),
        (_change("gold", "id", []), "gold 1 has no 'id'"),
    ],
)
def test_damage_is_named(tmp_path: Path, change: Callable[[Any, Any], None], expected: str) -> None:
    write_lamp(tmp_path, "LaMP_4")
    paths = [tmp_path / "questions.json", tmp_path / "outputs.json"]
    questions, outputs = (json.loads(path.read_text()) for path in paths)
    change(questions, outputs)
    for path, value in zip(paths, (questions, outputs), strict=True):
        path.write_text(json.dumps(value))
    with pytest.raises(LocalpersError, match=expected.replace("[", r"\[")):
        load(tmp_path, "LaMP_4")


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[]", b"3", b"[" * 100_000])
def test_what_is_no_set_is_refused(tmp_path: Path, content: bytes) -> None:
    write_lamp(tmp_path, "LaMP_4")
    (tmp_path / "questions.json").write_bytes(content)
    with pytest.raises(LocalpersError, match=r"questions\.json"):
        load(tmp_path)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(LocalpersError, match="no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(LocalpersError, match="holds no"):
        load(tmp_path)
    write_lamp(tmp_path, "LaMP_4")
    (tmp_path / "outputs.json").unlink()
    with pytest.raises(LocalpersError, match=r"no outputs\.json"):
        load(tmp_path)


def test_scores_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    write_lamp(tmp_path, "LaMP_3")
    path = tmp_path / "outputs.json"
    path.write_text(path.read_text().replace('"output": ', '"output": "good", "was": '))
    with pytest.raises(LocalpersError, match="no number"):
        load(tmp_path)
