"""Questions and drafting requests in a folder: `questions.jsonl` and `drafts.jsonl`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from localpers.errors import LocalpersError

QUESTIONS, DRAFTS = "questions.jsonl", "drafts.jsonl"


def _compiled(patterns: Any) -> Any:
    if not isinstance(patterns, list):
        return patterns
    try:
        return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)
    except (re.error, TypeError) as error:
        raise ValueError(f"not a regular expression ({error})") from error


Patterns = Annotated[tuple[re.Pattern[str], ...], BeforeValidator(_compiled)]


class Question(BaseModel):
    """`answers`: patterns, any of which makes an answer right; none where no note answers.
    `notes`: paths, within the ingested folder, of the notes that answer it.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    id: str
    question: str
    answers: Patterns = ()
    notes: tuple[str, ...] = ()
    kind: str = ""

    @property
    def answerable(self) -> bool:
        return bool(self.answers)


class DraftRequest(BaseModel):
    """`topic`: patterns of which a draft on the topic shows at least one; `max_chars`: the most
    characters it may have.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    id: str
    request: str
    form: str = ""
    topic: Patterns = ()
    notes: tuple[str, ...] = ()
    max_chars: int = 2000


Row = TypeVar("Row", Question, DraftRequest)


def load(folder: Path) -> tuple[list[Question], list[DraftRequest]]:
    """(questions, drafting requests) of a folder that holds at least one of the two files.

    Raises LocalpersError, naming file and line, for what cannot be read.
    """
    questions = list(_rows(folder / QUESTIONS, Question))
    drafts = list(_rows(folder / DRAFTS, DraftRequest))
    if not questions and not drafts:
        raise LocalpersError(
            f"{folder} holds neither {QUESTIONS} nor {DRAFTS}: docs/bench-answers.md shows both."
        )
    return questions, drafts


def _rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    if not path.is_file():
        return
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LocalpersError(f"{path} cannot be read: save it as UTF-8 text.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield kind.model_validate_json(line)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "line"
            raise LocalpersError(f"{path}:{number}: {field}: {first['msg']}.") from error


def select(rows: list[Row], which: str) -> list[Row]:
    """`all` of them, or those with `odd` or `even` numbers at the end of their ids: one half to
    build with, the other to report on.
    """
    if which not in ("all", "odd", "even"):
        raise LocalpersError(f"'{which}' is not a selection: choose all, odd or even.")
    if which == "all":
        return rows
    return [row for row in rows if (_number(row.id) % 2 == 1) == (which == "odd")]


def _number(id: str) -> int:
    digits = re.findall(r"\d+", id)
    return int(digits[-1]) if digits else 0
