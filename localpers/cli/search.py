"""`localpers search`: ranked passages."""

from __future__ import annotations

from typing import Annotated

import typer

from localpers.cli.console import Json, notice, print_json, say

SNIPPET_LINES = 4


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="What to look for, in any words.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many passages.")] = 10,
    retriever: Annotated[str, typer.Option(help="How to rank: auto, bm25 or recency.")] = "auto",
    as_json: Json = False,
) -> None:
    """Find passages in the indexed notes."""
    from localpers.profile import Profile
    from localpers.retrieval.retriever import Method, Retriever
    from localpers.store import Store

    if retriever not in set(Method):
        raise typer.BadParameter(f"'{retriever}' is no retriever: {', '.join(Method)}.")
    with Store.open(Profile.open(context.obj)) as store:
        hits = Retriever(store).search(query, k, retriever)
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
