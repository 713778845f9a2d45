"""localpers: a language model that knows one person, on that person's machine."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localpers.assistant.answer import Answer
    from localpers.assistant.assistant import Assistant
    from localpers.assistant.options import AnswerOptions
    from localpers.datatypes import Message
    from localpers.learning.flow import tune
    from localpers.learning.preparation import TuneOptions
    from localpers.tuning.recipe import Recipe

__version__ = "0.1.0"

_PUBLIC = {
    "Answer": "localpers.assistant.answer",
    "AnswerOptions": "localpers.assistant.options",
    "Assistant": "localpers.assistant.assistant",
    "Message": "localpers.datatypes",
    "Recipe": "localpers.tuning.recipe",
    "TuneOptions": "localpers.learning.preparation",
    "tune": "localpers.learning.flow",
}
"""Public name → module, imported on first use: `import localpers` stays light."""

__all__ = [
    "Answer",
    "AnswerOptions",
    "Assistant",
    "Message",
    "Recipe",
    "TuneOptions",
    "__version__",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'localpers' has no attribute '{name}'")
    return getattr(import_module(_PUBLIC[name]), name)
