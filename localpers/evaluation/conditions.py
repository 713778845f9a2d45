"""Conditions: what a model is given and which model it is, by the names that reports use."""

from __future__ import annotations

from dataclasses import dataclass

from localpers.errors import LocalpersError
from localpers.retrieval import retrievers

RETRIEVERS = tuple(retrievers.RETRIEVERS)
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
