"""`localpers bench retrieval`: how well the retrievers find."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, notice, print_json, say
from localpers.cli.progress import TerminalReporter, duration

if TYPE_CHECKING:
    from localpers.bench.retrieval.known_items import Kind
    from localpers.bench.retrieval.run import Options, Report
    from localpers.bench.retrieval.scores import Effectiveness
    from localpers.evaluation.bootstrap import Interval
    from localpers.profile import Profile

WITHOUT_VECTORS = "bm25,auto"
WITH_VECTORS = f"{WITHOUT_VECTORS},dense,hybrid"
OWN_NOTES = "rank_bm25,"
"""The baseline reads everything into memory: only own notes get it unasked."""


def retrieval(
    context: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(help="A test collection in the BEIR layout; your own notes if left away."),
    ] = None,
    retrievers: Annotated[
        str | None,
        typer.Option(help="Names separated by commas; '+rerank' after one lets the base rerank."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which qrels file of the collection.")] = None,
    kinds: Annotated[
        str, typer.Option(help="Of your own notes: title, sentence, paraphrase.")
    ] = "title,sentence",
    queries: Annotated[int, typer.Option(min=0, help="At most N of each kind; 0 for all.")] = 0,
    documents: Annotated[int, typer.Option(min=0, help="At most N own notes; 0 for all.")] = 0,
    encoder: Annotated[str | None, typer.Option(help="The embedding model.")] = None,
    base: Annotated[str | None, typer.Option(help="The base that reranks and rephrases.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 0,
    again: Annotated[bool, typer.Option("--again", help="Begin anew instead of going on.")] = False,
    as_json: Json = False,
) -> None:
    """Retrieval effectiveness on a test collection, or on your own notes (known items).

    An interrupted run goes on where it stopped when the same command is given again.
    """
    from localpers.bench.retrieval.known_items import Kind
    from localpers.bench.retrieval.rankings import use_reranker
    from localpers.bench.retrieval.run import (
        Options,
        bench_collection,
        bench_known_items,
    )
    from localpers.cli.unlocking import open_profile

    known = _kinds(kinds)
    names = _retrievers(_usual(folder) if retrievers is None else retrievers)
    profile = open_profile(context)
    needs_base = use_reranker(names) or (folder is None and Kind.PARAPHRASE in known)
    options = Options(
        names=names,
        encoder=encoder,
        base=_base(profile, base) if needs_base else None,
        queries=queries,
        documents=documents,
        seed=seed,
        again=again,
    )
    reporter = TerminalReporter()
    try:
        if folder is not None:
            report = bench_collection(folder, split, options, reporter)
        else:
            report = bench_known_items(profile, known, options, reporter)
    finally:
        reporter.clear()
    if as_json:
        print_json(_as_record(report, options, folder))
    else:
        _tell(report)


def _kinds(given: str) -> tuple[Kind, ...]:
    from localpers.bench.retrieval.known_items import Kind

    names = _parts(given)
    if odd := [name for name in names if name not in set(Kind)]:
        raise typer.BadParameter(f"'{odd[0]}' is no kind: {', '.join(Kind)}.")
    return tuple(Kind(name) for name in names)


def _retrievers(given: str) -> tuple[str, ...]:
    from localpers.bench.retrieval.rankings import BASELINE, RERANKED, is_ranking
    from localpers.retrieval.retrievers import RETRIEVERS

    names = _parts(given)
    if odd := [name for name in names if not is_ranking(name)]:
        raise typer.BadParameter(
            f"'{odd[0]}' is no retriever: {', '.join(RETRIEVERS)}, each with {RERANKED} if wanted, "
            f"and {BASELINE}."
        )
    return names


def _parts(given: str) -> tuple[str, ...]:
    """Names separated by commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in given.split(",")))


def _usual(folder: Path | None) -> str:
    from localpers.weights.catalog import installed

    usual = WITH_VECTORS if any(model.embeds for model in installed()) else WITHOUT_VECTORS
    return usual if folder is not None else OWN_NOTES + usual


def _base(profile: Profile, name: str | None) -> Any:
    from localpers.inference.served import served_model

    return served_model(profile, use_adapter=False, base=name)


def _as_record(report: Report, options: Options, folder: Path | None) -> dict[str, Any]:
    kinds = {
        kind: {
            "queries": report.queries[kind],
            "retrievers": {name: _retriever_as_record(found) for name, found in by_name.items()},
        }
        for kind, by_name in report.kinds.items()
    }
    head = {"documents": report.documents, "passages": report.passages, "seed": options.seed}
    tail = {"seconds": report.seconds}
    if folder is None:
        return {"collection": None, **head, "kinds": kinds, **tail}
    ((split, measured),) = kinds.items()
    return {"collection": folder.resolve().name, "split": split, **head, **measured, **tail}


def _retriever_as_record(found: Effectiveness) -> dict[str, Any]:
    return {
        **{name: round(interval.value, 5) for name, interval in found.metrics.items()},
        "interval": {
            name: [round(interval.low, 5), round(interval.high, 5)]
            for name, interval in found.metrics.items()
        },
        "milliseconds": round(found.milliseconds, 2),
    }


def _tell(report: Report) -> None:
    say(f"{report.documents:,} documents in {report.passages:,} passages")
    for kind, by_name in report.kinds.items():
        say()
        say(f"{kind}: {report.queries[kind]:,} queries")
        if not by_name:
            continue
        width = max(len(name) for name in by_name) + 2
        metrics = list(next(iter(by_name.values())).metrics)
        say(" " * (width + 2) + "".join(f"{name:>22}" for name in metrics) + f"{'ms':>9}")
        for name, found in by_name.items():
            cells = "".join(f"{_cell(found.metrics[metric]):>22}" for metric in metrics)
            say(f"  {name:{width}}{cells}{found.milliseconds:>9.1f}")
    notice(f"Measured in {duration(report.seconds)}.")


def _cell(interval: Interval) -> str:
    return f"{interval.value:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
