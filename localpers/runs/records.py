"""The contents of `plan.json` and `run.json`, as docs/file-formats.md describes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """What all of them share: read by attribute, written as JSON, never changed."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    def document(self) -> dict[str, Any]:
        """As JSON values, under the documented keys."""
        return self.model_dump(mode="json", by_alias=True)


class RecordedBase(Record):
    name: str
    sha256: str
    architecture: str = ""
    quantization: str = ""


class RedactionCounts(Record):
    """How much was kept out of training: `places` by `kinds`, and documents by other people."""

    places: int = 0
    documents: int = 0
    kinds: Mapping[str, int] = {}
    mails_of_others: int = 0
    messages_of_others: int = 0
    transcripts: int = 0


class RunData(Record):
    """The documents of a run, by content hash.

    `sources` stand as passages in training prompts; `retrievable` may be retrieved during the
    verdict; `inherited` were learned by the adapter that this run started from. `fingerprint` is a
    SHA-256 over `learned`, None once one of them was forgotten.
    """

    documents: int = 0
    words: int = 0
    split_by: str = ""
    learned: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    retrievable: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    fingerprint: str | None = None
    withheld: RedactionCounts = RedactionCounts()

    def learned_from(self) -> frozenset[str]:
        """Documents whose text may have reached the adapter."""
        return frozenset((*self.learned, *self.sources, *self.inherited))

    def known(self) -> frozenset[str]:
        """Documents that the run or its evaluation may quote."""
        return self.learned_from().union(self.retrievable, self.held_out)

    def without(self, hashes: frozenset[str]) -> RunData:
        """The same without these documents, and without the fingerprint, against which a guess at
        a forgotten text could be tested.
        """
        names = ("learned", "held_out", "sources", "retrievable", "inherited")
        kept = {name: tuple(h for h in getattr(self, name) if h not in hashes) for name in names}
        return self.model_copy(update={**kept, "fingerprint": None})


class RunPlan(Record):
    """`plan.json`: what an interrupted run needs to resume. `recipe` holds tuning.Recipe's fields,
    `rules` the fingerprint of the redaction rules, `steps` the number of optimizer steps once it is
    decided.
    """

    created: str = ""
    base: RecordedBase
    recipe: Mapping[str, Any] = {}
    device: str = "cpu"
    checkpointing: bool = False
    rules: str = ""
    data: RunData = RunData()
    warm_start: str | None = None
    steps: int | None = None


class Parity(Record):
    """How far a GGUF file is from the model in torch.

    `mean_kl` is KL(torch ‖ llama.cpp) in nats per position; `top1_agreement` the share of positions
    with the same most likely token; `tokens_equal` whether the file's own tokenizer makes the very
    tokens that the reference was computed on (None where the reference keeps no text).
    """

    mean_kl: float
    top1_agreement: float
    positions: int
    tokens_equal: bool | None = None


class RunParity(Record):
    """Parity by file; None for a file that the method does not make."""

    merged_f16: Parity | None = None
    adapter: Parity | None = None
    quantized: Parity | None = None


class QuantizationReport(Record):
    """A quantized file. `mix` is what the weights really became, as shares of the parameters: rows
    whose length is no multiple of 256 fall back to other types than the name says.
    """

    type: str
    mix: tuple[tuple[str, float], ...]
    bits_per_weight: float
    bytes: int


class RunFigures(Record):
    """One model on the reported half of the held-out documents; `nll` in nats per token, `right`
    and `cited` as shares of `questions`, `authorship` of the texts verified as the person's.
    """

    nll: float
    perplexity: float
    tokens: int
    documents: int
    rouge_1: float
    questions: int
    right: float
    cited: float
    neutral_perplexity: float
    authorship: float = 0.0


class RunMetrics(Record):
    """Both with retrieval: the base, and the tuned model as served."""

    base: RunFigures = Field(validation_alias="rag", serialization_alias="rag")
    tuned: RunFigures = Field(validation_alias="rag+peft", serialization_alias="rag+peft")


class RunSetting(Record):
    """A way to serve the run: which file, at which adapter scale, with how many passages; `nll` is
    None where it was not finite, or not measured.
    """

    file: str
    scale: float
    k: int
    nll: float | None = None


class RunInterval(Record):
    value: float
    low: float
    high: float


class RunVerdict(Record):
    """The chosen setting, those tried, and the intervals that decided."""

    setting: RunSetting
    tried: tuple[RunSetting, ...]
    gain: RunInterval
    rouge_1: RunInterval
    answer_gain: RunInterval
    right: RunInterval
    authorship: RunInterval | None = None
    neutral_rise: float


class RunServed(Record):
    """The files that answer, by name within the folder; `activated`: the base reads prompts."""

    model: str | None = None
    adapter: str | None = None
    scale: float = 1.0
    passages: int = 0
    activated: bool = False


class RunFile(Record):
    bytes: int
    sha256: str


class RunRecord(Record):
    """`run.json`, as docs/file-formats.md describes it. `served` is None where nothing can answer:
    the files failed parity, or the run is `tainted` (when a document it learned was forgotten).
    """

    run: str
    created: str = ""
    base: str
    base_model: RecordedBase
    method: str = "lora"
    recipe: Mapping[str, Any] = {}
    seed: int = 0
    device: str = ""
    versions: Mapping[str, str] = {}
    data: RunData = RunData()
    warm_start: str | None = None
    examples: int = 0
    tokens: int = 0
    steps: int = 0
    steps_planned: int = 0
    seconds: float = 0.0
    seconds_total: float = 0.0
    losses: tuple[float, ...] = ()
    quantization: QuantizationReport | None = None
    parity: RunParity = RunParity()
    parity_reference: str = ""
    metrics: RunMetrics | None = None
    verdict: RunVerdict | None = None
    promoted: bool = False
    reason: str = ""
    served: RunServed | None = None
    files: Mapping[str, RunFile] = {}
    tainted: str | None = None
