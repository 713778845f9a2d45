"""Vectors for what `ingest` read, where the profile uses them; no command of its own."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from localpers.cli.console import notice
from localpers.cli.progress import TerminalReporter

if TYPE_CHECKING:
    from localpers.profile import Profile
    from localpers.store import Store

NO_ENCODER = "none"


def embed(profile: Profile, store: Store, name: str | None) -> None:
    """Embed what has no vector yet, if an encoder is named or the store has vectors already, and
    measure then, where that was not done, whether they help. The index by words is complete before.
    """
    from localpers.embedding import choose_encoder, hybrid_verdict, opened_encoder
    from localpers.errors import ModelNotFound
    from localpers.retrieval.dense import embed_passages, encoder_note, forget_vectors

    if name == NO_ENCODER:
        forget_vectors(store)
        return
    if name is None and encoder_note(store) is None:
        return
    try:
        model = choose_encoder(store, name)
    except ModelNotFound as error:
        if name is not None:
            raise
        notice(f"{error} New passages are found by their words alone until then.")
        return
    reporter = TerminalReporter()
    try:
        noted = encoder_note(store)
        if noted is None or noted.sha256 != model.sha256 or store.vectors.missing():
            reporter.stage("Embedding")
            with opened_encoder(model) as encoder:
                embed_passages(
                    store, encoder, lambda done, total: reporter.progress(done, total, "", None)
                )
        if hybrid_verdict(store) is None and store.documents.totals().documents:
            _judge(profile, reporter)
    finally:
        reporter.clear()


def _judge(profile: Profile, reporter: TerminalReporter) -> None:
    from localpers.errors import ProfileBusy, TooLittleText
    from localpers.evaluation.effectiveness.bench import judge_hybrid

    reporter.stage("Measuring whether vectors help to find your notes")
    # Without titles and sentences there is nothing to measure by, and nothing that the user missed.
    # Whoever measures just now does not stop the user from indexing; the next ingest comes to it.
    with suppress(TooLittleText, ProfileBusy):
        judge_hybrid(profile, reporter)
