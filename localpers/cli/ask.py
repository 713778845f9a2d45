"""`localpers ask`: a streamed answer with its sources."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from localpers.cli.console import Json, inline, notice, print_json, printable, say
from localpers.cli.progress import ProgressLine
from localpers.cli.search import Reranked, Retriever, check_retriever

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localpers.assistant.answer import Answer
    from localpers.assistant.assistant import Assistant
    from localpers.assistant.options import AnswerOptions
    from localpers.datatypes import RetrievedPassage

MAX_TOKENS = 512
FORMS = (
    "answer",
    "tweet",
    "email",
    "title",
    "summary",
    "outline",
    "list",
    "commit",
    "post",
    "subject",
    "paraphrase",
    "label",
    "rating",
)


def ask(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="The question or task; '-' reads standard input.")],
    k: Annotated[
        int | None,
        typer.Option(
            "-k",
            min=1,
            help="Passages given to the model. Default: what tuning chose, or 3.",
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
        bool, typer.Option("--no-adapter", help="Answer with the base, as before tuning.")
    ] = False,
    contrast: Annotated[
        float | None,
        typer.Option(min=0, max=2, help="How far tuned answers move away from the base."),
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = MAX_TOKENS,
    temperature: Annotated[
        float, typer.Option(min=0.0, max=5.0, help="0 always gives the likeliest answer.")
    ] = 0.0,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 2, help="Makes --temperature repeatable.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option(help=f"What to write: {', '.join(FORMS)}. Default: read from the request."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Answer from your notes, with the sources."""
    if form is not None and form not in FORMS:
        raise typer.BadParameter(f"'{form}' is not a form: choose among {', '.join(FORMS)}.")
    if run is not None and base is not None:
        raise typer.BadParameter("--base and --run cannot be combined.")
    if contrast and (no_adapter or base is not None):
        raise typer.BadParameter("--contrast cannot be combined with --no-adapter or --base.")
    if abstain and no_rag:
        raise typer.BadParameter("--abstain and --no-rag cannot be combined.")
    check_retriever(retriever)
    request = _request(prompt)

    from localpers.assistant.assistant import Assistant
    from localpers.assistant.forms import Form, form_of
    from localpers.assistant.options import AnswerOptions
    from localpers.cli.unlocking import open_profile
    from localpers.cli.upkeep import refresh_index

    profile = open_profile(context)
    if not no_rag:
        refresh_index(profile)
    options = AnswerOptions(
        k=0 if no_rag else k,
        retriever=retriever,
        reranker="likelihood" if reranked else None,
        contrast=contrast,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        abstain=abstain,
        form=form,
    )
    embedded, judged = ProgressLine("embedded"), ProgressLine("judged")
    with Assistant.open(
        profile,
        run=run,
        base=base,
        adapter=not no_adapter,
        unmerged=bool(contrast) or isinstance(form_of(form, request), Form),
        on_embed=embedded.update,
        on_rerank=judged.update,
    ) as assistant:
        parts = _watched(assistant.stream(request, options), (embedded, judged))
        answer = _collected(parts) if as_json else _streamed(parts)
        if not answer.found and not no_rag:
            _say_nothing_found(assistant, answer, options)
        if as_json:
            print_json(_document(answer, assistant))
            return
        larger = _larger_base(assistant) if answer.answered else None
    _say_sources(answer)
    if left_out := answer.found - len(answer.sources):
        notice(f"{left_out} of the passages found did not fit the model's context window.")
    if answer.notice:
        notice(answer.notice)
    if answer.finish != "stop":
        notice("The answer was cut: allow more with --max-tokens.")
    if larger is not None:
        notice(larger)


def _request(prompt: str) -> str:
    if prompt == "-":
        prompt = sys.stdin.buffer.read().decode("utf-8", "replace")
    if not prompt.strip():
        raise typer.BadParameter("The prompt is empty: write a question or a task.")
    return prompt.strip()


def _watched(
    parts: Iterator[str | Answer], lines: tuple[ProgressLine, ...]
) -> Iterator[str | Answer]:
    """The parts, with progress lines cleared before the first of them or an error."""
    try:
        for part in parts:
            for line in lines:
                line.clear()
            yield part
    finally:
        for line in lines:
            line.clear()


def _streamed(parts: Iterator[str | Answer]) -> Answer:
    answer = None
    try:
        for part in parts:
            if isinstance(part, str):
                sys.stdout.write(printable(part))
                sys.stdout.flush()
            else:
                answer = part
    finally:
        sys.stdout.write("\n")
        sys.stdout.flush()
    assert answer is not None
    return answer


def _collected(parts: Iterator[str | Answer]) -> Answer:
    *_, answer = parts
    assert not isinstance(answer, str)
    return answer


def _say_nothing_found(assistant: Assistant, answer: Answer, options: AnswerOptions) -> None:
    from localpers.assistant.notes import ProfileNotes

    outcome = "this was answered without notes" if answer.answered else "nothing was answered"
    if isinstance(assistant.notes, ProfileNotes) and assistant.notes.is_empty:
        notice(f"The index is empty, so {outcome}: run 'localpers ingest FOLDER' first.")
    elif answer.answered or options.abstain:
        notice(f"No matching notes found, so {outcome}.")


def _larger_base(assistant: Assistant) -> str | None:
    """Said once a profile, after its first answer by a small base."""
    from localpers.assistant.notes import ProfileNotes
    from localpers.assistant.options import WRITING_PARAMETERS
    from localpers.weights.recommend import larger_base

    base, notes = assistant.served.base, assistant.notes
    if base.parameters >= WRITING_PARAMETERS or not isinstance(notes, ProfileNotes):
        return None
    if not notes.first_time("larger_base"):
        return None
    entry = larger_base(base.parameters)
    if entry is None:
        return None
    return (
        f"{base.name} is small: it quotes your notes and writes little. This machine has the "
        f"memory for {entry.name} ({entry.ram_ask / 1e9:.1f} GB while it answers): run "
        f"'localpers models pull {entry.name}', then 'localpers ask --base {entry.name}'."
    )


def _say_sources(answer: Answer) -> None:
    if not answer.sources:
        return
    say()
    say("Sources (* cited):")
    for source in answer.sources:
        mark = "*" if source.cited or source.attributed else " "
        say(f"{mark} [{source.number}] {inline(_place(source.passage))}  {source.passage.title}")


def _place(passage: RetrievedPassage) -> str:
    """The passage's location: short on a terminal, absolute in a pipe."""
    if not sys.stdout.isatty():
        return passage.location
    path = Path(passage.path)
    for folder, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(folder):
            shortened = prefix + str(path.relative_to(folder))
            return passage.location.replace(passage.path, shortened, 1)
    return passage.location


def _document(answer: Answer, assistant: Assistant) -> dict[str, Any]:
    timings = answer.timings
    return {
        "text": answer.text,
        "answered": answer.answered,
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
            for source in answer.sources
        ],
        "model": assistant.served.base.name,
        "adapter": assistant.served.run,
        "tokens": {"prompt": answer.prompt_tokens, "completion": answer.completion_tokens},
        "seconds": {
            "retrieve": round(timings.retrieve, 3),
            "load": round(timings.load, 3),
            "first_token": round(timings.first_token, 3),
            "total": round(timings.total, 3),
        },
    }
