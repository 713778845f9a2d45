"""`tune()`: one run, from notes to a promoted model.

A run can be interrupted at any point: what is expensive (training) is resumed from its checkpoint,
what is cheap is done again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from localpers.datatypes import Reporter, ServedModel, TokenizedExample
from localpers.embedding import open_retriever
from localpers.errors import LocalpersError
from localpers.evaluation.context import HeldOutContext
from localpers.evaluation.judging import Evidence, Incumbent, judge, served_as
from localpers.evaluation.questions import make_questions
from localpers.evaluation.trials import Trial, read_trials, write_trials
from localpers.evaluation.verdict import Verdict
from localpers.inference.served import served_model
from localpers.learning.conversion import Converted, Job, convert, parity_failed
from localpers.learning.preparation import Prepared, TuneOptions, prepare
from localpers.learning.recording import fingerprint, make_record
from localpers.learning.redaction import fingerprint_of_rules
from localpers.learning.warm_start import find_warm_start
from localpers.profile import Profile
from localpers.retrieval.retriever import Retriever
from localpers.runs import RunFolder, find_run, interrupted_run, prune
from localpers.runs.records import RecordedBase, RunData, RunPlan, RunRecord
from localpers.store import Store
from localpers.tuning.dataset import read_jsonl, write_jsonl
from localpers.tuning.device import choose_device
from localpers.tuning.recipe import Recipe
from localpers.weights import catalog
from localpers.weights.tokenizer import Tokenizer

MOST_QUESTIONS = 24


def tune(profile: Profile, options: TuneOptions, reporter: Reporter) -> RunRecord:
    """Train, convert, check and judge an adapter; promote it where it proves better.

    The caller holds the profile for writing. Raises ParityFailed where the converted model is not
    the trained one (the run is kept, not promoted), and what `prepare` and the trainer raise;
    KeyboardInterrupt leaves a run that `options.resume` continues.
    """
    folder = _resumable(profile, options, reporter)
    tokenized: Sequence[TokenizedExample] = ()
    if folder is None:
        prepared = prepare(profile, options, reporter)
        folder = _begin(profile, prepared, options)
        tokenized = prepared.tokenized
    job = _job(profile, folder, options, reporter)
    if not tokenized:
        examples = read_jsonl(folder.examples)
        tokenized = [job.tokenizer.example_ids(example.messages) for example in examples]
    trials = read_trials(folder.held_out)
    held_out = sorted({trial.completion for trial in trials}, key=len, reverse=True)
    converted = convert(job, tokenized, held_out)
    if mismatch := converted.mismatch():
        _finish(profile, job, converted, len(tokenized))
        raise parity_failed(job, mismatch)
    verdict, served = _judge(profile, job, trials)
    return _finish(profile, job, converted, len(tokenized), verdict, served)


def _resumable(profile: Profile, options: TuneOptions, reporter: Reporter) -> RunFolder | None:
    """The interrupted run to resume, if one is there and was asked for."""
    folder = interrupted_run(profile)
    if folder is None:
        return None
    if not options.resume:
        reporter.warn(
            f"Run {folder.id} was interrupted; --resume continues it. Starting a new run."
        )
        return None
    plan = folder.plan()
    if plan.rules != fingerprint_of_rules(profile):
        reporter.warn(
            f"The redaction rules changed since run {folder.id} began. Starting a new run."
        )
        return None
    if options.recipe != Recipe.of(plan.recipe):
        reporter.warn("An interrupted run continues with its own base, device and recipe.")
    return folder


def _begin(profile: Profile, prepared: Prepared, options: TuneOptions) -> RunFolder:
    """A new run's folder with its plan."""
    folder = RunFolder.create(profile)
    warm = find_warm_start(profile, prepared, options)
    write_jsonl(prepared.examples, folder.examples)
    write_trials(prepared.trials, folder.held_out)
    folder.write_origins((*prepared.origins, *(warm.origins if warm else ())))
    base = prepared.preflight.base
    data = RunData(
        documents=prepared.preflight.documents,
        words=prepared.preflight.words,
        split_by=prepared.by,
        learned=prepared.learned,
        fingerprint=fingerprint(prepared.learned),
        held_out=prepared.held_out,
        sources=prepared.sources,
        retrievable=prepared.retrievable,
        inherited=warm.inherited if warm else (),
        withheld=prepared.redaction.counts(),
    )
    folder.save_plan(
        RunPlan(
            created=datetime.now().astimezone().isoformat(timespec="seconds"),
            base=RecordedBase(name=base.name, sha256=base.sha256),
            recipe=options.recipe.model_dump(mode="json"),
            device=prepared.preflight.device.name,
            checkpointing=prepared.preflight.checkpointing,
            rules=prepared.redaction.rules,
            data=data,
            warm_start=warm.run.id if warm else None,
        )
    )
    return folder


