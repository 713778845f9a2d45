"""Conditions: what a model is given and which model it is, by the names that reports use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from localpers.errors import LocalpersError
from localpers.retrieval.retriever import Method

RETRIEVERS = ("auto", "bm25", "recency", "dense", "hybrid")
"""Names that reports use; require_retrievers tells which of them work here."""
CONTROLS = ("mismatched", "random")
"""Another person's passages, and random own ones: what retrieval has to beat."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`passages` says where the prompt's passages come from: one of RETRIEVERS or CONTROLS, a form
    of the caller's own, or "" for none; `adapter` whether the tuned model answers.
    """

    passages: str = ""
    adapter: bool = False

    @property
    def name(self) -> str:
        """`base`, `rag`, `rag:recency`, `peft`, `rag+peft`, `rag+peft:mismatched`, …"""
        if not self.passages:
            return "peft" if self.adapter else "base"
        variant = "" if self.passages == "auto" else f":{self.passages}"
        return ("rag+peft" if self.adapter else "rag") + variant

    @classmethod
    def parse(cls, name: str, others: tuple[str, ...] = ()) -> Condition:
        """The condition called `name`; `others` are forms that the caller knows besides.

        Raises LocalpersError, which names those there are.
        """
        head, _, variant = name.strip().partition(":")
        known = (*RETRIEVERS, *CONTROLS, *others)
        if head in ("base", "peft") and not variant:
            return cls("", head == "peft")
        if head in ("rag", "rag+peft") and variant in ("", *known):
            return cls(variant or "auto", head == "rag+peft")
        raise LocalpersError(
            f"There is no condition '{name}': choose among base, rag, peft, rag+peft, "
            f"and rag or rag+peft with one of {', '.join(':' + form for form in known)}."
        )


def parse_conditions(names: str, others: tuple[str, ...] = ()) -> tuple[Condition, ...]:
    """The conditions in a list separated by commas, each once, in that order."""
    return tuple(dict.fromkeys(Condition.parse(name, others) for name in names.split(",")))


def require_retrievers(conditions: Iterable[Condition]) -> None:
    """Raise LocalpersError for a condition by a retriever that does not exist yet."""
    there = [method.value for method in Method]
    for condition in conditions:
        if condition.passages in RETRIEVERS and condition.passages not in there:
            raise LocalpersError(
                f"'{condition.name}' cannot be measured, as there is no retriever "
                f"'{condition.passages}' yet: choose among {', '.join(there)}."
            )
