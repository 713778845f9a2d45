"""`localpers bench`: published benchmarks, on files in their formats."""

from __future__ import annotations

import typer

from localpers.cli.bench_answers import answers
from localpers.cli.bench_lamp import lamp
from localpers.cli.bench_retrieval import retrieval

app = typer.Typer(help="Measure on published benchmarks.", no_args_is_help=True)
app.command()(answers)
app.command()(lamp)
app.command()(retrieval)


@app.callback()
def benchmarks() -> None:
    """Measure on published benchmarks."""
