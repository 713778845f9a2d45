"""Make a folder of Markdown from text that every machine with localpers has.

The project's own docs and the descriptions of the installed packages, which their authors wrote in
Markdown or reStructuredText: real writing to try `make demo` on, without downloading any.
"""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

SUFFIXES = {"text/markdown": ".md", "text/x-rst": ".rst", "text/plain": ".txt"}
SHORTEST = 400
"""Characters; a shorter description is a sentence, not a document."""


def collect(folder: Path) -> int:
    """Write the documents below `folder`; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    root = Path(__file__).parents[2]
    for source in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        (folder / f"localpers-{source.name}").write_text(source.read_text())
        count += 1
    for distribution in importlib.metadata.distributions():
        metadata = distribution.metadata
        kind = (metadata["Description-Content-Type"] or "text/x-rst").split(";")[0].strip()
        body = str(metadata.get_payload() or metadata["Description"] or "")
        ours = metadata["Name"] == "localpers"
        if kind in SUFFIXES and len(body) >= SHORTEST and not ours:
            (folder / f"{metadata['Name']}{SUFFIXES[kind]}").write_text(body)
            count += 1
    return count


if __name__ == "__main__":
    sys.stdout.write(f"{collect(Path(sys.argv[1]))} documents in {sys.argv[1]}\n")
