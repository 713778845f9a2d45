"""`localpers search`: ranked passages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, notice, print_json, say

if TYPE_CHECKING:
    from localpers.datatypes import RetrievedPassage
    from localpers.retrieval.auto import Reason
    from localpers.retrieval.retriever import Explanation

SNIPPET_LINES = 4


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="What to look for, in any words.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many passages.")] = 10,
    retriever: Annotated[str, typer.Option(help="How to rank: auto, bm25 or recency.")] = "auto",
    explain: Annotated[
        bool, typer.Option("--explain", help="Show terms, weights and why a passage ranks so.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find passages in the indexed notes."""
    from localpers.cli.upkeep import refresh_index
    from localpers.profile import Profile
    from localpers.retrieval.retriever import Method, Retriever
    from localpers.store import Store

    if retriever not in set(Method):
        raise typer.BadParameter(f"'{retriever}' is no retriever: {', '.join(Method)}.")
    profile = Profile.open(context.obj)
    refresh_index(profile)
    explanation = None
    with Store.open(profile) as store:
        if explain:
            explanation = Retriever(store).explain(query, k, retriever)
            hits = explanation.passages
        else:
            hits = Retriever(store).search(query, k, retriever)
        empty = not hits and not store.documents.count()
    if as_json:
        documents = [_document(hit) for hit in hits]
        if explanation is not None:
            for document, reason in zip(documents, explanation.reasons, strict=True):
                document["explain"] = _explained(explanation, reason)
        print_json(documents)
        return
    if explanation is not None:
        _say_understood(explanation)
    if empty:
        notice("The index is empty: run 'localpers ingest FOLDER' first.")
    elif not hits:
        notice("Nothing found.")
    for hit in hits:
        say(f"{hit.rank:>2}. {hit.title}  ({hit.date[:10]}, score {hit.score:.2f})")
        say(f"    {hit.location}")
        if explanation is not None:
            _say_reason(explanation.reasons[hit.rank - 1])
        lines = [line for line in hit.text.splitlines() if line.strip()][:SNIPPET_LINES]
        for line in lines:
            say(f"    | {line}")


def _document(hit: RetrievedPassage) -> dict[str, Any]:
    return {
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


def _explained(explanation: Explanation, reason: Reason) -> dict[str, Any]:
    query = explanation.query
    return {
        "query": {
            "terms": [
                {"term": term, "idf": idf, "content": term in query.content}
                for term, idf in explanation.idf.items()
            ],
            "ignored": list(query.ignored),
            "times": [[time.first.isoformat(), time.last.isoformat()] for time in query.times],
            "recent": query.recent,
        },
        "terms": [
            {"term": term.term, "part": term.part, "score": term.score} for term in reason.terms
        ],
        "time": reason.time,
        "recency": reason.recency,
        "copies": list(reason.copies),
    }


def _say_understood(explanation: Explanation) -> None:
    query = explanation.query
    terms = (f"{term} {idf:.2f}" for term, idf in explanation.idf.items())
    say(f"Looked for (term, idf): {', '.join(terms) or 'no words'}")
    if query.ignored:
        say(f"Instruction, not looked for: {' … '.join(query.ignored)}")
    for time in query.times:
        say(f"Preferred: documents from {time.first} to {time.last}")
    if query.recent:
        say("Preferred: recent documents")
    say()


def _say_reason(reason: Reason) -> None:
    terms = " + ".join(
        f"{term.term}{' (title, heading, tags)' if term.part == 'fields' else ''} {term.score:.2f}"
        for term in reason.terms
    )
    factor = [
        f"{name} +{share:.0%}"
        for name, share in (("date", reason.time), ("recency", reason.recency))
        if share >= 0.005
    ]
    parts = [part for part in (terms, *factor) if part]
    if parts:
        say(f"    = {', '.join(parts)}")
    for path in reason.copies:
        say(f"    nearly the same, left out: {path}")
