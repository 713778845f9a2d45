"""The seven tasks, each as one description: its fields, its prompts, how its answers count.

Strings that belong to the protocol stand here as its papers print them; everything that depends on
a language is taken from the questions where it can be, so that translated files work too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from localpers.errors import LocalpersError


class Answer(StrEnum):
    """What kind of answer a task wants."""

    LABEL = "label"
    RATING = "rating"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Task:
    """`given` and `wanted` are the names under which files keep what a profile's item was made
    from and what its user made of it, in order of preference; `wanted` is empty where the item is
    a text alone. Of an item, `request` + its given field asks for its wanted field.

    `marker` ends the instruction of an input, and what follows is the query; `paper` is one item in
    the paper's profile prompt, `paper_join` stands between that prompt and the input. `listed`
    introduces the items where they are no pairs of the task itself. `longest` is the length of an
    answer in tokens, more where the profile's own are longer. `label` is put into the mouth of a
    model that has seen no answer of the kind: else a small one goes on with the article.

    A task that `cites` asks which of two titles the author refers to; one that `restates` gives the
    person's text in other words.
    """

    name: str
    given: tuple[str, ...]
    wanted: tuple[str, ...]
    request: str
    marker: str
    paper: str
    answer: Answer
    longest: int
    paper_join: str = ". "
    listed: str = ""
    label: str = ""
    cites: bool = False
    restates: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the task's metrics, the main one first."""
        return {
            Answer.LABEL: ("accuracy", "macro_f1"),
            Answer.RATING: ("mae", "rmse"),
            Answer.TEXT: ("rouge_1", "rouge_l"),
        }[self.answer]


_PATTERNS = ". Following the given patterns "
TASKS = {
    task.name: task
    for task in (
        Task(
            name="LaMP_1",
            given=("title",),
            wanted=("abstract",),
            request="Write the abstract of the paper with the title: ",
            marker="",
            paper='"{given}"',
            answer=Answer.LABEL,
            longest=16,
            listed="Papers that this author has written:",
            cites=True,
        ),
        Task(
            name="LaMP_2",
            given=("description", "text"),
            wanted=("tag", "category"),
            request="Which tag does this movie relate to? Just answer with the tag name without "
            "further explanation. description: ",
            marker=" description: ",
            paper='the tag for the movie: "{given}" is "{wanted}"',
            answer=Answer.LABEL,
            longest=16,
        ),
        Task(
            name="LaMP_3",
            given=("text",),
            wanted=("score",),
            request="What is the score of the following review on a scale of 1 to 5? just answer "
            "with 1, 2, 3, 4, or 5 without further explanation. review: ",
            marker=" review: ",
            paper='{wanted} is the score for "{given}"',
            answer=Answer.RATING,
            longest=16,
        ),
        Task(
            name="LaMP_4",
            given=("text",),
            wanted=("title",),
            request="Generate a headline for the following article: ",
            marker=" article: ",
            paper='"{wanted}" is the title for "{given}"',
            answer=Answer.TEXT,
            longest=40,
            label="Title:",
        ),
        Task(
            name="LaMP_5",
            given=("abstract", "text"),
            wanted=("title",),
            request="Generate a title for the following abstract of a paper: ",
            marker=" abstract of a paper: ",
            paper='"{wanted}" is a title for "{given}"',
            paper_join=_PATTERNS,
            answer=Answer.TEXT,
            longest=48,
            label="Title:",
        ),
        Task(
            name="LaMP_6",
            given=("text",),
            wanted=("title",),
            request="Generate a subject for the following email: ",
            marker=" email: ",
            paper='"{wanted}" is the title for "{given}"',
            answer=Answer.TEXT,
            longest=32,
            label="Subject:",
        ),
        Task(
            name="LaMP_7",
            given=("text",),
            wanted=(),
            request="Complete the following tweet: ",
            marker=" explanation before or after it: ",
            paper='"{given}"',
            paper_join=" are written by a person. Following the given patterns ",
            answer=Answer.TEXT,
            longest=96,
            listed="Tweets that I have written:",
            restates=True,
        ),
    )
}

_QUOTED = re.compile(r'"(.*?)"(?=[\s,.;?!:]|$)', re.DOTALL)
_REFERENCE = re.compile(r'\[([12])\]\s*:\s*"?(.*?)"?\s*(?=\[[12]\]\s*:|$)', re.DOTALL)
_TAGS = re.compile(r"\[([^\[\]]{3,2000})\]")


def task_called(name: str) -> Task:
    """The task of this name, written with `_`, `-` or neither, in upper or lower case.

    Raises LocalpersError for another one.
    """
    found = re.fullmatch(r"lamp[\s_-]*([1-7])[a-z]?", name.strip().lower())
    if not found:
        raise LocalpersError(f"There is no task '{name}': name one of LaMP_1 … LaMP_7 with --task.")
    return TASKS[f"LaMP_{found[1]}"]


def instruction_of(task: Task, inputs: Sequence[str]) -> str:
    """What all `inputs` of a task begin with: their instruction, up to where their own text begins.

    By the task's marker; in files that do not hold it, by what the inputs have in common.
    """
    first = inputs[0]
    if task.marker and (at := first.find(task.marker)) >= 0:
        return first[: at + len(task.marker)]
    if task.name == "LaMP_1":
        return ""
    ends = [found.end() for found in re.finditer(r"[:：]\s*", _common_beginning(inputs))]
    if not ends:
        return ""
    return first[: ends[-1] if len(inputs) > 1 else ends[0]]


def _common_beginning(texts: Sequence[str]) -> str:
    """What the first and the last text in the order of the alphabet share, all share."""
    first, last = min(texts), max(texts)
    length = next(
        (at for at, (one, other) in enumerate(zip(first, last, strict=False)) if one != other),
        min(len(first), len(last)),
    )
    return first[:length]


def query_of(task: Task, instruction: str, text: str) -> str:
    """What an input is about: the two candidate references, or what follows its instruction."""
    if task.name == "LaMP_1":
        references = [reference for _, reference in _REFERENCE.findall(text)]
        return " ".join(references) or text
    if task.marker and (at := text.find(task.marker)) >= 0:
        return text[at + len(task.marker) :]
    return text.removeprefix(instruction)


def after_first_title(text: str, more: str) -> str:
    """`text` with `more` spliced in after its first quoted title, before it where none is."""
    found = _QUOTED.search(text)
    if not found:
        return f"{more}. {text}"
    return f"{text[: found.end()]}, and {more}{text[found.end() :]}"


def references_in(text: str) -> tuple[str, tuple[str, ...]]:
    """Of an input of LaMP_1, the author's title and the titles to choose from; ("", ()) where it
    does not have that form.
    """
    found = _QUOTED.search(text)
    references = tuple(reference for _, reference in sorted(_REFERENCE.findall(text)))
    return (found[1], references) if found and len(references) == 2 else ("", ())


def labels_in(task: Task, text: str) -> tuple[str, ...]:
    """The answers that an input allows, none where it lists none."""
    if task.name == "LaMP_1":
        return ("[1]", "[2]")
    if task.answer is not Answer.LABEL:
        return ()
    found = _TAGS.search(text)
    return tuple(tag.strip() for tag in found[1].split(",") if tag.strip()) if found else ()
