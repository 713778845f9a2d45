"""A chat template is a stranger's program: it ends, stays small, and fails in one line."""

from __future__ import annotations

import resource

import pytest

from localpers.datatypes import Message
from localpers.errors import UnsupportedModel
from localpers.prompts import PLAIN_TEMPLATE, ChatTemplate
from tests.tiny_gguf import CHATML, GEMMA_TURNS

MESSAGES = (Message("system", "Be brief."), Message("user", "Hello"))
TWICE = "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}"
BOMBS = (
    "{% for i in range(10**9) %}x{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    TWICE,
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{{ 'x' * 10**10 }}",
    "{{ 10**10 * 'x' }}",
    "{{ [0] * 10**10 }}",
    "{{ 10 ** (10 ** 10) }}",
    "{{ '%099999999999d' % 1 }}",
    "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s + n.s %}{% endfor %}",
    "{% set s = 'x' * 9999999 %}{% for i in range(9999) %}{{ s }}{% endfor %}",
    "{{ ().__class__.__base__.__subclasses__() }}",
    "{{ messages.clear() }}",
    "{{ 1 / 0 }}",
    "{% if %}",
    "{{ messages[9].content.missing.more }}",
    "{% include '/etc/passwd' %}",
    "{{ raise_exception('two\nlines') }}",
    "x" * (2 << 20),
)


@pytest.mark.parametrize("source", BOMBS, ids=range(len(BOMBS)))
def test_a_hostile_template_is_one_line(source: str) -> None:
    with pytest.raises(UnsupportedModel, match="chat template fails") as caught:
        ChatTemplate(source).render(MESSAGES)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 250
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 3 << 20  # KiB


@pytest.mark.parametrize("source", [CHATML, GEMMA_TURNS, PLAIN_TEMPLATE])
def test_honest_templates_of_long_conversations_are_rendered(source: str) -> None:
    turns = [Message("user" if n % 2 else "assistant", f"turn {n}") for n in range(1, 5001)]
    rendered = ChatTemplate(source).render([Message("system", "Be brief."), *turns])
    assert "turn 1\n" in rendered or "turn 1<" in rendered
    assert "turn 5000" in rendered
