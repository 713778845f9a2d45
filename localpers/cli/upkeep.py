"""Finish interrupted work and update the index before a command reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpers.cli.console import notice
from localpers.cli.progress import ProgressLine

if TYPE_CHECKING:
    from localpers.profile import Profile


def finish_forgetting(profile: Profile) -> None:
    """Finish an interrupted forget, before anything reads what it removes.

    Raises ProfileBusy if a forget is running.
    """
    from localpers.forgotten import Forgetting

    if not Forgetting.path(profile).exists():
        return
    from localpers.privacy.forget import finish
    from localpers.store import Store

    notice("A forget was interrupted: finishing it first.")
    with profile.exclusive("forget"), Store.open(profile) as store:
        finish(profile, store)


def refresh_index(profile: Profile) -> None:
    """Rebuild an index of another version of the analysis.

    While another command writes, the old index is used.
    """
    from localpers.errors import ProfileBusy
    from localpers.retrieval.indexing import Indexer
    from localpers.store import Store

    with Store.open(profile) as store:
        if not Indexer(store).outdated:
            return
        line = ProgressLine("analysing")
        try:
            with profile.writing("refresh", wait=0):
                Indexer(store).refresh(line.update)
        except ProfileBusy:
            notice(
                "Another command is writing, so the index is searched without updating it first."
            )
        finally:
            line.clear()
