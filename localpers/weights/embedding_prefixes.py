"""The prefixes that embedding models expect before queries and passages.

GGUF has no key for them, so the family is recognised by the model's name or the file's. The texts
are those of the model cards (E5: Wang et al., 2022; Nomic Embed: Nussbaum et al., 2024;
BGE: Xiao et al., 2023; Arctic Embed: Merrick et al., 2024; mxbai; EmbeddingGemma; Qwen3-Embedding).
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Prefixes(NamedTuple):
    query: str = ""
    passage: str = ""


_REPRESENT = "Represent this sentence for searching relevant passages: "
_INSTRUCT = "Given a web search query, retrieve relevant passages that answer the query"

# Tried in order: more specific names first.
_FAMILIES = (
    (
        r"e5-mistral|e5-large-instruct|e5.*-instruct",
        Prefixes(f"Instruct: {_INSTRUCT}\nQuery: "),
    ),
    (r"e5-(?:small|base|large)", Prefixes("query: ", "passage: ")),
    (r"nomic-embed", Prefixes("search_query: ", "search_document: ")),
    (r"bge-(?:small|base|large)-en", Prefixes(_REPRESENT)),
    (r"mxbai-embed", Prefixes(_REPRESENT)),
    (r"arctic-embed.*v2", Prefixes("query: ")),
    (r"arctic-embed", Prefixes(_REPRESENT)),
    (r"embedding-?gemma", Prefixes("task: search result | query: ", "title: none | text: ")),
    (r"qwen3-embedding", Prefixes(f"Instruct: {_INSTRUCT}\nQuery:")),
)


def prefixes_of(*names: str) -> Prefixes:
    """The prefixes of the first family that matches one of `names`; empty without a match."""
    for name in names:
        normalized = re.sub(r"[\s_.]+", "-", name.casefold())
        for pattern, prefixes in _FAMILIES:
            if re.search(rf"(?<![a-z0-9]){pattern}", normalized):
                return prefixes
    return Prefixes()
