"""Sets in LaMP's format from writing at hand, for the tasks that no one's own writing comes in.

    python benchmarks/lamp_sets.py categories NOTES OUT
    localpers bench lamp OUT --budget 150s --conditions base,rag,peft,rag+peft,chosen

`categories` (LaMP_2: the folder of a note), `ratings` (LaMP_3: a mark for each folder, another for
each user), `titles` (LaMP_4) are made from a folder of dated notes in folders, which are cut into
stretches of time, a user each: the latest notes are the questions, the others the profile.
`citations` (LaMP_1: which of two titles is the author's) is made from a LaMP_4 set, whose latest
items are the questions.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from localpers.corpus.readers import reader_for

USERS = 4
CATEGORIES = 15
app = typer.Typer(add_completion=False)
Row = dict[str, Any]


@dataclass(frozen=True)
class Note:
    date: str
    folder: str
    title: str
    text: str


@app.command()
def categories(notes: Path, out: Annotated[Path, typer.Argument()]) -> None:
    """LaMP_2: to which of the most frequent folders does a note belong?"""
    found, names = _frequent(_notes(notes))
    ask = (
        "Which category does this article relate to among the following categories? Just answer "
        "with the category name without further explanation. categories: "
        f"[{', '.join(names)}] article: "
    )
    rows = []
    for user, (earlier, later) in enumerate(_stretches(found, 14)):
        profile = [{"text": _cut(n, 200), "category": n.folder, "date": n.date} for n in earlier]
        rows += [_row(user, ask + _cut(n, 200), profile, n.folder) for n in later]
    _write(out, "LaMP_2", rows)


@app.command()
def ratings(notes: Path, out: Annotated[Path, typer.Argument()]) -> None:
    """LaMP_3: a mark from 1 to 5, which each user gives to each folder."""
    found, names = _frequent(_notes(notes))
    ask = (
        "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, "
        "4, or 5 without further explanation. review: "
    )
    rows = []
    for user, (earlier, later) in enumerate(_stretches(found, 14)):
        shuffled = list(names)
        random.Random(user).shuffle(shuffled)
        marks = {name: str(1 + place % 5) for place, name in enumerate(shuffled)}
        profile = [
            {"text": _cut(n, 120), "score": marks[n.folder], "date": n.date} for n in earlier
        ]
        rows += [_row(user, ask + _cut(n, 120), profile, marks[n.folder]) for n in later]
    _write(out, "LaMP_3", rows)


@app.command()
def titles(notes: Path, out: Annotated[Path, typer.Argument()]) -> None:
    """LaMP_4: the title of a note; in each stretch the last 72 notes, of which 12 are questions."""
    ask = "Generate a headline for the following article: "
    rows = []
    for user, (earlier, later) in enumerate(_stretches(_notes(notes), 12)):
        profile = [{"text": _cut(n, 280), "title": n.title, "date": n.date} for n in earlier[-60:]]
        rows += [_row(user, ask + _cut(n, 280), profile, n.title) for n in later]
    _write(out, "LaMP_4", rows)


@app.command()
def citations(lamp_4: Path, out: Annotated[Path, typer.Argument()]) -> None:
    """LaMP_1: of each author, three of the latest titles beside those of others."""
    chance = random.Random(0)
    profiles = {
        question["user_id"]: sorted(question["profile"], key=lambda item: str(item["date"]))
        for question in json.loads((lamp_4 / "questions.json").read_text())
    }
    names = sorted(profiles)
    rows = []
    for name in names:
        earlier, later = profiles[name][:-6], profiles[name][-6:]
        if len(earlier) < 8:
            continue
        profile = [
            {"title": item["title"], "abstract": " ".join(item["text"].split()[:150])}
            for item in earlier
        ]
        for of, cited in zip(later[::2], later[1::2], strict=True):
            stranger = chance.choice([other for other in names if other != name])
            choices = [cited["title"], chance.choice(profiles[stranger])["title"]]
            chance.shuffle(choices)
            ask = (
                f'For an author who has written the paper with the title "{of["title"]}", which '
                "reference is related? Just answer with [1] or [2] without explanation. "
                f'[1]: "{choices[0]}" [2]: "{choices[1]}"'
            )
            rows.append(_row(name, ask, profile, f"[{choices.index(cited['title']) + 1}]"))
    _write(out, "LaMP_1", rows)


def _notes(folder: Path) -> list[Note]:
    """Those with a date, in its order."""
    found = []
    for path in sorted(folder.glob("*/*.md")):
        reader = reader_for(path)
        for document in reader(path) if reader else ():
            if document.date:
                note = Note(document.date, path.parent.name, document.title, document.text)
                found.append(note)
    return sorted(found, key=lambda note: note.date)


def _frequent(notes: Sequence[Note]) -> tuple[list[Note], list[str]]:
    counted = Counter(note.folder for note in notes)
    names = [name for name, _ in counted.most_common(CATEGORIES)]
    return [note for note in notes if note.folder in names], names


def _stretches(notes: Sequence[Note], questions: int) -> list[tuple[list[Note], list[Note]]]:
    """(profile, questions) for each user."""
    size = len(notes) // USERS
    parts = [list(notes[user * size : (user + 1) * size]) for user in range(USERS)]
    return [(part[:-questions], part[-questions:]) for part in parts]


def _cut(note: Note, words: int) -> str:
    """Without its title, which would give it away."""
    lines = [line for line in note.text.splitlines() if line.strip("# ") != note.title]
    return " ".join(" ".join(lines).split()[:words])


def _row(user: object, asked: str, profile: Sequence[Row], gold: str) -> tuple[Row, str]:
    return {"user_id": str(user), "input": asked, "profile": list(profile)}, gold


def _write(out: Path, task: str, rows: Sequence[tuple[Row, str]]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    questions = [{"id": str(number)} | row for number, (row, _) in enumerate(rows)]
    golds = [{"id": str(number), "output": gold} for number, (_, gold) in enumerate(rows)]
    (out / "questions.json").write_text(json.dumps(questions))
    (out / "outputs.json").write_text(json.dumps({"task": task, "golds": golds}))
    typer.echo(f"{len({row['user_id'] for row, _ in rows})} users, {len(rows)} questions in {out}")


if __name__ == "__main__":
    app()
