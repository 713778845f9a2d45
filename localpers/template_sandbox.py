"""Render chat templates of downloaded files in Jinja's sandbox, with bounded time and memory.

Jinja's sandbox does not limit loops or sizes. Here loop iterations and macro calls are counted, and
the size of products, powers, sums and formatted texts is checked before they are computed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, NoReturn

from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

MAX_STEPS = 100_000
"""Loop iterations and macro calls per rendering. Real templates take a few per message."""
MAX_CHARACTERS = 16 << 20
"""Characters of the output, and of any computed value."""
MAX_SOURCE = 1 << 20
_MAX_BITS = 1 << 16
_TICK = "localpers_tick"


class TemplateTooLarge(Exception):
    """A template exceeds a limit; not a TemplateError, so that rendering is not retried."""


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
        if _size_of(operator, left, right) > MAX_CHARACTERS:
            raise TemplateTooLarge("it computes too large a value")
        return super().call_binop(context, operator, left, right)


class _Steps(threading.local):
    taken = 0

    def take(self) -> None:
        self.taken += 1
        if self.taken > MAX_STEPS:
            raise TemplateTooLarge("it loops too long")


_steps = _Steps()


def render(source: str, values: dict[str, Any]) -> str:
    """Render the template `source` with `values`.

    Raises TemplateTooLarge, TemplateError, and any exception of the template's own expressions.
    """
    if len(source) > MAX_SOURCE:
        raise TemplateTooLarge("it is too long")
    template = _compiled(source)
    _steps.taken = 0
    return "".join(_bounded(template.generate(values)))


def _bounded(pieces: Iterator[str]) -> Iterator[str]:
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_CHARACTERS:
            raise TemplateTooLarge("its output is too long")
        yield piece


def _size_of(operator: str, left: Any, right: Any) -> int:
    """Approximate size of the result in characters, items or digits."""
    if operator == "*":
        for items, times in ((left, right), (right, left)):
            if isinstance(items, str | list | tuple) and isinstance(times, int):
                return len(items) * max(times, 0)
    if operator == "+" and isinstance(left, str | list | tuple):
        return len(left) + (len(right) if isinstance(right, str | list | tuple) else 0)
    if operator == "**" and isinstance(left, int) and isinstance(right, int):
        return MAX_CHARACTERS + 1 if left.bit_length() * right > _MAX_BITS else 0
    if operator == "%" and isinstance(left, str):
        return MAX_CHARACTERS + 1 if any(len(run) > 4 for run in _digits(left)) else 0
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
