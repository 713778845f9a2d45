"""What a command does to an old database before it reads from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localpers.cli.console import notice
from localpers.cli.progress import ProgressLine

if TYPE_CHECKING:
    from localpers.profile import Profile


def finish_forgetting(profile: Profile) -> None:
    """Finish a forget that was interrupted, before anything reads what it was to remove.

    Raises ProfileBusy where it is under way.
    """
    from localpers.forgotten import Forgetting

    if not Forgetting.path(profile).exists():
        return
    from localpers.privacy.forget import finish
    from localpers.store import Store

    notice("Forgetting was interrupted: finishing it first.")
    with profile.writing("forget"), profile.measuring("forget"), Store.open(profile) as store:
        finish(profile, store)


def refresh_index(profile: Profile) -> None:
    """Analyse the documents again where the index is of another version of the analysis.

    Where another command is writing just now, the old index serves once more.
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
            notice("The index is of an older version, and something is being written: used as is.")
        finally:
            line.clear()
