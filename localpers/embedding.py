"""Which embedding model serves a store, vectors for what has none, and a Retriever with both.

Words never wait for vectors: what is not embedded yet is found by its words alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING

from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError, ModelNotFound, ProfileBusy
from localpers.profile import Profile
from localpers.retrieval.dense import VERDICT_KEY, EncoderNote, embed_passages, encoder_note
from localpers.retrieval.retriever import USES_VECTORS, Method, Retriever
from localpers.store import Store

if TYPE_CHECKING:
    from localpers.inference.encoder import Encoder

Progress = Callable[[int, int], None]
FEWEST_QUERIES = 20
"""Below, vectors are never said to be better."""
OUTGROWN = 2
"""Times as many documents as were there when it was measured, and a verdict counts no more."""


@dataclass(frozen=True, slots=True)
class HybridVerdict:
    """Whether vectors found the user's own documents better than words alone did.

    `words` and `hybrid` are mean reciprocal ranks over `queries` titles, each looked for with the
    titles hidden from the index; `low` and `high` bound the difference (95%, paired bootstrap).
    """

    encoder: str
    """SHA-256 of the encoder's file."""
    documents: int
    queries: int
    words: float
    hybrid: float
    low: float
    high: float

    @property
    def better(self) -> bool:
        """Whether `auto` uses vectors: by chance alone it would not look so."""
        return self.queries >= FEWEST_QUERIES and self.low > 0


def choose_encoder(store: Store, name: str | None = None) -> ModelInfo:
    """The embedding model called `name`, else the one whose vectors the store holds, else the
    catalog's, else the only one installed. Raises ModelNotFound, and LocalpersError for a model
    that does not embed.
    """
    from localpers.weights import catalog

    noted = encoder_note(store)
    if name is not None or noted is not None:
        model = catalog.find(name if name is not None else noted.name if noted else "")
        if not model.embeds:
            raise LocalpersError(
                f"{model.name} writes text and gives no vectors: name an embedding model, such as "
                f"{catalog.encoders()[0].name}."
            )
        return model
    starter = catalog.encoders()[0].name
    there = [model for model in catalog.installed() if model.embeds]
    chosen = [model for model in there if model.name == starter] or there
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        raise ModelNotFound(
            "No embedding model is installed, which dense and hybrid need: run 'localpers models "
            f"pull {starter}', or choose --retriever bm25."
        )
    names = ", ".join(model.name for model in chosen)
    raise ModelNotFound(
        f"Several embedding models are installed ({names}): run 'localpers ingest FOLDER "
        "--encoder NAME'."
    )


@contextmanager
def opened_encoder(model: ModelInfo) -> Iterator[Encoder]:
    from localpers.inference.encoder import Encoder

    with Encoder.open(model) as encoder:
        yield encoder


def hybrid_verdict(store: Store) -> HybridVerdict | None:
    """What was measured on these documents with this encoder; None where nothing, or where the
    documents have outgrown it.
    """
    stated, noted = store.meta(VERDICT_KEY), encoder_note(store)
    if stated is None or noted is None:
        return None
    verdict = HybridVerdict(**json.loads(stated))
    documents = store.documents.totals().documents
    outgrown = documents >= OUTGROWN * max(verdict.documents, 1)
    return None if verdict.encoder != noted.sha256 or outgrown else verdict


def keep_verdict(store: Store, verdict: HybridVerdict) -> None:
    with store.transaction():
        store.set_meta(VERDICT_KEY, json.dumps(asdict(verdict)))


@contextmanager
def open_retriever(
    store: Store,
    methods: Collection[str] = (Method.AUTO,),
    profile: Profile | None = None,
    on_progress: Progress | None = None,
) -> Iterator[Retriever]:
    """A Retriever with whatever `methods` need, the encoder opened when it is first used.

    Where one of them is by vectors, passages without one get theirs first, under the lock of
    `profile` where one is given; while another command holds it, those that have one must do.
    Raises as choose_encoder does.
    """
    verdict = hybrid_verdict(store)
    better = verdict is not None and verdict.better
    by_vectors = not USES_VECTORS.isdisjoint(methods)
    if by_vectors:
        model: ModelInfo | None = choose_encoder(store)
    else:
        model = _still_there(encoder_note(store)) if better and Method.AUTO in methods else None
    if model is None:
        yield Retriever(store)
        return
    with ExitStack() as stack:

        @cache
        def encoder() -> Encoder:
            return stack.enter_context(opened_encoder(model))

        if by_vectors:
            _complete(store, model, encoder, profile, on_progress)
        yield Retriever(store, encoder, auto_is_hybrid=better)


def _still_there(noted: EncoderNote | None) -> ModelInfo | None:
    """The model that made the vectors; None where it was removed or replaced."""
    from localpers.weights import catalog

    if noted is None:
        return None
    try:
        model = catalog.find(noted.name)
    except ModelNotFound:
        return None
    return model if model.sha256 == noted.sha256 else None


def _complete(
    store: Store,
    model: ModelInfo,
    encoder: Callable[[], Encoder],
    profile: Profile | None,
    on_progress: Progress | None,
) -> None:
    noted = encoder_note(store)
    same = noted is not None and noted.sha256 == model.sha256
    if same and not store.vectors.missing():
        return
    try:
        with profile.writing("search") if profile else nullcontext():
            embed_passages(store, encoder(), on_progress)
    except ProfileBusy:
        if not same or not store.vectors.count():
            raise
