"""Frozen dataclasses shared by several packages. Imports only the standard library."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Kind(StrEnum):
    """Kind of a Document, which decides which Examples are made from it."""

    NOTE = "note"
    ARTICLE = "article"
    EMAIL = "email"
    MESSAGE = "message"
    POST = "post"


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    CODE = "code"
    TABLE = "table"
    QUOTE = "quote"
    """Text by someone else: searched, but never learned."""


@dataclass(frozen=True, slots=True)
class Block:
    """A structural unit of a Document: `text[start:end]`, in order, without overlaps.

    `level` is the depth of a heading (1 is the top), otherwise 0.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """One piece of writing. All offsets are character offsets into `text`.

    `part` identifies a Document within its file (a message in a mailbox, a post in an archive) and
    does not change when others are added; it is empty if the file is one Document.
    `date` is ISO 8601 (a date, or a date and time), None if the content has none.
    `first_line` is the 1-based line of the file at which `text` begins, None if lines of `text` are
    not lines of the file (PDF, DOCX, HTML, ...).
    `pages` are the offsets at which pages begin, for paged formats.
    """

    text: str
    title: str
    kind: Kind
    blocks: tuple[Block, ...]
    date: str | None = None
    tags: tuple[str, ...] = ()
    part: str = ""
    first_line: int | None = 1
    pages: tuple[int, ...] = ()
    author: str = ""
    """Author of a mail (the address) or message; empty if unknown or the user."""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A Document in the store, with the file it comes from."""

    id: int
    path: str
    part: str
    title: str
    kind: Kind
    date: str
    date_from: str
    """`metadata` or `file` (the modification time)."""
    language: str
    """ISO 639-1, empty if uncertain."""
    content_hash: str
    text: str
    blocks: tuple[Block, ...]
    author: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """An exact part of a Document: `document.text[start:end]`; `heading` is its heading path."""

    start: int
    end: int
    heading: str = ""


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A Passage found by a query. `line` and `page` are 1-based or None."""

    rank: int
    score: float
    document: int
    path: str
    title: str
    date: str
    start: int
    end: int
    text: str
    line: int | None = None
    page: int | None = None

    @property
    def location(self) -> str:
        """`path:line`, `path#page=N` or the path, for editors and viewers."""
        if self.line is not None:
            return f"{self.path}:{self.line}"
        return f"{self.path}#page={self.page}" if self.page is not None else self.path


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A base model or encoder: one GGUF file, with its metadata and catalog entry."""

    name: str
    path: Path
    architecture: str
    quantization: str
    parameters: int
    bytes: int
    sha256: str
    context_length: int
    chat_template: str | None
    installed: bool = True
    licence: str = ""
    languages: tuple[str, ...] = ()
    """ISO 639-1; empty if unknown."""
    embeds: bool = False
    """An embedding model, which generates no text."""
    query_prefix: str = ""
    passage_prefix: str = ""
    """Prefixes of queries and passages that an embedding model was trained with."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model to serve: a base alone, a merged model, or a base with an adapter.

    `run` is the tuning run of the model or adapter, None for a bare base; `passages` the number of
    passages in prompts that its verdict chose, 0 without a choice. With `base_reads_prompt` the
    adapter applies to answers only; the base processes the prompt.
    """

    base: ModelInfo
    model: Path
    adapter: Path | None = None
    adapter_scale: float = 1.0
    run: str | None = None
    passages: int = 0
    base_reads_prompt: bool = False


@dataclass(frozen=True, slots=True)
class Example:
    """A training example as chat messages; the last message is the completion.

    `document` and `content_hash` identify the stored Document (provenance), `task` the method that
    made the example.
    """

    messages: tuple[Message, ...]
    task: str
    kind: Kind
    document: int
    content_hash: str
    sources: tuple[str, ...] = field(default=())
    """Content hashes of Documents with Passages in the prompt."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What the person made (`wanted`) of a text (`given`). `wanted` is empty where the text itself
    is theirs; `date` sorts as text and is empty where unknown.
    """

    given: str
    wanted: str
    date: str = ""

    @property
    def text(self) -> str:
        """Both, for retrieval."""
        return f"{self.wanted} {self.given}".strip()


@dataclass(frozen=True, slots=True)
class TokenizedExample:
    """Token ids of prompt and completion, identical to those in serving."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    @property
    def length(self) -> int:
        """Total number of tokens."""
        return len(self.prompt) + len(self.completion)


class Reporter(Protocol):
    """Receives the progress of long operations, which never depend on it."""

    def stage(self, name: str) -> None:
        """A new stage begins."""

    def progress(self, done: int, total: int, detail: str, left: float | None) -> None:
        """`done` of `total` units of the stage are finished; `left` is in seconds, if known."""

    def warn(self, line: str) -> None:
        """Something the user should know that does not stop the work."""
