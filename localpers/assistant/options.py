"""AnswerOptions: everything a caller can choose about an answer, and where defaults come from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from localpers.assistant.drafts import CONTRAST, DRAFTS
from localpers.assistant.fewshot import EXAMPLES
from localpers.assistant.forms import Form
from localpers.datatypes import Pair, ServedModel
from localpers.errors import LocalpersError
from localpers.prompts import PASSAGES

MAX_TOKENS = 512
WRITING_PARAMETERS = 1_000_000_000
"""A smaller base restates notes wrongly more often than not (docs/decisions/quote-first.md)."""
SWITCHES = ("quote", "refuse")


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """`None` means the default, which `resolve` fills in.

    k: passages in the prompt; 0 answers without notes.
    retriever, reranker: names in the registries of `localpers.retrieval`.
    adapter: whether the tuned model answers; off, its base does.
    contrast: how far tuned answers move away from the base, 0 to 2; None is 0, and CONTRAST for a
    Form that a base with an adapter writes.
    temperature: 0 takes the likeliest token; `seed` makes sampling repeatable.
    abstain: answer nothing where no note is found.
    form: what to write, by name; None reads it from the request. A Form is written after few-shot
    examples, and so is a form by name where the request brings a text to work on.
    examples: the person's own pairs for a Form, best first; None finds k of them in the notes.
    drafts: the most that are written of a Form, of which one is kept.
    quote: answer and draft from the notes' own words; off, the model writes freely.
    refuse: say so where the notes found do not answer.
    write: let the model add sentences of its own, as far as the notes support them; None leaves it
    to bases of at least WRITING_PARAMETERS, which can.
    """

    k: int | None = None
    retriever: str = "auto"
    reranker: str | None = None
    adapter: bool = True
    contrast: float | None = None
    max_tokens: int = MAX_TOKENS
    temperature: float = 0.0
    seed: int | None = None
    abstain: bool = False
    form: str | Form | None = None
    examples: tuple[Pair, ...] | None = None
    drafts: int = DRAFTS
    quote: bool = True
    refuse: bool = True
    write: bool | None = None

    def without(self, parts: str) -> AnswerOptions:
        """These options with parts switched off: "quote" or "refuse", separated by commas.

        Raises LocalpersError for another name.
        """
        names = [name.strip() for name in parts.split(",") if name.strip()]
        for name in names:
            if name not in SWITCHES:
                raise LocalpersError(
                    f"'{name}' cannot be switched off: choose among {', '.join(SWITCHES)}."
                )
        return replace(
            self,
            quote=self.quote and "quote" not in names,
            refuse=self.refuse and "refuse" not in names,
        )


@dataclass(frozen=True, slots=True)
class ResolvedOptions(AnswerOptions):
    """Options with every default filled in."""

    k: int = PASSAGES
    contrast: float = 0.0
    write: bool = False


def resolve(options: AnswerOptions, served: ServedModel) -> ResolvedOptions:
    """The one place where defaults come from: what the model's verdict chose, else constants.

    Raises LocalpersError for combinations that cannot work.
    """
    if options.contrast and not (options.adapter and served.adapter):
        raise LocalpersError(
            "--contrast compares a tuned model with its base, and no adapter is loaded: "
            "run 'localpers tune', name a run with --run, or drop --contrast."
        )
    if options.abstain and options.k == 0:
        raise LocalpersError("--abstain needs notes: drop --no-rag.")
    few_shot = isinstance(options.form, Form)
    k, contrast = options.k, options.contrast
    if k is None:
        k = EXAMPLES if few_shot else served.passages or PASSAGES
    if contrast is None:
        contrast = CONTRAST if few_shot and options.adapter and served.adapter else 0.0
    given = {name: getattr(options, name) for name in AnswerOptions.__dataclass_fields__}
    able = served.base.parameters >= WRITING_PARAMETERS
    write = able if options.write is None else options.write
    return ResolvedOptions(**(given | {"k": k, "contrast": contrast, "write": write}))
