"""The seven tasks: their fields, their form, the strings of the protocol.

What depends on a language is taken from the questions where it can be, so that translated files
work too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from localpers.assistant.fewshot import FEWEST_TOKENS, shortened
from localpers.assistant.forms import FORMS, AnswerKind, Form
from localpers.datatypes import Pair
from localpers.errors import LocalpersError
from localpers.weights.tokenizer import Tokenizer

METRICS = {
    AnswerKind.LABEL: ("accuracy", "macro_f1"),
    AnswerKind.RATING: ("mae", "rmse"),
    AnswerKind.TEXT: ("rouge_1", "rouge_l"),
}
"""Names of the metrics, the main one first."""
REFERENCE = 'Write the title of a paper that the author of "{title}" refers to.'
"""Asks for one of the two titles between which LaMP_1 lets choose."""


@dataclass(frozen=True, slots=True)
class Task:
    """`given` and `wanted` are the names of an item's fields, in order of preference; `wanted` is
    empty where items are texts alone. `marker` ends the instruction of an input. `paper` is one
    item in the paper's prompt, `paper_join` stands between that prompt and the input.

    A task that `cites` asks which of two titles the author refers to; one that `paraphrases` gives
    the person's text in other words, which its items do not show.
    """

    name: str
    form: Form
    given: tuple[str, ...]
    wanted: tuple[str, ...]
    marker: str
    paper: str
    paper_join: str = ". "
    cites: bool = False
    paraphrases: bool = False

    @property
    def metrics(self) -> tuple[str, ...]:
        return METRICS[self.form.kind]


TASKS = {
    task.name: task
    for task in (
        Task(
            name="LaMP_1",
            form=Form(
                "reference",
                kind=AnswerKind.LABEL,
                listed="Papers that this author has written:",
                choices=("[1]", "[2]"),
                longest=16,
            ),
            given=("title",),
            wanted=("abstract",),
            marker="",
            paper='"{given}"',
            cites=True,
        ),
        Task(
            name="LaMP_2",
            form=replace(
                FORMS["label"],
                instruction="Which tag does this movie relate to? Just answer with the tag name "
                "without further explanation. description: ",
            ),
            given=("description", "text"),
            wanted=("tag", "category"),
            marker=" description: ",
            paper='the tag for the movie: "{given}" is "{wanted}"',
        ),
        Task(
            name="LaMP_3",
            form=FORMS["rating"],
            given=("text",),
            wanted=("score",),
            marker=" review: ",
            paper='{wanted} is the score for "{given}"',
        ),
        Task(
            name="LaMP_4",
            form=replace(
                FORMS["title"],
                instruction="Generate a headline for the following article: ",
                longest=40,
            ),
            given=("text",),
            wanted=("title",),
            marker=" article: ",
            paper='"{wanted}" is the title for "{given}"',
        ),
        Task(
            name="LaMP_5",
            form=replace(
                FORMS["title"],
                instruction="Generate a title for the following abstract of a paper: ",
            ),
            given=("abstract", "text"),
            wanted=("title",),
            marker=" abstract of a paper: ",
            paper='"{wanted}" is a title for "{given}"',
            paper_join=". Following the given patterns ",
        ),
        Task(
            name="LaMP_6",
            form=replace(
                FORMS["subject"], instruction="Generate a subject for the following email: "
            ),
            given=("text",),
            wanted=("title",),
            marker=" email: ",
            paper='"{wanted}" is the title for "{given}"',
        ),
        Task(
            name="LaMP_7",
            form=replace(
                FORMS["paraphrase"],
                instruction="Complete the following tweet: ",
            ),
            given=("text",),
            wanted=(),
            marker=" explanation before or after it: ",
            paper='"{given}"',
            paper_join=" are written by a person. Following the given patterns ",
            paraphrases=True,
        ),
    )
}

PAPER_TOKENS = 512
PAPER_INPUT_SHARE = 0.6
"""Of PAPER_TOKENS, that the input takes at most; the items share the rest equally."""
_QUOTED = re.compile(r'"(.*?)"(?=[\s,.;?!:]|$)', re.DOTALL)
_CANDIDATES = re.compile(r'\[([12])\]\s*:\s*"?(.*?)"?\s*(?=\[[12]\]\s*:|$)', re.DOTALL)


def task_called(name: str) -> Task:
    """The task of this name, written with `_`, `-` or neither, in upper or lower case.

    Raises LocalpersError for another one.
    """
    found = re.fullmatch(r"lamp[\s_-]*([1-7])[a-z]?", name.strip().lower())
    if not found:
        raise LocalpersError(f"There is no task '{name}': name one of LaMP_1 … LaMP_7 with --task.")
    return TASKS[f"LaMP_{found[1]}"]


def instruction_of(task: Task, inputs: Sequence[str]) -> str:
    """What all inputs begin with, up to where their own text begins: found by the task's marker, in
    files without it by what the inputs have in common.
    """
    first = inputs[0]
    if task.marker and (at := first.find(task.marker)) >= 0:
        return first[: at + len(task.marker)]
    if task.cites:
        return ""
    low, high = min(inputs), max(inputs)
    pairs = enumerate(zip(low, high, strict=False))
    shared = next((at for at, (a, b) in pairs if a != b), min(len(low), len(high)))
    ends = [found.end() for found in re.finditer(r"[:：]\s*", low[:shared])]
    if not ends:
        return ""
    return first[: ends[-1] if len(inputs) > 1 else ends[0]]


def split_input(task: Task, instruction: str, text: str) -> tuple[str, str]:
    """(instruction, own text) of an input."""
    if task.marker and (at := text.find(task.marker)) >= 0:
        return text[: at + len(task.marker)], text[at + len(task.marker) :]
    own = text.removeprefix(instruction)
    return text.removesuffix(own) if own else text, own


def candidates_in(text: str) -> tuple[str, tuple[str, ...]]:
    """Of an input of LaMP_1, the author's title and the titles to choose from; ("", ()) where it
    does not have that form.
    """
    found = _QUOTED.search(text)
    titles = tuple(title for _, title in sorted(_CANDIDATES.findall(text)))
    return (found[1], titles) if found and len(titles) == 2 else ("", ())


def paper_prompt(task: Task, text: str, items: Sequence[Pair], tokenizer: Tokenizer) -> str:
    """The paper's prompt for an input: its items in one string, spliced in after the first quoted
    title of LaMP_1, before the input elsewhere.
    """
    if not items:
        return text
    taken = min(len(tokenizer.encode(text)), int(PAPER_TOKENS * PAPER_INPUT_SHARE))
    share = max(FEWEST_TOKENS, (PAPER_TOKENS - taken) // len(items))
    parts = []
    for item in items:
        frame = task.paper.format(given="", wanted=item.wanted)
        left = max(FEWEST_TOKENS, share - len(tokenizer.encode(frame)))
        given = shortened(tokenizer, item.given, left)
        parts.append(task.paper.format(given=given, wanted=item.wanted))
    listed = ", and ".join(parts)
    if not task.cites:
        return listed + task.paper_join + text
    found = _QUOTED.search(text)
    if not found:
        return f"{listed}. {text}"
    return f"{text[: found.end()]}, and {listed}{text[found.end() :]}"
