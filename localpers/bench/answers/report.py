"""Every answer on one HTML page, to read."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from localpers.bench.answers.run import Results, draft_figures, question_figures
from localpers.profile import write_atomically

TEMPLATE = "answers.html"


def write_page(results: Results, path: Path) -> None:
    """Write the page, readable by the user alone: it quotes their notes."""
    from jinja2 import Environment

    source = files("localpers.bench.answers").joinpath(TEMPLATE).read_text(encoding="utf-8")
    page = Environment(autoescape=True).from_string(source)
    write_atomically(
        path,
        page.render(
            results=results,
            groups=(
                ("Questions", list(question_figures(results.questions))),
                ("Drafts", list(draft_figures(results.drafts))),
            ),
        ),
    )
