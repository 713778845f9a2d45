"""What a run needs before any training: preflight, split and examples. `--dry-run` ends here."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from random import Random

from localpers.datatypes import Example, ModelInfo, Reporter, TokenizedExample
from localpers.errors import TooLittleText
from localpers.evaluation.trials import Trial, make_trials, yields_trials
from localpers.inference.served import served_model
from localpers.learning.redaction import Redaction, redact, rules_of
from localpers.profile import Profile
from localpers.retrieval.retriever import Retriever
from localpers.runs import Origin
from localpers.store import Store
from localpers.tuning.context import OtherDocuments
from localpers.tuning.device import choose_device
from localpers.tuning.examples import ExampleMaker
from localpers.tuning.preflight import Preflight, check, guess_seconds, most_tokens
from localpers.tuning.recipe import Recipe
from localpers.tuning.split import split
from localpers.weights import catalog
from localpers.weights.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """What the user asked for. `base` None is the one tuned last; `budget` is in seconds for the
    whole run, inf for none, counted from `started` (time.monotonic()). `warm` lets training begin
    with the adapter of an earlier run where one fits (learning.warm_start).
    """

    base: str | None = None
    recipe: Recipe = field(default_factory=Recipe)
    device: str = "auto"
    budget: float = 600.0
    resume: bool = False
    warm: bool = False
    started: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The examples of a run, and the documents that they came from."""

    preflight: Preflight
    examples: tuple[Example, ...]
    tokenized: tuple[TokenizedExample, ...]
    """The examples as tokens, in the same order."""
    trials: tuple[Trial, ...]
    by: str
    learned: tuple[str, ...]
    """Content hashes of the documents learned from."""
    retrievable: tuple[str, ...]
    """Content hashes of the documents that may be retrieved while judging: all not held out."""
    held_out: tuple[str, ...]
    """Content hashes of the documents held out."""
    sources: tuple[str, ...]
    """Content hashes of the documents whose passages stand in prompts."""
    origins: tuple[Origin, ...]
    """Of all these documents."""
    redaction: Redaction

    @property
    def tokens(self) -> int:
        return sum(example.length for example in self.tokenized)


def prepare(profile: Profile, options: TuneOptions, reporter: Reporter) -> Prepared:
    """Preflight and examples: everything that needs no training, for a run or for --dry-run.

    Raises what tuning.preflight.check raises, ModelNotFound, and TooLittleText where no example
    fits the recipe or nothing held out can be judged by.
    """
    reporter.stage("Checking")
    base = _base(profile, options.base)
    device = choose_device(options.device)
    with Store.open(profile) as store:
        # Thousands of searches: by words they take milliseconds, with vectors a second each.
        retriever = Retriever(store)
        rules = rules_of(profile)
        reporter.stage("Looking for secrets and texts by others")
        redaction = redact(
            list(store.documents.all()),
            rules,
            store.documents.first_lines,
            lambda done, total: reporter.progress(done, total, "", None),
        )
        documents = redaction.documents
        for line in redaction.lines():
            reporter.warn(line)
        languages = store.documents.language_shares()
        preflight = check(profile, base, device, options.recipe.quantization, documents, languages)
        for line in preflight.warnings:
            reporter.warn(line)
        reporter.stage("Making examples")
        return _examples(retriever, redaction, preflight, options, reporter)


def _examples(
    retriever: Retriever,
    redaction: Redaction,
    preflight: Preflight,
    options: TuneOptions,
    reporter: Reporter,
) -> Prepared:
    recipe, base, documents = options.recipe, preflight.base, redaction.documents
    tokenizer = Tokenizer.open(base.path)
    parts = split(documents, recipe.held_out, yields_trials(tokenizer, recipe))
    trials = make_trials(tokenizer, recipe, parts.held_out)
    if not trials:
        raise TooLittleText(
            f"None of the {len(parts.held_out)} documents held out is long enough to judge by: "
            "ingest longer writing of yours; 'ask' works without tuning."
        )
    hashes = {document.id: document.content_hash for document in documents}
    earlier = OtherDocuments(
        retriever, parts.train, recipe.passages, only_earlier=True, withheld=redaction.touches
    )
    maker = ExampleMaker(tokenizer, recipe, earlier, hashes)
    enough = most_tokens(base, preflight.device, options.budget)
    order = list(parts.train)
    Random(recipe.seed).shuffle(order)
    examples: list[Example] = []
    tokenized: list[TokenizedExample] = []
    tokens = 0
    for number, document in enumerate(order, 1):
        for example, ids in maker.training([document]):
            tokens += ids.length
            examples.append(example)
            tokenized.append(ids)
        reporter.progress(number, len(order), "", None)
        if tokens >= enough:
            break
    if not examples:
        raise TooLittleText(
            f"No example fits into {recipe.max_length} tokens: raise 'max_length' in the recipe."
        )
    return Prepared(
        preflight=preflight,
        examples=tuple(examples),
        tokenized=tuple(tokenized),
        trials=tuple(trials),
        by=parts.by,
        learned=tuple(sorted({example.content_hash for example in examples})),
        retrievable=tuple(sorted({document.content_hash for document in parts.train})),
        held_out=tuple(sorted({document.content_hash for document in parts.held_out})),
        sources=tuple(sorted({source for example in examples for source in example.sources})),
        origins=tuple(
            Origin(document.content_hash, document.path, document.part)
            for document in (*parts.train, *parts.held_out)
        ),
        redaction=redaction,
    )


def estimate_seconds(prepared: Prepared, options: TuneOptions) -> float:
    """How long the whole run will take, roughly, the budget considered."""
    tokens = int(prepared.tokens * options.recipe.epochs)
    training = guess_seconds(prepared.preflight.base, prepared.preflight.device, tokens)
    return min(options.budget, training * 1.3 + 30)


def _base(profile: Profile, name: str | None) -> ModelInfo:
    chosen = name or profile.base()
    return catalog.find(chosen) if chosen else served_model(profile, use_adapter=False).base
