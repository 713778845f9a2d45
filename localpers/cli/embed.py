"""Vectors for what `ingest` read, where the profile uses them; no command of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpers.cli.console import notice
from localpers.cli.progress import TerminalReporter

if TYPE_CHECKING:
    from localpers.store import Store

NO_ENCODER = "none"
_DECLINED = "no_encoder"
"""Set in the store's meta table once the user has asked for no encoder, until they name one."""


def embed(store: Store, name: str | None) -> None:
    """Embed what has no vector yet: by the encoder called `name`, by the one that has embedded the
    store before, or by an installed one that speaks the notes' language. The index by words is
    complete before.
    """
    from localpers.embedding import choose_encoder, encoder_for_notes, opened_encoder
    from localpers.errors import ModelNotFound
    from localpers.retrieval.dense import embed_passages, encoder_note, forget_vectors

    if name == NO_ENCODER:
        forget_vectors(store)
        with store.transaction():
            store.set_meta(_DECLINED, "yes")
        return
    if name is not None:
        with store.transaction():
            store.remove_meta(_DECLINED)
    elif store.meta(_DECLINED) is not None:
        return
    noted = encoder_note(store)
    try:
        if name is None and noted is None:
            model = encoder_for_notes(store)
        else:
            model = choose_encoder(store, name)
    except ModelNotFound as error:
        if name is not None:
            raise
        notice(f"{error} New passages are found by their words alone until then.")
        return
    if model is None:
        return
    if noted is not None and noted.sha256 == model.sha256 and not store.vectors.missing():
        return
    reporter = TerminalReporter()
    try:
        reporter.stage("Embedding")
        with opened_encoder(model) as encoder:
            embed_passages(
                store, encoder, lambda done, total: reporter.progress(done, total, "", None)
            )
    finally:
        reporter.clear()
