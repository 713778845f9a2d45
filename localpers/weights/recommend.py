"""Which larger base fits this machine."""

from __future__ import annotations

from collections.abc import Sequence

from localpers.weights.catalog import CatalogEntry, catalog

MEMORY_SHARE = 0.4
"""Of the machine's memory that a recommended base may need: people run other programs."""
LARGEST = 4_500_000_000
"""Parameters; a larger base is slow without a GPU."""


def larger_base(parameters: int, languages: Sequence[str] = ()) -> CatalogEntry | None:
    """The largest base in the catalog that fits the memory and speaks `languages` (ISO 639-1);
    None where none is larger than `parameters`.
    """
    import psutil

    room = psutil.virtual_memory().total * MEMORY_SHARE
    fitting = [
        entry
        for entry in catalog()
        if not entry.embeds
        and parameters < entry.parameters <= LARGEST
        and entry.ram_ask <= room
        and set(languages) <= set(entry.languages)
    ]
    return max(fitting, key=lambda entry: entry.parameters, default=None)
