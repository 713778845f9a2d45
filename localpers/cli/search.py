"""`localpers search`: ranked passages."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import SHOWN_ID, Json, inline, notice, print_json, say
from localpers.cli.progress import ProgressLine

if TYPE_CHECKING:
    from localpers.datatypes import RetrievedPassage
    from localpers.retrieval.hits import Reason
    from localpers.retrieval.retriever import Explanation

SNIPPET_LINES = 4


def check_retriever(name: str) -> None:
    """Raise a usage error for an unknown retriever."""
    from localpers.retrieval.retrievers import RETRIEVERS

    if name not in RETRIEVERS:
        names = ", ".join(RETRIEVERS)
        raise typer.BadParameter(f"'{name}' is not a retriever: choose one of {names}.")


Retriever = Annotated[str, typer.Option(help="Ranking: auto, bm25, dense, hybrid or recency.")]
Reranked = Annotated[
    bool, typer.Option("--rerank", help="Rerank the first 20 with the base model; slow.")
]


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Words to search for.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many passages.")] = 10,
    retriever: Retriever = "auto",
    reranked: Reranked = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show terms, weights and why a passage ranks so.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Find passages in the indexed notes."""
    from localpers.assistant.assistant import Assistant
    from localpers.assistant.notes import ProfileNotes
    from localpers.cli.unlocking import open_profile
    from localpers.cli.upkeep import refresh_index
    from localpers.retrieval.rerank import DEPTH

    check_retriever(retriever)
    profile = open_profile(context)
    refresh_index(profile)
    explanation = None
    embedded, judged = ProgressLine("embedded"), ProgressLine("judged")
    with Assistant.open(
        profile, adapter=False, on_embed=embedded.update, on_rerank=judged.update
    ) as assistant:
        hits = assistant.search(query, k, retriever, "likelihood" if reranked else None)
        notes = assistant.notes
        assert isinstance(notes, ProfileNotes)
        if explain:
            explanation = notes.explain(query, max(k, DEPTH) if reranked else k, retriever)
        ids = notes.store.documents.content_hashes({hit.document for hit in hits})
        empty = not hits and notes.is_empty
    embedded.clear()
    judged.clear()
    if as_json:
        print_json([_document(hit, ids.get(hit.document, ""), explanation) for hit in hits])
        return
    if explanation is not None:
        _say_understood(explanation)
    if empty:
        notice("The index is empty: run 'localpers ingest FOLDER' first.")
    elif not hits:
        notice("Nothing found.")
    for hit in hits:
        say(f"{hit.rank:>2}. {hit.title}  ({hit.date[:10]}, score {hit.score:.2f})")
        say(f"    {inline(hit.location)}")
        if explanation is not None:
            _say_reason(explanation.reason_of(hit))
        lines = [line for line in hit.text.splitlines() if line.strip()][:SNIPPET_LINES]
        for line in lines:
            say(f"    | {line}")


def _document(
    hit: RetrievedPassage, content_hash: str, explanation: Explanation | None
) -> dict[str, Any]:
    found = {
        "rank": hit.rank,
        "score": hit.score,
        "document": content_hash[:SHOWN_ID],
        "path": hit.path,
        "title": hit.title,
        "start": hit.start,
        "end": hit.end,
        "text": hit.text,
        "line": hit.line,
        "page": hit.page,
        "date": hit.date,
    }
    if explanation is not None:
        found["explain"] = _explained(explanation, explanation.reason_of(hit))
    return found


def _explained(explanation: Explanation, reason: Reason) -> dict[str, Any]:
    query, content = explanation.query, explanation.query.content_terms
    return {
        "query": {
            "terms": [
                {"term": term, "idf": idf, "content": term in content}
                for term, idf in explanation.idf.items()
            ],
            "ignored": list(query.ignored),
            "times": [[time.first.isoformat(), time.last.isoformat()] for time in query.times],
            "recent": query.recent,
            "embedded": explanation.embedded,
        },
        "terms": [
            {"term": term.term, "part": term.part, "score": term.score} for term in reason.terms
        ],
        "time": reason.time,
        "recency": reason.recency,
        "ranks": asdict(reason.ranks) if reason.ranks else None,
        "copies": list(reason.copies),
    }


def _say_understood(explanation: Explanation) -> None:
    query = explanation.query
    terms = (f"{term} {idf:.2f}" for term, idf in explanation.idf.items())
    say(f"Query (term, idf): {', '.join(terms) or 'no words'}")
    if explanation.embedded is not None:
        say(f"Compared by meaning: {explanation.embedded}")
    if query.ignored:
        say(f"Instruction, ignored: {' … '.join(query.ignored)}")
    for time in query.times:
        say(f"Preferred: documents from {time.first} to {time.last}")
    if query.recent:
        say("Preferred: recent documents")
    say()


_PARTS = {
    "text": "",
    "document": " (whole document)",
    "opening": " (opening)",
    "fields": " (title, heading, tags)",
}


def _say_reason(reason: Reason) -> None:
    terms = " + ".join(f"{term.term}{_PARTS[term.part]} {term.score:.2f}" for term in reason.terms)
    factor = [
        f"{name} +{share:.0%}"
        for name, share in (("date", reason.time), ("recency", reason.recency))
        if share >= 0.005
    ]
    if reason.ranks:
        by = (("words", reason.ranks.words), ("meaning", reason.ranks.vectors))
        say("    = " + ", ".join(f"{rank}. by {name}" for name, rank in by if rank))
    parts = [part for part in (terms, *factor) if part]
    if parts:
        say(f"    {'by words' if reason.ranks else '='} {', '.join(parts)}")
    for path in reason.copies:
        say(f"    near-duplicate left out: {inline(path)}")
