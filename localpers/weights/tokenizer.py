"""A model's own tokenizer and chat template, run by llama.cpp without loading the weights.

Training and serving both take their token ids from here.
"""

from __future__ import annotations

import ctypes
import re
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from localpers.datatypes import Message, TokenizedExample
from localpers.errors import UnsupportedModel
from localpers.prompts import ChatTemplate
from localpers.weights.gguf_file import read_header
from localpers.weights.native import llama_cpp, open_model

_SPECIAL_TOKEN = re.compile(r"<[^<>\s]{1,40}>|\[/?[A-Za-z_]{2,20}\]")
_NONE = -1
"""`LLAMA_TOKEN_NULL`: the vocabulary has no such token."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A vocabulary loaded by llama.cpp."""

    model: Any
    handle: Any

    def close(self) -> None:
        llama_cpp().llama_model_free(self.model)


def open_vocabulary(path: Path) -> Vocabulary:
    """The vocabulary in the GGUF file at `path`; the caller closes it. Raises UnsupportedModel."""
    model = open_model(path, gpu_layers=0, vocab_only=True)
    return Vocabulary(model, llama_cpp().llama_model_get_vocab(model))


class Tokenizer:
    """Token ids of one GGUF model. Open it with `Tokenizer.open(path)`."""

    def __init__(self, vocab: Any, template: str | None) -> None:
        self._vocab = vocab
        self._escaped: dict[str, str] = {}
        library = llama_cpp()
        self.size: int = library.llama_vocab_n_tokens(vocab)
        self._bos = int(library.llama_vocab_bos(vocab))
        self._adds_bos = bool(library.llama_vocab_get_add_bos(vocab)) and self._bos != _NONE
        ends = (int(library.llama_vocab_eos(vocab)), int(library.llama_vocab_eot(vocab)))
        self.eos: int = next((token for token in ends if token != _NONE), _NONE)
        if self.eos == _NONE:
            raise UnsupportedModel(
                "The model has no end-of-sequence token: get a version of it that has one."
            )
        self.chat = ChatTemplate(template, self._text(self._bos), self._text(self.eos))

    @classmethod
    def open(cls, path: Path) -> Tokenizer:
        """The tokenizer in the GGUF file at `path`.

        Raises ModelNotFound and UnsupportedModel.
        """
        template = read_header(path).values.get("tokenizer.chat_template")
        usable = template if isinstance(template, str) and template.strip() else None
        vocabulary = open_vocabulary(path)
        tokenizer = cls(vocabulary.handle, usable)
        weakref.finalize(tokenizer, vocabulary.close)
        return tokenizer

    def encode(self, text: str, special: bool = False, bos: bool = False) -> list[int]:
        """The tokens of `text`.

        With `special`, names of special tokens in it become those tokens. With `bos`, exactly one
        beginning-of-sequence token is added if the model uses one and `text` does not name it.
        """
        data = text.encode("utf-8", "surrogatepass")
        buffer = (ctypes.c_int32 * (len(data) + 2))()
        count = llama_cpp().llama_tokenize(
            self._vocab, data, len(data), buffer, len(buffer), False, special
        )
        if count < 0:
            buffer = (ctypes.c_int32 * -count)()
            count = llama_cpp().llama_tokenize(
                self._vocab, data, len(data), buffer, len(buffer), False, special
            )
        tokens = list(buffer[:count])
        if bos and self._adds_bos and tokens[:1] != [self._bos]:
            return [self._bos, *tokens]
        return tokens

    def decode(self, tokens: Sequence[int], special: bool = False) -> str:
        """The text of `tokens`; with `special`, special tokens appear by name."""
        ids = (ctypes.c_int32 * len(tokens))(*tokens)
        size = 16 * len(tokens) + 16
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = llama_cpp().llama_detokenize(
                self._vocab, ids, len(tokens), buffer, size, False, special
            )
            if count >= 0:
                return buffer.raw[:count].decode("utf-8", "replace")
            size = -count

    @cached_property
    def end_of_generation(self) -> frozenset[int]:
        """Every token at which llama.cpp stops."""
        is_end = llama_cpp().llama_vocab_is_eog
        return frozenset(token for token in range(self.size) if is_end(self._vocab, token))

    def prompt_ids(self, messages: Sequence[Message], begun: str = "") -> list[int]:
        """The tokens of a prompt, followed by `begun`, the given start of the answer."""
        prompt = self.chat.render(self._escape_special(messages)) + begun
        return self.encode(prompt, special=True, bos=True)

    def example_ids(self, messages: Sequence[Message], begun: str = "") -> TokenizedExample:
        """The tokens of a training pair: prompt_ids of all but the last message, and the last
        message without `begun`, up to its first end-of-generation token (or EOS).
        """
        prompt, completion = self.chat.completion(self._escape_special(messages))
        prompt, completion = prompt + begun, completion.removeprefix(begun)
        prompt_ids = self.encode(prompt, special=True, bos=True)
        # Some vocabularies put a space before a text's first word, so the whole is encoded. Where a
        # token would span the boundary, it is split there as in serving.
        whole = self.encode(prompt + completion, special=True, bos=True)
        ids = (
            whole[len(prompt_ids) :]
            if whole[: len(prompt_ids)] == prompt_ids
            else self.encode(completion, special=True)
        )
        end = next((at for at, token in enumerate(ids) if token in self.end_of_generation), None)
        completed = [*ids, self.eos] if end is None else ids[: end + 1]
        return TokenizedExample(tuple(prompt_ids), tuple(completed))

    def _escape_special(self, messages: Sequence[Message]) -> list[Message]:
        """The messages with a zero-width space in each special token's name.

        A note that contains `<|im_end|>` must not end the turn.
        """
        return [
            Message(m.role, _SPECIAL_TOKEN.sub(lambda found: self._escape(found[0]), m.content))
            for m in messages
        ]

    def _escape(self, name: str) -> str:
        if name not in self._escaped:
            special = self.encode(name, special=True) != self.encode(name)
            self._escaped[name] = f"{name[0]}\u200b{name[1:]}" if special else name
        return self._escaped[name]

    def _text(self, token: int) -> str:
        if token == _NONE:
            return ""
        return bytes(llama_cpp().llama_vocab_get_text(self._vocab, token)).decode("utf-8")
