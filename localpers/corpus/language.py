"""Which language a document is written in; empty where unsure."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

from localpers.datatypes import Block, BlockKind
from localpers.retrieval.analysis import SNOWBALL

OTHERS = ("bg", "cs", "fa", "he", "hr", "ja", "ko", "pl", "sk", "sl", "th", "uk", "vi", "zh")
"""Languages worth telling from those that have a stemmer."""
SAMPLE_CHARACTERS = 400
FEWEST_LETTERS = 20
SURE = 0.9

_PROSE = {BlockKind.PARAGRAPH, BlockKind.LIST_ITEM, BlockKind.HEADING}


def detect_language(text: str, blocks: Sequence[Block]) -> str:
    """ISO 639-1 code of the prose in `text` (code apart), or "" where the sample is too thin.

    By py3langid (Lui & Baldwin's langid.py), among the languages listed here.
    """
    sample: list[str] = []
    taken = 0
    for block in blocks:
        if block.kind in _PROSE:
            piece = text[block.start : min(block.end, block.start + SAMPLE_CHARACTERS - taken)]
            sample.append(piece)
            taken += len(piece)
            if taken >= SAMPLE_CHARACTERS:
                break
    prose = " ".join(sample)
    if sum(map(str.isalpha, prose)) < FEWEST_LETTERS and prose.isascii():
        return ""
    language, probability = _identifier().classify(prose)
    return str(language) if probability >= SURE else ""


def warm_up() -> None:
    """Begin to load the language model (half a second, most of it unpacking) beside other work."""
    threading.Thread(target=_identifier, daemon=True).start()


def _identifier() -> Any:
    with _loading:
        return _loaded()


@cache
def _loaded() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages({*SNOWBALL, *OTHERS} & set(identifier.nb_classes))
    return identifier


_loading = threading.Lock()
