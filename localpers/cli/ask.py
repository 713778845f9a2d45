"""`localpers ask`: a streamed answer with its sources."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, inline, notice, print_json, printable, say
from localpers.cli.progress import ProgressLine
from localpers.cli.search import Reranked, Retriever, check_retriever, find
from localpers.errors import LocalpersError
from localpers.prompts import PASSAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpers.datatypes import RetrievedPassage, ServedModel
    from localpers.inference.answer import AnswerResult
    from localpers.inference.engine import Engine
    from localpers.profile import Profile
    from localpers.retrieval.lexicon import Lexicon

MAX_TOKENS = 512


def ask(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="The question or task; '-' reads standard input.")],
    k: Annotated[
        int | None,
        typer.Option(
            "-k", min=1, help=f"Passages given to the model: what was proved best, or {PASSAGES}."
        ),
    ] = None,
    run: Annotated[str | None, typer.Option(help="Answer with this tuning run.")] = None,
    base: Annotated[str | None, typer.Option(help="Answer with this base model, untuned.")] = None,
    no_rag: Annotated[bool, typer.Option("--no-rag", help="Use no notes.")] = False,
    retriever: Retriever = "auto",
    reranked: Reranked = False,
    abstain: Annotated[
        bool, typer.Option("--abstain", help="Answer nothing where no note is found.")
    ] = False,
    no_adapter: Annotated[
        bool, typer.Option("--no-adapter", help="Answer with the base as it was before tuning.")
    ] = False,
    contrast: Annotated[
        float,
        typer.Option(min=0, max=2, help="How far tuned answers move away from the base."),
    ] = 0.0,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = MAX_TOKENS,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=5.0, help="0 is the likeliest answer, always the same.")
    ] = 0.0,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 2, help="Makes --temperature repeatable.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Answer from your notes, with the sources."""
    started = time.perf_counter()
    if run is not None and base is not None:
        raise typer.BadParameter("--base answers without a run: leave one of --base, --run away.")
    if contrast and (no_adapter or base is not None):
        raise typer.BadParameter(
            "--contrast sets a tuned model against its base: leave --no-adapter and --base away."
        )
    if abstain and no_rag:
        raise typer.BadParameter("--abstain needs notes: leave --no-rag away.")
    check_retriever(retriever)
    request = _request(prompt)

    from localpers.cli.unlocking import open_profile
    from localpers.cli.upkeep import refresh_index
    from localpers.inference.answer import answer
    from localpers.inference.served import served_model

    profile = open_profile(context)
    served = served_model(profile, run, not no_adapter, base, unmerged=contrast > 0)
    _require_tuned(served, contrast)
    if not no_rag:
        refresh_index(profile)
    with ExitStack() as stack:
        wanted = k or served.passages or PASSAGES
        search = _Search(request, 0 if no_rag else wanted, retriever, reranked, abstain)
        prepared = _prepare(stack, profile, served, search)
        before = time.perf_counter() - started
        if prepared.engine is None:
            result = _nothing_answered()
        else:
            parts = answer(
                prepared.engine,
                request,
                prepared.passages,
                prepared.lexicon,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed,
                contrast=contrast,
            )
            result = _collected(parts) if as_json else _streamed(parts)
    if as_json:
        print_json(_document(result, served, prepared, before))
        return
    _say_sources(result)
    left_out = len(prepared.passages) - len(result.sources)
    if left_out:
        notice(f"{left_out} of the passages found did not fit the model's context window.")
    if result.finish != "stop":
        notice("The answer was cut: allow more with --max-tokens.")


def _require_tuned(served: ServedModel, contrast: float) -> None:
    if contrast and served.adapter is None:
        raise LocalpersError(
            "--contrast sets a tuned model against its base, and no tuned one answers here: "
            "run 'localpers tune', name a run with --run, or leave --contrast away."
        )


@dataclass(frozen=True)
class _Prepared:
    engine: Engine | None
    """None where nothing is answered."""
    passages: list[RetrievedPassage]
    lexicon: Lexicon | None
    load_seconds: float
    retrieve_seconds: float


@dataclass(frozen=True)
class _Search:
    """What is looked for; `k` 0 looks for nothing. `abstain`: no answer where nothing is found."""

    request: str
    k: int
    retriever: str
    reranked: bool
    abstain: bool


