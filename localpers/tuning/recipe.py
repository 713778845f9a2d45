"""Recipe: everything that decides what a tuning run computes, validated and self-describing."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from localpers.errors import LocalpersError
from localpers.tuning.methods import METHODS

Share = Annotated[float, Field(ge=0, le=1)]


class Recipe(BaseModel):
    """Read from TOML by `Recipe.load`; the defaults suit small bases.

    Lengths are in tokens. `alpha` and `rank` decide the adapter's scale, by the method.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str = "lora"
    """A name in tuning.methods.METHODS."""
    rank: Annotated[int, Field(ge=1, le=512)] = 8
    alpha: Annotated[float, Field(gt=0)] = 16.0
    dropout: Share = 0.0
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    layers: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the layers that are adapted, the upper ones."""
    prompt_gradients: bool = False
    """Whether what the adapter does to all of a prompt is learned, not to its end alone, in half as
    much time again or twice (docs/training-speed.md). An activated adapter does nothing to prompts.
    """
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    warmup: Share = 0.1
    """Share of the steps during which the learning rate rises."""
    final_rate: Share = 0.0
    """Of the learning rate, reached after the last step: some, and few steps learn more, but what
    is seen again is learned by heart (docs/training-speed.md).
    """
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    epochs: Annotated[float, Field(gt=0)] = 2.0
    """Passes over the examples; a time budget may end earlier."""
    batch_tokens: Annotated[int, Field(ge=1)] = 1024
    """Tokens, prompts included, that one optimizer step learns from in the mean, at most."""
    max_length: Annotated[int, Field(ge=64)] = 768
    """Of prompt and completion together."""
    gradient_clip: Annotated[float, Field(gt=0)] = 1.0
    seed: int = 0
    held_out: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    retrieval_share: Share = 0.5
    """Part of the examples that carry retrieved passages in the prompt, as `ask` does."""
    passages: Annotated[int, Field(ge=1, le=20)] = 2
    """Retrieved passages per prompt."""
    quantization: str = "q4_k_m"
    checkpoint_seconds: Annotated[float, Field(gt=0, le=120)] = 60.0

    @field_validator("method")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in METHODS:
            raise ValueError(f"'{name}' is none of {', '.join(METHODS)}")
        return name

    @classmethod
    def load(cls, path: Path) -> Recipe:
        """The recipe in a TOML file. Raises LocalpersError, naming the field, for a wrong one."""
        try:
            return cls.of(tomllib.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise LocalpersError(f"{path} cannot be read: name a recipe file in TOML.") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise LocalpersError(f"{path} is not valid TOML: {error}.") from error

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Recipe:
        """The recipe of these fields. Raises LocalpersError, naming the field, for a wrong one."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(str(part) for part in first["loc"]) or "recipe"
            known = ", ".join(cls.model_fields)
            raise LocalpersError(
                f"Recipe field '{field}': {first['msg'].lower()}. Fields: {known}."
            ) from error
