"""The prompt template: request and passages → Messages → text.

Training, evaluation and serving all build prompts here, because any difference degrades quality
silently. The model's chat template (Jinja, from the GGUF file) turns Messages into text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from localpers.datatypes import Message, RetrievedPassage
from localpers.errors import UnsupportedModel

PASSAGES = 3
"""Default number of retrieved passages in a prompt."""

SYSTEM = (
    "You write for the user, in the user's own voice, from the user's own notes. "
    "Cite the notes that you use by number, like [1]. "
    "If the notes do not hold the answer, say so."
)
SYSTEM_WITHOUT_NOTES = "You write for the user, in the user's own voice."

SCAFFOLD = (
    "<note>",
    "</note>",
    "My notes:",
    "Using my notes:",
    "### Request",
    "### Answer",
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
)
"""Parts of a prompt that must never appear in an answer."""

PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n\n"
    "{% elif message.role == 'user' %}### Request\n{{ message.content }}\n\n"
    "{% else %}### Answer\n{{ message.content }}{{ eos_token }}\n\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}### Answer\n{% endif %}"
)
"""For GGUF files without a chat template (see docs/how-it-works.md)."""


_PLAIN_TURN = re.compile(r"^###(?= (?:Request|Answer)\b)", re.MULTILINE)
_FENCE = re.compile(r"<(?=\s*/?\s*note\b)", re.IGNORECASE)


def passage_block(number: int, passage: RetrievedPassage) -> str:
    """A numbered note for the model, in a fence that the note's text cannot close.

    Text that imitates another note or the request remains part of the note (measured by
    benchmarks/redteam.py).
    """
    title = " ".join(passage.title.split())
    heading = f"[{number}] {title}" + (f" ({passage.date[:10]})" if passage.date else "")
    inside = _FENCE.sub("<\u200b", f"{heading}\n{passage.text.strip()}")
    return f"<note>\n{inside}\n</note>"


def build_messages(request: str, passages: Sequence[RetrievedPassage] = ()) -> tuple[Message, ...]:
    """Messages for a request; passages are numbered from 1."""
    if not passages:
        return (Message("system", SYSTEM_WITHOUT_NOTES), Message("user", request))
    notes = "\n\n".join(passage_block(n, passage) for n, passage in enumerate(passages, 1))
    return (
        Message("system", SYSTEM),
        Message("user", f"My notes:\n\n{notes}\n\nUsing my notes: {request}"),
    )


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """A model's chat template. `source` is Jinja; None means PLAIN_TEMPLATE.

    Templates come with downloaded files and are rendered in a bounded sandbox (template_sandbox).
    If a template does not support the system role, the system text is prepended to the first user
    message.
    """

    source: str | None
    bos_token: str = ""
    eos_token: str = ""

    def render(self, messages: Sequence[Message], add_generation_prompt: bool = True) -> str:
        """Raises UnsupportedModel if the template fails or exceeds the limits."""
        from jinja2 import TemplateError

        try:
            try:
                return self._render(messages, add_generation_prompt)
            except TemplateError:
                folded = _fold_system(messages)
                if folded == list(messages):
                    raise
                return self._render(folded, add_generation_prompt)
        except Exception as error:  # Template expressions can raise any exception.
            reason = " ".join(str(error).split())[:120] or type(error).__name__
            raise UnsupportedModel(
                f"The model's chat template fails ({reason}): use another version of the model."
            ) from error

    def _render(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        from localpers.template_sandbox import render

        return render(
            PLAIN_TEMPLATE if self.source is None else self.source,
            {
                "messages": [{"role": m.role, "content": self._content(m)} for m in messages],
                "add_generation_prompt": add_generation_prompt,
                "bos_token": self.bos_token,
                "eos_token": self.eos_token,
                "enable_thinking": False,
            },
        )

    def _content(self, message: Message) -> str:
        """The plain format marks turns with words, which are escaped in the text."""
        plain = self.source is None
        return _PLAIN_TURN.sub("###\u200b", message.content) if plain else message.content

    def completion(self, messages: Sequence[Message]) -> tuple[str, str]:
        """(prompt, completion) of a conversation whose last message is the assistant's.

        The completion includes what the template adds after an assistant's turn, so that the
        adapter learns where to stop. Raises ValueError if the template changes earlier turns.
        """
        prompt = self.render(messages[:-1], add_generation_prompt=True)
        whole = self.render(messages, add_generation_prompt=False)
        if not whole.startswith(prompt):
            answer = messages[-1].content
            at = whole.rfind(answer.strip())
            if at < 0:
                raise ValueError("the chat template changes the assistant's text")
            return prompt, whole[at:]
        return prompt, whole[len(prompt) :]


def _fold_system(messages: Sequence[Message]) -> list[Message]:
    if len(messages) < 2 or messages[0].role != "system":
        return list(messages)
    system, user, *rest = messages
    return [Message(user.role, f"{system.content}\n\n{user.content}"), *rest]
