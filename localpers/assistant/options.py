"""AnswerOptions: everything a caller can choose about an answer, and where defaults come from."""

from __future__ import annotations

from dataclasses import dataclass, replace

from localpers.datatypes import ServedModel
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
    contrast: how far tuned answers move away from the base, 0 to 2.
    temperature: 0 takes the likeliest token; `seed` makes sampling repeatable.
    abstain: answer nothing where no note is found.
    form: what to write, one of FORMS; None reads it from the request.
    quote: answer and draft from the notes' own words; off, the model writes freely.
    refuse: say so where the notes found do not answer.
    write: let the model add sentences of its own, as far as the notes support them; None leaves it
    to bases of at least WRITING_PARAMETERS, which can.
    """

    k: int | None = None
    retriever: str = "auto"
    reranker: str | None = None
    adapter: bool = True
    contrast: float = 0.0
    max_tokens: int = MAX_TOKENS
    temperature: float = 0.0
    seed: int | None = None
    abstain: bool = False
    form: str | None = None
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
    k = options.k if options.k is not None else served.passages or PASSAGES
    given = {name: getattr(options, name) for name in AnswerOptions.__dataclass_fields__}
    able = served.base.parameters >= WRITING_PARAMETERS
    write = able if options.write is None else options.write
    return ResolvedOptions(**(given | {"k": k, "write": write}))
