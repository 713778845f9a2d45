"""Which embedding model serves a store, vectors for what has none, and a Retriever with both.

Words never wait for vectors: what is not embedded yet is found by its words alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING

from localpers.datatypes import ModelInfo
from localpers.errors import LocalpersError, ModelNotFound, ProfileBusy
from localpers.profile import Profile
from localpers.retrieval.dense import EncoderNote, embed_passages, encoder_note
from localpers.retrieval.retriever import Retriever
from localpers.retrieval.retrievers import need_vectors
from localpers.store import Store

if TYPE_CHECKING:
    from localpers.inference.encoder import Encoder

Progress = Callable[[int, int], None]
SPOKEN = 0.8
"""Share of documents in the encoder's languages from which on `auto` uses its vectors."""


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


def speaks_notes(model: ModelInfo, store: Store) -> bool:
    """Whether the model was made for the languages of nearly all documents; True for a model that
    states no languages, as somebody chose it.
    """
    counts = store.documents.language_counts()
    known = sum(count for language, count in counts.items() if language)
    spoken = sum(counts.get(language, 0) for language in model.languages)
    return not model.languages or not known or spoken >= SPOKEN * known


def encoder_for_notes(store: Store) -> ModelInfo | None:
    """The encoder that `auto` uses: the one whose vectors the store holds, else an installed one,
    where it speaks the notes' language.
    """
    noted = encoder_note(store)
    try:
        model = _still_there(noted) if noted else choose_encoder(store)
    except ModelNotFound:
        return None
    return model if model is not None and speaks_notes(model, store) else None


@contextmanager
def open_retriever(
    store: Store,
    methods: Collection[str] = ("auto",),
    profile: Profile | None = None,
    on_progress: Progress | None = None,
) -> Iterator[Retriever]:
    """A Retriever with whatever `methods` need, the encoder opened when it is first used.

    Where one of them is by vectors, passages without one get theirs first, under the lock of
    `profile` where one is given; while another command holds it, those that have one must do.
    Raises as choose_encoder does.
    """
    by_vectors = need_vectors(methods)
    if by_vectors:
        model: ModelInfo | None = choose_encoder(store)
    else:
        noted = "auto" in methods and encoder_note(store) is not None
        model = encoder_for_notes(store) if noted else None
    if model is None:
        yield Retriever(store)
        return
    with ExitStack() as stack:

        @cache
        def encoder() -> Encoder:
            return stack.enter_context(opened_encoder(model))

        if by_vectors:
            _complete(store, model, encoder, profile, on_progress)
        yield Retriever(store, encoder, speaks_notes(model, store), model.languages)


def _still_there(noted: EncoderNote) -> ModelInfo | None:
    """The model that made the vectors; None where it was removed or replaced."""
    from localpers.weights import catalog

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
