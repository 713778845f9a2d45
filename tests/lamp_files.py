"""Small generated sets in LaMP's format, one of each task."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

from localpers.bench.lamp.tasks import TASKS

TEXT = (
    "river mill summer bread salt honey onion pass garden flood wall drain letter train map "
    "weather bee stone bridge note kettle ladder orchard signal window"
)
WORDS = TEXT.split()
TAGS = ("sci-fi", "comedy", "dark comedy", "true story")
HEADS = {
    "LaMP_2": "Which tag does this movie relate to among the following tags? Just answer with the "
    f"tag name without further explanation. tags: [{', '.join(TAGS)}] description: ",
    "LaMP_3": "What is the score of the following review on a scale of 1 to 5? just answer with "
    "1, 2, 3, 4, or 5 without further explanation. review: ",
    "LaMP_4": "Generate a headline for the following article: ",
    "LaMP_5": "Generate a title for the following abstract of a paper: ",
    "LaMP_6": "Generate a subject for the following email: ",
    "LaMP_7": "Paraphrase the following tweet without any explanation before or after it: ",
}


def write_lamp(
    folder: Path,
    task: str,
    users: int = 2,
    questions: int = 2,
    items: int = 5,
    *,
    user_ids: bool = True,
    dates: bool = False,
) -> Path:
    """A set of `users` with `questions` each; returns `folder`, which holds the two files."""
    chance = Random(task)
    rows: list[dict[str, Any]] = []
    golds: list[dict[str, Any]] = []
    for user in range(users):
        profile = [_item(task, chance, f"{user}-{number}") for number in range(items)]
        if dates:
            for number, item in enumerate(profile):
                item["date"] = f"2020-01-{number + 1:02}"
        for number in range(questions):
            row: dict[str, Any] = {
                "id": user * 100 + number,
                "input": _input(task, chance),
                "profile": profile,
            }
            if user_ids:
                row["user_id"] = f"user/{user}"
            rows.append(row)
            golds.append({"id": str(row["id"]), "output": _gold(task, chance)})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "questions.json").write_text(json.dumps(rows))
    (folder / "outputs.json").write_text(json.dumps({"task": task, "golds": golds}))
    return folder


def words(chance: Random, number: int) -> str:
    return " ".join(chance.choice(WORDS) for _ in range(number))


def _input(task: str, chance: Random) -> str:
    if task == "LaMP_1":
        titles = [words(chance, 4) for _ in range(3)]
        return (
            f'For an author who has written the paper with the title "{titles[0]}", which '
            "reference is related? Just answer with [1] or [2] without explanation. "
            f'[1]: "{titles[1]}" [2]: "{titles[2]}"'
        )
    return HEADS[task] + words(chance, 20)


def _item(task: str, chance: Random, id: str) -> dict[str, Any]:
    description = TASKS[task]
    item: dict[str, Any] = {"id": id, description.given[0]: words(chance, 20)}
    if description.wanted:
        item[description.wanted[0]] = _gold_of_item(task, chance)
    return item


def _gold_of_item(task: str, chance: Random) -> str | int:
    return words(chance, 12) if task == "LaMP_1" else _gold(task, chance)


def _gold(task: str, chance: Random) -> str | int:
    if task == "LaMP_1":
        return chance.choice(("[1]", "[2]"))
    if task == "LaMP_2":
        return chance.choice(TAGS)
    if task == "LaMP_3":
        return chance.randrange(1, 6)
    return words(chance, 5)
