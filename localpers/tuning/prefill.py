"""Prefill: prompts read without gradients, so that answers and little else cost a backward pass.

What an answer attends to in its prompt is a given there, as the segment before is in Transformer-XL
(Dai et al., 2019, https://arxiv.org/abs/1901.02860). Prompts are the longer part of most examples,
and a forward pass alone takes half of the time and no memory.

Either the adapter reads them (AdapterPrefill) or the base alone (BasePrefill), for methods whose
adapter works on answers only: then they stay the same, and are read once. For an adapter that works
on both, the base's reading of prompts that come again is close enough (MixedPrefill;
docs/training-speed.md has the losses), but for their last tokens, which get gradients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from localpers.datatypes import TokenizedExample
from localpers.errors import UnsupportedModel
from localpers.tuning.device import import_torch
from localpers.tuning.loss import completion_targets
from localpers.tuning.methods import METHODS
from localpers.tuning.prompt_store import KeysValues, PromptStore, longest_of
from localpers.tuning.recipe import Recipe

Prompt = tuple[int, ...]
PROMPT_GRADIENT_TOKENS = 32
"""Tokens at a prompt's end that get gradients: the question, in most prompts. They gain most of
what gradients through the whole prompt do, at a tenth of the cost (docs/training-speed.md).
"""
TOLERANCE = 0.2
"""Of what a prompt changes in the logits of its answer, where it was read before (measured: 1e-5 in
float32, 0.03 to 0.1 in bfloat16).
"""


class AdapterPrefill:
    """A model's answers to prompts that it reads without gradients, as it is: anew in every pass,
    all of a group at once, which suits a GPU.

    The end of a prompt belongs to the answer, one token at least: the last one's output is the
    first that is learned.
    """

    anew = True
    """Whether what is read is read in every pass."""

    def __init__(self, model: Any, device: str, end: int = 1) -> None:
        """`end` is the number of such tokens."""
        self._torch = import_torch()
        self._model = model
        self._device = device
        self._end = end

    def learned(self, example: TokenizedExample) -> int:
        """Tokens that are computed with gradients; the others are only read."""
        return min(self._end, len(example.prompt)) + len(example.completion)

    def width(self, example: TokenizedExample) -> int:
        """Tokens that are computed together with those of other examples."""
        return example.length

    def expect(self, coming: Iterable[TokenizedExample]) -> None:
        """Told what is to be answered, repeats included."""

    def keep(self, group: Sequence[TokenizedExample]) -> None:
        """Read the group's prompts that were not read yet, if what is read can be kept."""

    def read_again(self, group: Sequence[TokenizedExample]) -> None:
        """Read the group's prompts, whatever is kept already."""
        if given := [self._given(example) for example in group if self._given(example)]:
            self._compute(given)

    def forget(self) -> None:
        """Let go of what is kept; it is computed again on demand."""

    def _read(self, prompts: Sequence[Prompt]) -> list[KeysValues]:
        """What stands in the cache after each prompt, none of them empty, on any device."""
        return self._compute(prompts)

    def _given(self, example: TokenizedExample) -> Prompt:
        """What of its prompt is read before."""
        return example.prompt[: -self._end]

    def answers(self, group: Sequence[TokenizedExample]) -> tuple[Any, Any]:
        """Logits (len(group), positions, vocabulary) and targets (len(group), positions), from the
        first position of a completion on.

        Rows are padded at the end; what was read is aligned at its ends.
        """
        torch = self._torch
        given = [self._given(example) for example in group]
        lengths = list(map(len, given))
        targets, skipped = completion_targets(group, lengths)
        width, longest = max(lengths), skipped + targets.shape[1]
        ids = torch.zeros((len(group), longest), dtype=torch.long)
        mask = torch.ones((len(group), width + longest), dtype=torch.long)
        positions = torch.zeros((len(group), longest), dtype=torch.long)
        for row, (example, length) in enumerate(zip(group, lengths, strict=True)):
            tokens = torch.tensor([*example.prompt[length:], *example.completion[:-1]])
            ids[row, : len(tokens)] = tokens
            mask[row, : width - length] = 0
            positions[row] = torch.arange(length, length + longest)
        logits = self._model(
            input_ids=ids.to(self._device),
            attention_mask=mask.to(self._device),
            position_ids=positions.to(self._device),
            past_key_values=self._cache(given),
            use_cache=True,
            logits_to_keep=targets.shape[1],
        ).logits
        return logits, targets

    def _cache(self, prompts: Sequence[Prompt]) -> Any:
        """One cache of all prompts, zeros before the beginnings of the shorter ones."""
        from transformers import DynamicCache

        cache = DynamicCache()
        rows = [row for row, prompt in enumerate(prompts) if prompt]
        if not rows:
            return cache
        read = self._read([prompts[row] for row in rows])
        width = max(map(len, prompts))
        for layer in range(len(read[0])):
            both = []
            for part in (0, 1):
                first = read[0][layer][part]
                together = first.new_zeros(len(prompts), first.shape[1], width, first.shape[3])
                for row, prompt in zip(rows, read, strict=True):
                    found = prompt[layer][part][0]
                    together[row, :, width - found.shape[1] :] = found
                both.append(together.to(self._device))
            cache.update(both[0], both[1], layer)
        return cache

    def _compute(self, prompts: Sequence[Prompt]) -> list[KeysValues]:
        """As the model is now, on its device; all at once, the shorter ones padded at their ends,
        where causal attention never looks.
        """
        torch = self._torch
        width = max(map(len, prompts))
        ids = torch.tensor([[*prompt, *[0] * (width - len(prompt))] for prompt in prompts])
        with torch.no_grad():
            # Not the whole model: logits of one word cost as much as 40 words of a small one.
            decoder = self._model.get_base_model().get_decoder()
            cache = decoder(input_ids=ids.to(self._device), use_cache=True).past_key_values
        # A layer with a sliding window keeps the end of what it was given, padding included.
        if len(prompts) > 1 and any(layer.keys.shape[2] < width for layer in cache.layers):
            return [read for prompt in prompts for read in self._compute([prompt])]
        return [
            [
                (
                    layer.keys[row : row + 1, :, : len(prompt)],
                    layer.values[row : row + 1, :, : len(prompt)],
                )
                for layer in cache.layers
            ]
            for row, prompt in enumerate(prompts)
        ]


