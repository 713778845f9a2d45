"""The verdict: what is promoted, what speaks against it, and who chooses on which documents."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from localpers.datatypes import Kind, ServedModel
from localpers.evaluation import judging
from localpers.evaluation.context import HeldOutContext
from localpers.evaluation.judging import (
    MOST_DOCUMENTS,
    Evidence,
    halves,
    judge,
)
from localpers.evaluation.neutral import Likelihood
from localpers.evaluation.questions import QuestionScore, make_questions
from localpers.evaluation.trials import Trial
from localpers.evaluation.verdict import (
    ANSWER_MARGIN,
    DocumentScore,
    Measured,
    Setting,
    Verdict,
    decide,
)
from localpers.profile import Profile
from localpers.store import Store
from localpers.weights.catalog import describe
from tests import tiny_gguf
from tests.cli.conftest import sentences
from tests.conftest import CommandLine, write

DOCUMENTS = tuple(DocumentScore(str(n), (3 + n % 4) * 50.0, 50, 200, 0.2) for n in range(8))
ANSWERS = tuple(QuestionScore(n % 2 == 0, n % 3 == 0, 1.0 + n / 4) for n in range(8))
BASE = Measured(DOCUMENTS, ANSWERS, Likelihood(((300.0, 100),)))
BETTER = tuple(replace(score, nats=score.nats - 10) for score in DOCUMENTS)
MIXED = tuple(
    replace(score, nats=score.nats + (15 if n % 2 else -16)) for n, score in enumerate(DOCUMENTS)
)
EMPTIER = tuple(replace(score, nats=score.nats - 10, rouge_1=0.1) for score in DOCUMENTS)
WORSE_ANSWERS = tuple(replace(a, nll=a.nll + 2 * ANSWER_MARGIN) for a in ANSWERS)
WRONG_ANSWERS = tuple(replace(a, right=False) for a in ANSWERS)


def verdict_on(tuned: Measured, base: Measured = BASE) -> Verdict:
    return decide(Setting("merged"), (), base, tuned)


def test_what_is_surely_likelier_and_loses_nothing_is_promoted() -> None:
    verdict = verdict_on(replace(BASE, documents=BETTER))
    assert verdict.promoted and verdict.gain.value == pytest.approx(0.2) and verdict.gain.low > 0
    assert "8 held-out documents" in verdict.reason


@pytest.mark.parametrize(
    ("tuned", "objection"),
    [
        (BASE, "not surely likelier"),
        (replace(BASE, documents=MIXED), "does not exclude a loss"),
        (replace(BASE, documents=EMPTIER), "less in common"),
        (replace(BASE, documents=BETTER, answers=WORSE_ANSWERS), "answers from the notes may"),
        (replace(BASE, documents=BETTER, answers=WRONG_ANSWERS), "fewer answers"),
        (replace(BASE, documents=BETTER, neutral=Likelihood(((330.0, 100),))), "forgotten"),
    ],
)
def test_each_possible_loss_stands_against_a_promotion(tuned: Measured, objection: str) -> None:
    verdict = verdict_on(tuned)
    assert not verdict.promoted and objection in verdict.reason


def test_a_better_mean_of_few_documents_proves_nothing() -> None:
    few = replace(BASE, documents=DOCUMENTS[:2])
    verdict = verdict_on(replace(few, documents=BETTER[:2]), few)
    assert not verdict.promoted and "too little" in verdict.reason


def test_where_the_notes_answer_no_questions_writing_decides() -> None:
    silent = replace(BASE, answers=())
    tuned = replace(silent, documents=BETTER)
    assert decide(Setting("merged"), (), silent, tuned, questions=0).promoted
    assert not decide(Setting("merged"), (), silent, tuned, questions=9).promoted


def test_what_answers_now_is_not_replaced_by_something_worse() -> None:
    tuned = replace(BASE, documents=BETTER)
    best = [replace(score, nats=score.nats - 20) for score in DOCUMENTS]

    def against(before: list[DocumentScore]) -> Verdict:
        return decide(Setting("merged"), (), BASE, tuned, before=before)

    assert not against(best).promoted and "answers now is better" in against(best).reason
    assert against(list(BETTER)).promoted and against(list(DOCUMENTS)).promoted
    assert against(best[3:]).promoted is False
    assert "has learned" in against(best[:2]).reason


def trial(document: int, task: str = "write_from_title") -> Trial:
    return Trial(
        task, Kind.NOTE, document, str(document), "2024", f"Note {document}.", "river", "the mill"
    )


def test_settings_are_chosen_on_other_documents_than_are_reported() -> None:
    trials = [trial(n, task) for n in range(7) for task in ("a", "b", "c")]
    choosing, reporting = halves(trials)
    names = [
        {one.content_hash for trials in half for one in trials} for half in (choosing, reporting)
    ]
    assert names[0].isdisjoint(names[1]) and names[0] | names[1] == set("0123456")
    assert len(reporting) == 4
    assert {len(trials) for trials in choosing + reporting} == {1}
    assert {trials[0].task for trials in choosing} == {trials[0].task for trials in reporting}
    assert len(halves([trial(n) for n in range(999)])[1]) == MOST_DOCUMENTS


@pytest.fixture
def evidence(cli: CommandLine, tmp_path: Path) -> Evidence:
    chance = Random(7)
    notes = {
        f"{n:02}.md": f"# Note {n}\n\n{sentences(chance, 9)[:-1]} until {1900 + n} or so."
        for n in range(29)
    }
    assert cli("ingest", write(tmp_path / "notes", notes)).code == 0
    store = Store.open(Profile.open())
    documents = list(store.documents.all())
    context = HeldOutContext(store, [d.content_hash for d in documents[:20]])
    questions = make_questions(documents[:20], context.lexicon, 5)
    return Evidence([trial(d.id) for d in documents[20:]], questions, context)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> ServedModel:
    folder = tmp_path_factory.mktemp("verdict")
    model = describe(tiny_gguf.build_tiny_model(folder / "llama.gguf", "llama"))
    return ServedModel(model, model.path)


def test_a_file_that_is_the_base_itself_is_never_promoted(
    evidence: Evidence, tiny: ServedModel
) -> None:
    verdict = judge(tiny, {"merged": tiny, "adapter": tiny}, evidence)
    assert not verdict.promoted
    assert verdict.setting.file == "merged"
    assert {one.setting.file for one in verdict.tried} == {"merged", "adapter"}
    assert len({one.setting.k for one in verdict.tried}) == 3
    assert len(verdict.base.documents) == 5 and len(verdict.base.answers) == 5
    assert [s.document for s in verdict.base.documents] == [
        s.document for s in verdict.tuned.documents
    ]
    if verdict.setting.k == Setting("merged").k:
        assert verdict.gain.value == 0 == verdict.rise


def test_a_question_that_does_not_fit_one_side_is_left_out_on_both(
    evidence: Evidence, tiny: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = [QuestionScore(True, True, 1.0 + n, True, "") for n in range(10)]
    scores[6] = replace(scores[6], nll=math.nan)
    given = iter(scores)
    monkeypatch.setattr(judging, "ask_question", lambda *_: next(given))
    verdict = judge(tiny, {"merged": tiny, "adapter": tiny}, evidence)
    assert [answer.nll for answer in verdict.base.answers] == [1.0, 3.0, 4.0, 5.0]
    assert [answer.nll for answer in verdict.tuned.answers] == [6.0, 8.0, 9.0, 10.0]


def test_without_time_little_is_measured_and_nothing_promoted(
    evidence: Evidence, tiny: ServedModel
) -> None:
    verdict = judge(tiny, {"merged": tiny, "adapter": tiny}, evidence, seconds=0.0)
    assert len(verdict.tried) == 1 and not verdict.base.documents
    assert not verdict.promoted and "--budget" in verdict.reason


def test_perplexity_is_the_exponential_of_the_mean_over_tokens() -> None:
    found = Likelihood(((6.0, 2), (2.0, 2)))
    assert found.nll == 2.0 and found.perplexity == pytest.approx(math.exp(2.0))
