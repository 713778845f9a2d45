"""Conditions: how a request is answered, by the names that commands and reports use."""

from __future__ import annotations

from dataclasses import dataclass, replace

from localpers.assistant.options import AnswerOptions
from localpers.errors import LocalpersError
from localpers.retrieval import retrievers

RETRIEVERS = tuple(retrievers.RETRIEVERS)
CONTROLS = ("mismatched", "random")
"""Another person's passages and random passages of the person: what retrieval has to beat."""
RERANKERS = ("likelihood",)


@dataclass(frozen=True, slots=True)
class Condition:
    """`retriever` is one of RETRIEVERS or CONTROLS, a caller's own, or "" for no passages;
    `adapter` selects the tuned model, of `run` if given. `k` None is the model's default.
    """

    retriever: str = ""
    adapter: bool = False
    reranker: str | None = None
    k: int | None = None
    contrast: float = 0.0
    run: str | None = None

    @property
    def name(self) -> str:
        """`base`, `peft`, `rag:recency`, `rag+peft:dense,k=1,contrast=0.5`, …"""
        head = "rag" if self.retriever else "" if self.adapter else "base"
        head += ("+peft" if head else "peft") if self.adapter else ""
        settings = {
            "reranker": self.reranker,
            "k": self.k,
            "contrast": self.contrast or None,
            "run": self.run,
        }
        parts = [self.retriever] if self.retriever not in ("", "auto") else []
        parts += [f"{key}={value}" for key, value in settings.items() if value is not None]
        return head + (":" + ",".join(parts) if parts else "")

    @classmethod
    def parse(cls, name: str, others: tuple[str, ...] = ()) -> Condition:
        """The condition called `name`; `others` are further retrievers that the caller has.

        Raises LocalpersError for an unknown name, listing the known ones.
        """
        head, _, rest = name.strip().partition(":")
        known = (*RETRIEVERS, *CONTROLS, *others)
        parts = rest.split(",") if rest else []
        retriever = parts.pop(0) if parts and "=" not in parts[0] else ""
        rag, adapter = head in ("rag", "rag+peft"), head in ("peft", "rag+peft")
        if (head != "base" and not rag and not adapter) or retriever not in (
            ("", *known) if rag else ("",)
        ):
            raise LocalpersError(
                f"There is no condition '{name}': choose base, rag, peft or rag+peft, where rag "
                f"may be followed by one of {', '.join(':' + one for one in known)}."
            )
        condition = cls((retriever or "auto") if rag else "", adapter)
        for part in parts:
            condition = _with(condition, part, name)
        return condition

    def options(self) -> AnswerOptions:
        """What to ask an assistant for under this condition."""
        return AnswerOptions(
            k=self.k if self.retriever else 0,
            retriever=self.retriever or "auto",
            reranker=self.reranker,
            adapter=self.adapter,
            contrast=self.contrast,
        )


def parse_conditions(names: str, others: tuple[str, ...] = ()) -> tuple[Condition, ...]:
    """The conditions in a list separated by commas, each once, in order. A part with "=" belongs to
    the condition before it: `base,rag+peft:k=1,contrast=0.5`.
    """
    listed: list[str] = []
    for part in names.split(","):
        key, equals, _ = part.partition("=")
        if equals and listed and ":" not in key:
            listed[-1] += "," + part
        else:
            listed.append(part)
    return tuple(dict.fromkeys(Condition.parse(name, others) for name in listed))


def _with(condition: Condition, setting: str, name: str) -> Condition:
    """`condition` with one more `key=value`. Raises LocalpersError where it does not apply."""
    key, _, value = setting.partition("=")
    try:
        if key == "k" and condition.retriever and int(value) > 0:
            return replace(condition, k=int(value))
        if key == "reranker" and condition.retriever and value in RERANKERS:
            return replace(condition, reranker=value)
        if key == "contrast" and condition.adapter and 0 < float(value) <= 2:
            return replace(condition, contrast=float(value))
        if key == "run" and condition.adapter and value:
            return replace(condition, run=value)
    except ValueError:
        pass
    raise LocalpersError(
        f"'{setting}' does not fit the condition '{name}': with rag, k=N and "
        f"reranker={'|'.join(RERANKERS)}; with peft, contrast=0 to 2 and run=ID."
    )