def _prepare(stack: ExitStack, profile: Profile, served: ServedModel, search: _Search) -> _Prepared:
    """Map the model in a thread of its own while the notes are searched.

    Where `abstain` may make the model needless, the search comes first.
    """
    from concurrent.futures import ThreadPoolExecutor

    def load() -> tuple[Engine, float]:
        from localpers.inference.engine import Engine

        started = time.perf_counter()
        # Entered here, so that it is closed also where the search fails meanwhile.
        return stack.enter_context(Engine.open(served)), time.perf_counter() - started

    with ThreadPoolExecutor(1) as pool:
        loading = None if search.abstain else pool.submit(load)
        started = time.perf_counter()
        passages, lexicon = _retrieve(stack, profile, search) if search.k else ([], None)
        retrieve_seconds = time.perf_counter() - started
        if search.abstain and not passages:
            return _Prepared(None, passages, lexicon, 0.0, retrieve_seconds)
        engine, load_seconds = (loading or pool.submit(load)).result()
    if search.reranked and passages:
        started = time.perf_counter()
        passages = _reranked(engine, search, passages)
        retrieve_seconds += time.perf_counter() - started
    return _Prepared(engine, passages, lexicon, load_seconds, retrieve_seconds)


def _reranked(
    engine: Engine, search: _Search, passages: list[RetrievedPassage]
) -> list[RetrievedPassage]:
    """By the base as it was before tuning: an adapter learned to answer, not to ask."""
    from localpers.inference.likelihood import QueryLikelihood
    from localpers.retrieval.rerank import rerank

    adapted, engine.adapted = engine.adapted, False
    line = ProgressLine("judged")
    try:
        judge = QueryLikelihood(engine, line.update)
        return rerank(judge, search.request, passages, search.k)
    finally:
        line.clear()
        engine.adapted = adapted


def _retrieve(
    stack: ExitStack, profile: Profile, search: _Search
) -> tuple[list[RetrievedPassage], Lexicon]:
    from localpers.retrieval.lexicon import Lexicon
    from localpers.retrieval.rerank import DEPTH
    from localpers.store import Store

    store = stack.enter_context(Store.open(profile))
    wanted = max(search.k, DEPTH) if search.reranked else search.k
    passages = find(store, profile, search.request, wanted, search.retriever)
    so = "this is not answered" if search.abstain else "this is answered without notes"
    if not passages and not store.documents.count():
        notice(f"The index is empty, so {so}: run 'localpers ingest FOLDER' first.")
    elif not passages:
        notice(f"No note holds a word of what this is about, so {so}.")
    return passages, Lexicon(store)


def _request(prompt: str) -> str:
    if prompt == "-":
        prompt = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not prompt.strip():
        raise typer.BadParameter("The prompt is empty: write a question or a task.")
    return prompt.strip()


def _streamed(parts: Iterator[str | AnswerResult]) -> AnswerResult:
    result = None
    try:
        for part in parts:
            if isinstance(part, str):
                sys.stdout.write(printable(part))
                sys.stdout.flush()
            else:
                result = part
    finally:
        sys.stdout.write("\n")
        sys.stdout.flush()
    assert result is not None
    return result


def _nothing_answered() -> AnswerResult:
    from localpers.inference.answer import AnswerResult
    from localpers.inference.engine import Finish

    return AnswerResult("", (), 0, 0, Finish.STOP, 0.0, 0.0)


def _collected(parts: Iterator[str | AnswerResult]) -> AnswerResult:
    *_, result = parts
    assert not isinstance(result, str)
    return result


def _say_sources(result: AnswerResult) -> None:
    if not result.sources:
        return
    say()
    say("Sources (* cited):")
    for source in result.sources:
        mark = "*" if source.cited or source.attributed else " "
        say(f"{mark} [{source.number}] {inline(_place(source.passage))}  {source.passage.title}")


def _place(passage: RetrievedPassage) -> str:
    """Where the passage stands: short on a terminal, absolute in a pipe."""
    if not sys.stdout.isatty():
        return passage.location
    path = Path(passage.path)
    for folder, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(folder):
            shortened = prefix + str(path.relative_to(folder))
            return passage.location.replace(passage.path, shortened, 1)
    return passage.location


def _document(
    result: AnswerResult, served: ServedModel, prepared: _Prepared, before: float
) -> dict[str, Any]:
    return {
        "text": result.text,
        "sources": [
            {
                "n": source.number,
                "path": source.passage.path,
                "title": source.passage.title,
                "start": source.passage.start,
                "end": source.passage.end,
                "score": source.passage.score,
                "cited": source.cited or source.attributed,
            }
            for source in result.sources
        ],
        "model": served.base.name,
        "adapter": served.run,
        "tokens": {"prompt": result.prompt_tokens, "completion": result.completion_tokens},
        "seconds": {
            "retrieve": round(prepared.retrieve_seconds, 3),
            "load": round(prepared.load_seconds, 3),
            "first_token": round(before + result.first_token_seconds, 3),
            "total": round(before + result.seconds, 3),
        },
    }
