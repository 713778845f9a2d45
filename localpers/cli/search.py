"""`localpers search`: ranked passages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from localpers.cli.console import Json, notice, print_json, say
from localpers.cli.progress import ProgressLine

if TYPE_CHECKING:
    from localpers.datatypes import RetrievedPassage
    from localpers.profile import Profile
    from localpers.store import Store

SNIPPET_LINES = 4
DEPTH = 20
"""Hits that are found for --rerank, at least: as many as retrieval.rerank judges."""


def check_retriever(name: str) -> None:
    """Raise a usage error for a name that is no retriever's."""
    from localpers.retrieval.retriever import Method

    if name not in set(Method):
        raise typer.BadParameter(f"'{name}' is no retriever: {', '.join(Method)}.")


def found(
    store: Store, profile: Profile, query: str, k: int, retriever: str
) -> list[RetrievedPassage]:
    """The k best passages; those that still lack a vector get it first, with progress."""
    from localpers.embedding import open_retriever

    line = ProgressLine("embedded")
    with open_retriever(store, (retriever,), profile, line.update) as ready:
        line.clear()
        return ready.search(query, k, retriever)


def _reranked(
    profile: Profile, query: str, hits: list[RetrievedPassage], k: int
) -> list[RetrievedPassage]:
    from localpers.inference.engine import Engine
    from localpers.inference.likelihood import QueryLikelihood
    from localpers.inference.served import served_model
    from localpers.retrieval.rerank import rerank

    line = ProgressLine("judged")
    try:
        with Engine.open(served_model(profile, use_adapter=False)) as engine:
            return rerank(QueryLikelihood(engine, line.update), query, hits, k)
    finally:
        line.clear()


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="What to look for, in any words.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many passages.")] = 10,
    retriever: Annotated[
        str, typer.Option(help="How to rank: auto, bm25, dense, hybrid or recency.")
    ] = "auto",
    reranked: Annotated[
        bool, typer.Option("--rerank", help="Let the base model judge the first 20 again; slow.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find passages in the indexed notes."""
    from localpers.profile import Profile
    from localpers.store import Store

    profile = Profile.open(context.obj)
    check_retriever(retriever)
    with Store.open(profile) as store:
        hits = found(store, profile, query, max(k, DEPTH) if reranked else k, retriever)
        if reranked and hits:
            hits = _reranked(profile, query, hits, k)
        empty = not hits and not store.documents.totals().documents
    if as_json:
        print_json(
            [
                {
                    "rank": hit.rank,
                    "score": hit.score,
                    "path": hit.path,
                    "title": hit.title,
                    "start": hit.start,
                    "end": hit.end,
                    "text": hit.text,
                    "line": hit.line,
                    "page": hit.page,
                    "date": hit.date,
                }
                for hit in hits
            ]
        )
        return
    if empty:
        notice("The index is empty: run 'localpers ingest FOLDER' first.")
    elif not hits:
        notice("Nothing found.")
    for hit in hits:
        say(f"{hit.rank:>2}. {hit.title}  ({hit.date[:10]}, score {hit.score:.2f})")
        say(f"    {hit.location}")
        lines = [line for line in hit.text.splitlines() if line.strip()][:SNIPPET_LINES]
        for line in lines:
            say(f"    | {line}")
