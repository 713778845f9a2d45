"""A conversation as prompt tokens, with earlier turns exactly as the model saw them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from localpers.datatypes import Message, RetrievedPassage
from localpers.errors import LocalpersError
from localpers.prompts import build_messages
from localpers.weights.tokenizer import Tokenizer

LEAST_TOKENS = 32
"""Room that a request must leave for its answer."""
REMEMBERED_TURNS = 64


class Conversation:
    """Builds prompts and remembers with which passages each turn was shown, so that the tokens of
    earlier turns, and with them the KV cache, stay the same.
    """

    def __init__(self) -> None:
        self._shown: OrderedDict[tuple[Message, ...], Message] = OrderedDict()

    def fit(
        self,
        tokenizer: Tokenizer,
        messages: Sequence[Message],
        passages: Sequence[RetrievedPassage],
        n_ctx: int,
        max_tokens: int,
    ) -> tuple[list[int], Sequence[RetrievedPassage]]:
        """(prompt tokens, the passages in it): as many of the first passages as fit beside
        `max_tokens` of answer, or a quarter of the window where that is less. Where none fits, the
        oldest turns go.

        Raises LocalpersError where the request alone leaves less than LEAST_TOKENS.
        """
        room = n_ctx - min(max_tokens, n_ctx // 4)
        for count in range(len(passages), 0, -1):
            ids = tokenizer.prompt_ids(self._prompt(messages, passages[:count]))
            if len(ids) <= room:
                self._remember(messages, passages[:count])
                return ids, passages[:count]
        for start in range(0, len(messages), 2):
            ids = tokenizer.prompt_ids(self._prompt(messages[start:], ()))
            if len(ids) + min(max_tokens, LEAST_TOKENS) <= n_ctx:
                return ids, ()
        raise LocalpersError(
            f"The question has {len(ids):,} tokens and the model reads {n_ctx:,} with its "
            "answer: shorten it, or choose a base with a longer context (localpers models list)."
        )

    def _prompt(
        self, messages: Sequence[Message], passages: Sequence[RetrievedPassage]
    ) -> list[Message]:
        system, request = build_messages(messages[-1].content, passages)
        earlier = [
            self._shown.get(tuple(messages[: at + 1]), message)
            for at, message in enumerate(messages[:-1])
        ]
        return [system, *earlier, request]

    def _remember(self, messages: Sequence[Message], passages: Sequence[RetrievedPassage]) -> None:
        *_, request = build_messages(messages[-1].content, passages)
        self._shown[tuple(messages)] = request
        while len(self._shown) > REMEMBERED_TURNS:
            self._shown.popitem(last=False)
