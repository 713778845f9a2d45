"""The report: one HTML file about an Evaluation, without scripts or fetched resources.

All text that a person or a model wrote is escaped.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from localpers.atomic import write_atomically
from localpers.evaluation.bootstrap import Interval
from localpers.evaluation.charts import Bar, bars, curve, scatter
from localpers.evaluation.conditions import CONTROLS, Condition
from localpers.evaluation.figures import against, interval, questions
from localpers.evaluation.neutral import MARGIN
from localpers.evaluation.results import Evaluation, Reference, TrialResult

TEMPLATE = "report.html.jinja"
SHOWN_EXAMPLES = 3
CHARTS = (
    ("bits_per_byte", "Bits per byte of the true text", "less is better", 3),
    ("nll", "Nats per token of the true text", "less is better", 3),
    ("rouge_1", "ROUGE-1 of what was written", "more is better", 3),
    ("rouge_l", "ROUGE-L of what was written", "more is better", 3),
    ("chrf", "chrF of what was written", "more is better", 3),
    ("style", "Similarity to the person's own style", "more is better", 3),
    ("style_base", "Similarity to the base's style", "less is more personal", 3),
    ("authorship", "Texts that read as the person's own", "more is better", 3),
    ("copied", "Longest run copied from what was learned, in words", "less is better", 1),
    ("distinct_2", "Different word pairs (distinct-2)", "more is livelier", 3),
)
TASKS = {
    "title_from_body": "Write the title for a text",
    "write_from_opening": "Go on from the opening",
    "write_from_title": "Write from the title",
}


@dataclass(frozen=True, slots=True)
class Side:
    """One trial with what was written under two conditions, and the gain in nats per token."""

    reference: Reference
    task: str
    base: TrialResult
    tuned: TrialResult
    gain: float


def write_report(evaluation: Evaluation, path: Path) -> None:
    """Write the HTML file, readable by its owner alone. Replaces what is there."""
    write_atomically(path, render(evaluation))


def render(evaluation: Evaluation) -> str:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    source = files("localpers.evaluation").joinpath(TEMPLATE).read_text(encoding="utf-8")
    base, tuned = _contrast(evaluation)
    sides = _sides(evaluation, base, tuned) if tuned else []
    few = min(SHOWN_EXAMPLES, len(sides) // 2)
    return environment.from_string(source).render(
        e=evaluation,
        descriptions={name: describe(name) for name in evaluation.conditions},
        charts=[(row[1], row[2], _chart(evaluation, *row)) for row in CHARTS],
        differences=_differences(evaluation),
        tasks=_by_task(evaluation),
        task_names=TASKS,
        questions=questions(evaluation),
        neutral_rise=_neutral_rise(evaluation),
        neutral_margin=MARGIN,
        loss=_loss(evaluation),
        growth=_growth(evaluation),
        contrast=(base, tuned),
        best=sides[:few],
        worst=sides[len(sides) - few :][::-1],
    )


def describe(name: str) -> str:
    """What a condition is, in a sentence."""
    condition = Condition.parse(name)
    model = "The tuned model" if condition.adapter else "The base model as it was downloaded"
    notes = {
        "": "without any notes in the prompt",
        "auto": "with the notes that a search finds, as “localpers ask” does it",
        "mismatched": "with another person's notes: a control",
        "random": "with random notes of your own: a control",
        "recency": "with the latest notes",
    }
    said = notes.get(condition.retriever, f"with notes found by {condition.retriever}")
    _, _, settings = name.partition(":")
    extra = [part for part in settings.split(",") if "=" in part]
    return f"{model}, {said}{''.join(f', {part}' for part in extra)}."


def _chart(evaluation: Evaluation, metric: str, title: str, hint: str, digits: int) -> Markup:
    rows = []
    for name in evaluation.conditions:
        condition = Condition.parse(name)
        found = interval(evaluation.of(name), metric)
        control = condition.retriever in CONTROLS
        rows.append(Bar(name, found, tuned=condition.adapter, control=control))
    return bars(rows, f"{title} by condition; {hint}", digits)


def _differences(evaluation: Evaluation) -> list[tuple[str, str, Interval]]:
    """(condition, what it is compared with, difference in nats per token)."""
    known = set(evaluation.conditions)
    pairs = [
        ("rag", "base"),
        ("rag", "rag:mismatched"),
        ("rag", "rag:random"),
        ("peft", "base"),
        ("rag+peft", "rag"),
        ("rag+peft", "peft"),
        ("rag+peft", "rag+peft:mismatched"),
    ]
    return [
        (ours, theirs, against(evaluation.of(ours), evaluation.of(theirs), "nll"))
        for ours, theirs in pairs
        if {ours, theirs} <= known
    ]


def _by_task(evaluation: Evaluation) -> list[tuple[str, list[tuple[str, float, float, float]]]]:
    """task → (condition, nats per token, ROUGE-1, chrF) of each."""
    found = []
    for task in sorted({score.task for score in evaluation.scores}):
        rows = []
        for name in evaluation.conditions:
            scores = [score for score in evaluation.of(name) if score.task == task]
            figures = [interval(scores, metric).value for metric in ("nll", "rouge_1", "chrf")]
            rows.append((name, figures[0], figures[1], figures[2]))
        found.append((task, rows))
    return found


def _contrast(evaluation: Evaluation) -> tuple[str, str]:
    """The two conditions shown side by side; the second is empty where nothing is tuned."""
    known = evaluation.conditions
    base = next((name for name in ("rag", "base") if name in known), known[0])
    tuned = next((name for name in ("rag+peft", "peft") if name in known), "")
    if not tuned:
        return "base" if "base" in known else base, "rag" if "rag" in known else ""
    return base, tuned


def _sides(evaluation: Evaluation, base: str, tuned: str) -> list[Side]:
    """The trials under both conditions, the largest gain first."""
    before = {(s.document, s.task): s for s in evaluation.of(base)}
    after = {(s.document, s.task): s for s in evaluation.of(tuned)}
    sides = [
        Side(trial, TASKS.get(trial.task, trial.task), one, other, one.nll - other.nll)
        for trial in evaluation.trials
        for key in [(trial.document, trial.task)]
        if (one := before.get(key)) and (other := after.get(key))
    ]
    return sorted(
        sides, key=lambda side: (-side.gain, side.reference.document, side.reference.task)
    )


def _neutral_rise(evaluation: Evaluation) -> float | None:
    if {"base", "tuned"} <= evaluation.neutral.keys():
        return evaluation.neutral["tuned"] / evaluation.neutral["base"] - 1
    return None


def _loss(evaluation: Evaluation) -> Markup | None:
    if not evaluation.losses:
        return None
    return curve(evaluation.losses, "Training loss in nats per token by step", "step")


def _growth(evaluation: Evaluation) -> Markup | None:
    points = [point for point in evaluation.growth if point.base == evaluation.base]
    if not points:
        return None
    rows = [(float(point.documents), point.gain, point.run) for point in points]
    return scatter(rows, "Gain by the number of documents learned from", "documents learned from")
