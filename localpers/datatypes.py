"""The frozen dataclasses that cross rooms. Nothing here imports more than the standard library."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Kind(StrEnum):
    """What a Document is to its writer; decides which Examples are made of it."""

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
    """Someone else's words inside the Document: searched, never learned as the user's voice."""


@dataclass(frozen=True, slots=True)
class Block:
    """A structural unit of a Document: `text[start:end]`, in order, never overlapping.

    `level` is a heading's depth (1 is the top) and 0 for everything else.
    """

    kind: BlockKind
    start: int
    end: int
    level: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """One piece of writing. All offsets are character offsets into `text`.

    `part` tells the Documents of one file apart (a message in a mailbox, a post in an archive) and
    is stable when others are added; it is empty where a file is one Document.
    `date` is ISO 8601 (a date, or a date and time); None where the content tells none.
    `first_line` is the 1-based line of the file at which `text` begins, None where the lines of
    `text` are not lines of the file (PDF, DOCX, HTML, ...).
    `pages` holds the offset at which each page begins, for paged formats.
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
    """Who wrote a mail (the address) or a message; empty where that is not told, or is the user."""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A Document as the store keeps it, with the file that it came from."""

    id: int
    path: str
    part: str
    title: str
    kind: Kind
    date: str
    date_from: str
    """`metadata` or `file` (the modification time)."""
    language: str
    """ISO 639-1, or empty where unsure."""
    content_hash: str
    text: str
    blocks: tuple[Block, ...]
    author: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """An exact piece of a Document: `document.text[start:end]`; `heading` is the path to it."""

    start: int
    end: int
    heading: str = ""


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A Passage that answers a query. `line` and `page` are 1-based, None where there is none."""

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
        """`path:line`, `path#page=N` or the path alone: what an editor or viewer can open."""
        if self.line is not None:
            return f"{self.path}:{self.line}"
        return f"{self.path}#page={self.page}" if self.page is not None else self.path


@dataclass(frozen=True, slots=True)
class Message:
    role: str
    content: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A base or an encoder: one GGUF file, described by its own metadata (and by the catalog)."""

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
    """ISO 639-1; empty where nobody stated them."""
    embeds: bool = False
    """Gives vectors and writes no text."""
    query_prefix: str = ""
    passage_prefix: str = ""
    """What an embedding model was trained to see before queries and before passages."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The files that answer: a base alone, a merged model, or a base with an adapter.

    `run` is the tuning run that made the model or the adapter, None for a bare base; `passages` the
    number of them that its verdict chose for prompts, 0 where nothing was chosen. With
    `base_reads_prompt` the adapter was trained to work on answers alone.
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
    """A training pair in the field's `messages` form: the last message is the completion.

    `document` is the stored Document's id and `content_hash` what was learned from (provenance);
    `task` names how it was made.
    """

    messages: tuple[Message, ...]
    task: str
    kind: Kind
    document: int
    content_hash: str
    sources: tuple[str, ...] = field(default=())
    """Content hashes of Documents whose Passages stand in the prompt."""


@dataclass(frozen=True, slots=True)
class TokenizedExample:
    """Token ids of prompt and completion, exactly as serving will see them."""

    prompt: tuple[int, ...]
    completion: tuple[int, ...]

    @property
    def length(self) -> int:
        """Tokens of both."""
        return len(self.prompt) + len(self.completion)


class Reporter(Protocol):
    """Where long work tells what it is doing. Nothing depends on what becomes of it."""

    def stage(self, name: str) -> None:
        """A new part of the work begins."""

    def progress(self, done: int, total: int, detail: str, left: float | None) -> None:
        """`done` of `total` units of the part are finished; `left` is in seconds, if known."""

    def warn(self, line: str) -> None:
        """Something that the user should know, and that stops nothing."""
