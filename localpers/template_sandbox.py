"""Chat templates come with downloaded files: they run in Jinja's sandbox, a bounded while.

The sandbox keeps a template from the machine; it does not keep it from looping for ever or from
growing without end. Here every round of a loop and every call of a macro is counted, and products,
powers and sums are checked before they are computed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

MOST_STEPS = 100_000
"""Rounds of loops and calls of macros in one rendering. Real templates take a few a message."""
MOST_CHARACTERS = 16 << 20
"""Of what a template writes, and of any one value that it computes."""
LONGEST_SOURCE = 1 << 20
_MOST_BITS = 1 << 16
_TICK = "localpers_tick"


class TemplateTooLarge(Exception):
    """A template takes too many steps or makes too much; no TemplateError, so nothing retries."""


class _Bounded(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        template = super()._parse(source, name, filename)
        looping: list[Any] = list(template.find_all((nodes.For, nodes.Macro, nodes.CallBlock)))
        for node in looping:
            name_of_tick = nodes.Name(_TICK, "load", lineno=node.lineno)
            call = nodes.Call(name_of_tick, [], [], None, None, lineno=node.lineno)
            node.body.insert(0, nodes.ExprStmt(call, lineno=node.lineno))
        return template

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        if _size_of(operator, left, right) > MOST_CHARACTERS:
            raise TemplateTooLarge("it computes something enormous")
        return super().call_binop(context, operator, left, right)


class _Steps(threading.local):
    taken = 0

    def take(self) -> None:
        self.taken += 1
        if self.taken > MOST_STEPS:
            raise TemplateTooLarge("it does not come to an end")


_steps = _Steps()


def render(source: str, values: dict[str, Any]) -> str:
    """The text that the template makes of `values`.

    Raises TemplateTooLarge, TemplateError, and what the template's own mistakes lead to.
    """
    if len(source) > LONGEST_SOURCE:
        raise TemplateTooLarge("it is longer than a book")
    template = _compiled(source)
    _steps.taken = 0
    return "".join(_bounded(template.generate(values)))


def _bounded(pieces: Iterator[str]) -> Iterator[str]:
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MOST_CHARACTERS:
            raise TemplateTooLarge("it writes without end")
        yield piece


def _size_of(operator: str, left: Any, right: Any) -> int:
    """About how long the result is: items of a text or a list, digits of a number."""
    if operator == "*":
        for items, times in ((left, right), (right, left)):
            if isinstance(items, str | list | tuple) and isinstance(times, int):
                return len(items) * max(times, 0)
    if operator == "+" and isinstance(left, str | list | tuple):
        return len(left) + (len(right) if isinstance(right, str | list | tuple) else 0)
    if operator == "**" and isinstance(left, int) and isinstance(right, int):
        return MOST_CHARACTERS + 1 if left.bit_length() * right > _MOST_BITS else 0
    if operator == "%" and isinstance(left, str):
        return MOST_CHARACTERS + 1 if any(len(run) > 4 for run in _digits(left)) else 0
    return 0


def _digits(text: str) -> list[str]:
    return "".join(c if c.isdigit() else " " for c in text).split()


@lru_cache(maxsize=8)
def _compiled(source: str) -> Any:
    def raise_exception(message: str) -> NoReturn:
        raise TemplateError(message)

    def strftime_now(pattern: str) -> str:
        return datetime.now().strftime(pattern)

    environment = _Bounded(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.globals |= {
        "raise_exception": raise_exception,
        "strftime_now": strftime_now,
        _TICK: _steps.take,
    }
    return environment.from_string(source)