def _job(profile: Profile, folder: RunFolder, options: TuneOptions, reporter: Reporter) -> Job:
    plan = folder.plan()
    base = catalog.find(plan.base.name)
    if base.sha256 != plan.base.sha256:
        raise LocalpersError(
            f"The base {base.name} is not the file that this run began with: "
            "tune again without --resume."
        )
    return Job(
        folder=folder,
        base=base,
        recipe=Recipe.of(plan.recipe),
        device=choose_device(plan.device),
        tokenizer=Tokenizer.open(base.path),
        reporter=reporter,
        budget=options.budget,
        started=options.started,
        warm_start=find_run(profile, plan.warm_start) if plan.warm_start else None,
    )


def _judge(profile: Profile, job: Job, trials: Sequence[Trial]) -> tuple[Verdict, ServedModel]:
    job.reporter.stage("Judging on held-out text")
    files = _files(job)

    def show(what: str, done: int, total: int) -> None:
        # How much is measured depends on the budget, so the budget tells what is left.
        left = max(job.budget - job.spent, 0.0)
        job.reporter.progress(done, total, what, left if math.isfinite(left) else None)

    with Store.open(profile) as store, open_retriever(store) as retriever:
        verdict = judge(
            ServedModel(job.base, job.base.path),
            files,
            _evidence(job, store, retriever, trials),
            _incumbent(profile),
            seconds=max(job.budget - job.spent - 1.0, 4.0),
            on_progress=show,
        )
    return verdict, served_as(verdict.setting, files)


def _files(job: Job) -> dict[str, ServedModel]:
    """The ways to serve the run that its method declares."""
    run, base, method, files = job.folder.id, job.base, job.method, {}
    if method.mergeable:
        files["merged"] = ServedModel(base, job.folder.model(job.recipe.quantization), run=run)
    if method.loadable:
        files["adapter"] = ServedModel(
            base,
            base.path,
            job.folder.adapter,
            run=run,
            base_reads_prompt=method.base_reads_prompt,
        )
    return files


def _evidence(job: Job, store: Store, retriever: Retriever, trials: Sequence[Trial]) -> Evidence:
    retrievable, seed = frozenset(job.folder.plan().data.retrievable), job.recipe.seed
    context = HeldOutContext(store, retrievable, seed=seed, retriever=retriever)
    known = list(context.retrievable.values())
    questions = make_questions(known, context.lexicon, MOST_QUESTIONS, seed)
    return Evidence(trials, questions, context)


def _finish(
    profile: Profile,
    job: Job,
    converted: Converted,
    examples: int,
    verdict: Verdict | None = None,
    served: ServedModel | None = None,
) -> RunRecord:
    record = make_record(job, converted, verdict, served, examples)
    job.folder.finish(record)
    if record.promoted:
        profile.promote(job.folder.id, job.base.name)
    prune(profile)
    return record


def _incumbent(profile: Profile) -> Incumbent | None:
    """The run that answers now, if one can."""
    run = profile.promoted()
    if run is None:
        return None
    try:
        return Incumbent(served_model(profile), find_run(profile, run).data().learned_from())
    except LocalpersError:
        return None
