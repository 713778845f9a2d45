"""`localpers ingest`: index folders and files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from localpers.cli.console import Json, inline, notice, print_json, say
from localpers.cli.embed import embed
from localpers.cli.progress import ProgressLine

if TYPE_CHECKING:
    from localpers.corpus.sync import SyncProgress, SyncReport
    from localpers.profile import Profile
    from localpers.store import Store

MAX_SKIPPED_SHOWN = 10


def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(help="Folders and files to index.")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep running and index changes until Ctrl-C.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change without changing it.")
    ] = False,
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="Reread every file; restores what was forgotten of files named here.",
        ),
    ] = False,
    encoder: Annotated[
        str | None,
        typer.Option(help="Embedding model to use from now on; 'none' removes the vectors."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Index the notes in folders and files. Later runs read only what changed."""
    from localpers.bench.retrieval.run import remove_interrupted
    from localpers.cli.unlocking import open_profile
    from localpers.errors import ProfileBusy, SourceMissing
    from localpers.store import Store

    if watch and (as_json or dry_run):
        raise typer.BadParameter("--watch cannot be combined with --json or --dry-run.")
    profile = open_profile(context)
    with profile.writing("ingest"), Store.open(profile) as store:
        if not dry_run:
            remove_interrupted(profile)
        report = _sync(profile, store, paths, again=again, dry_run=dry_run)
        if not dry_run:
            embed(store, encoder)
        if as_json:
            print_json(asdict(report))
        else:
            _print_report(report, dry_run)
    while watch:
        changed = _wait_for_change(paths)
        if not changed:
            break
        try:
            with profile.writing("ingest"), Store.open(profile) as store:
                _print_report(_sync(profile, store, paths), dry_run=False)
                embed(store, None)
        except (ProfileBusy, SourceMissing) as error:
            notice(f"{error} Still watching.")


def _sync(
    profile: Profile,
    store: Store,
    paths: list[Path],
    *,
    again: bool = False,
    dry_run: bool = False,
) -> SyncReport:
    from localpers.corpus.sync import sync
    from localpers.forgotten import Forgotten
    from localpers.retrieval.indexing import Indexer

    line = ProgressLine("reading")

    def show(progress: SyncProgress) -> None:
        line.update(progress.done, progress.total, Path(progress.path).name)

    try:
        if Indexer(store).refresh(line.update):
            line.clear()
        known = Forgotten.of(profile)
        return sync(store, paths, known, again=again, dry_run=dry_run, on_progress=show)
    finally:
        line.clear()


def _print_report(report: SyncReport, dry_run: bool) -> None:
    say(
        f"{report.added} added, {report.updated} updated, {report.removed} removed, "
        f"{report.unchanged} unchanged {'(dry run: nothing was changed) ' if dry_run else ''}"
        f"in {report.seconds:.1f} s"
    )
    if report.skipped:
        say(f"{len(report.skipped)} skipped:")
        for skipped in report.skipped[:MAX_SKIPPED_SHOWN]:
            say(f"  {inline(skipped.path)}: {inline(skipped.reason)}")
        if len(report.skipped) > MAX_SKIPPED_SHOWN:
            say(f"  … and {len(report.skipped) - MAX_SKIPPED_SHOWN} more (--json lists all)")
    if report.forgotten:
        say(
            f"{report.forgotten} left out as forgotten (restore a file with 'ingest FILE --again')."
        )
    say(f"The index holds {report.documents} documents in {report.passages} passages.")
    if not report.documents:
        notice("No readable files found: localpers reads Markdown, text, PDF, e-mail, …")


def _wait_for_change(paths: list[Path]) -> bool:
    """Wait until files below `paths` change; False if the user pressed Ctrl-C."""
    from watchfiles import watch

    notice("Watching for changes; Ctrl-C stops.")
    for _ in watch(*(path.expanduser() for path in paths), raise_interrupt=False, debounce=1000):
        return True
    return False