class BasePrefill(AdapterPrefill):
    """Read by the base alone, and kept. What others have read into `store`, which must be of the
    same base, is not read again.
    """

    anew = False

    def __init__(
        self,
        model: Any,
        device: str,
        store: PromptStore,
        examples: Sequence[TokenizedExample] = (),
        end: int = 1,
    ) -> None:
        """`examples` are those to come: prompts that begin another one's are read with it."""
        super().__init__(model, device, end)
        self._store = store
        self._longest = longest_of(self._given(example) for example in examples)

    def width(self, example: TokenizedExample) -> int:
        return self.learned(example)

    def keep(self, group: Sequence[TokenizedExample]) -> None:
        for example in group:
            prompt = self._given(example)
            if not prompt:
                continue
            longest = self._longest.get(prompt, prompt)
            self._keep(longest)
            self._store.cut(prompt, longest)
            self._keep(prompt)

    def _keep(self, prompt: Prompt) -> None:
        if prompt not in self._store and not self._store.full:
            self._store.put(prompt, self._compute_by_base(prompt))

    def read_again(self, group: Sequence[TokenizedExample]) -> None:
        for example in group:
            if prompt := self._given(example):
                self._compute_by_base(prompt)

    def forget(self) -> None:
        self._store.forget()

    def _read(self, prompts: Sequence[Prompt]) -> list[KeysValues]:
        dtype = self._model.dtype
        return [
            self._store.get(prompt, dtype) or self._compute_by_base(prompt) for prompt in prompts
        ]

    def _compute_by_base(self, prompt: Prompt) -> KeysValues:
        with self._model.disable_adapter():
            (read,) = self._compute([prompt])
        return [(keys.cpu(), values.cpu()) for keys, values in read]


class MixedPrefill(BasePrefill):
    """Prompts that come again are read by the base and kept, others by the adapter as it is."""

    _again: frozenset[Prompt] = frozenset()

    def expect(self, coming: Iterable[TokenizedExample]) -> None:
        counts = Counter(self._given(example) for example in coming)
        self._again = frozenset(prompt for prompt, count in counts.items() if count > 1)
        self._longest = longest_of(self._again)

    def keep(self, group: Sequence[TokenizedExample]) -> None:
        super().keep([example for example in group if self._given(example) in self._again])

    def _read(self, prompts: Sequence[Prompt]) -> list[KeysValues]:
        kept = iter(super()._read([prompt for prompt in prompts if prompt in self._again]))
        return [
            next(kept) if prompt in self._again else self._compute([prompt])[0]
            for prompt in prompts
        ]


def choose_prefill(
    model: Any,
    device: str,
    recipe: Recipe,
    checkpointing: bool,
    store: PromptStore,
    examples: Sequence[TokenizedExample],
) -> AdapterPrefill | None:
    """Who reads prompts for this recipe; None where gradients have to go through them.

    Raises UnsupportedModel for an activated adapter of a base that cannot be asked about a prompt
    that it has read before.
    """
    if METHODS[recipe.method].base_reads_prompt:
        if not _keeps_what_it_reads(model, device):
            raise UnsupportedModel(
                "This base cannot continue from a cached prompt, as an adapter of method "
                f"'{recipe.method}' must: tune with --method lora."
            )
        return BasePrefill(model, device, store, examples)
    if recipe.prompt_gradients or checkpointing or not _keeps_what_it_reads(model, device):
        return None
    if device == "cpu":
        return MixedPrefill(model, device, store, end=PROMPT_GRADIENT_TOKENS)
    return AdapterPrefill(model, device, PROMPT_GRADIENT_TOKENS)


def _keeps_what_it_reads(model: Any, device: str) -> bool:
    """Whether an answer to a prompt that was read before is nearly the one to both as a whole,
    beside how far it is from one without the prompt.

    Not so where layers keep something else than keys and values, or share them.
    """
    torch = import_torch()
    model.eval()
    example = TokenizedExample(tuple(range(2, 12)), tuple(range(12, 18)))
    first = len(example.prompt) - 1
    tokens = torch.tensor([[*example.prompt, *example.completion[:-1]]], device=device)
    with torch.no_grad():
        whole = model(input_ids=tokens, use_cache=False).logits[0, first:].float()
        alone = model(input_ids=tokens[:, first:], use_cache=False).logits[0].float()
        try:
            logits, _ = AdapterPrefill(model, device).answers([example])
            answer = logits[0].float()
        except (AttributeError, TypeError, ValueError, RuntimeError, IndexError):
            return False
    return bool((answer - whole).norm() <= TOLERANCE * (alone - whole).norm())
