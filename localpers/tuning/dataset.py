"""Examples on disk: JSONL in the field's `messages` form, with where each came from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from localpers.datatypes import Example, Kind, Message
from localpers.errors import LocalpersError
from localpers.profile import write_atomically


def as_json(example: Example) -> dict[str, Any]:
    """One line of the file: `messages`, and the keys that say how the example was made."""
    return {
        "messages": [{"role": m.role, "content": m.content} for m in example.messages],
        "task": example.task,
        "kind": example.kind.value,
        "document": example.document,
        "content_hash": example.content_hash,
        "sources": list(example.sources),
    }


def write_jsonl(examples: Sequence[Example], path: Path) -> None:
    lines = (json.dumps(as_json(example), ensure_ascii=False) for example in examples)
    write_atomically(path, "".join(line + "\n" for line in lines))


def read_jsonl(path: Path) -> list[Example]:
    """The examples of a run. Raises LocalpersError where the file is missing or damaged."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line]
        return [
            Example(
                messages=tuple(Message(m["role"], m["content"]) for m in row["messages"]),
                task=row["task"],
                kind=Kind(row["kind"]),
                document=row["document"],
                content_hash=row["content_hash"],
                sources=tuple(row["sources"]),
            )
            for row in rows
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LocalpersError(
            f"{path} is missing or damaged: tune again without --resume."
        ) from error
