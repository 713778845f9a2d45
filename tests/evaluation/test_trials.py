"""Trials: the person's own words held out, a request that does not give them away, the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.datatypes import Block, BlockKind, Kind, StoredDocument
from localpers.errors import LocalpersError
from localpers.evaluation.trials import (
    MOST_TRIALS,
    Trial,
    make_trials,
    read_trials,
    write_trials,
)
from localpers.tuning.recipe import Recipe
from localpers.weights.tokenizer import Tokenizer
from tests import tiny_gguf

SENTENCE = "The river was low in {}, and the mill stood idle for most of the week."


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("trials") / "llama.gguf"
    return Tokenizer.open(tiny_gguf.build_tiny_model(path, "llama"))


def document(number: int, paragraphs: int = 8) -> StoredDocument:
    parts = [SENTENCE.format(f"{number}-{n}") for n in range(paragraphs)]
    text, blocks = "", []
    for part in parts:
        blocks.append(Block(BlockKind.PARAGRAPH, len(text), len(text) + len(part)))
        text += part + "\n\n"
    return StoredDocument(
        id=number,
        path=f"/notes/{number}.md",
        part="",
        title=f"Mill {number}",
        kind=Kind.NOTE,
        date=f"2024-01-{number % 28 + 1:02}",
        date_from="metadata",
        language="en",
        content_hash=f"hash{number}",
        text=text,
        blocks=tuple(blocks),
    )


def test_every_document_is_asked_for_in_each_way_and_the_answer_is_its_own(
    tokenizer: Tokenizer,
) -> None:
    documents = [document(n, 40) for n in range(3)]
    trials = make_trials(tokenizer, Recipe(), documents)
    assert {trial.task for trial in trials} == {
        "write_from_title",
        "write_from_opening",
        "title_from_body",
        "continue",
    }
    assert {trial.content_hash for trial in trials[:3]} <= {d.content_hash for d in documents}
    for trial in trials:
        own = documents[trial.document]
        assert trial.completion == own.title or (trial.completion in own.text)
        assert trial.completion not in trial.request and trial.completion not in trial.query
        assert trial.date == own.date
    assert make_trials(tokenizer, Recipe(), documents) == trials


def test_few_trials_are_of_many_documents(tokenizer: Tokenizer) -> None:
    trials = make_trials(tokenizer, Recipe(), [document(n) for n in range(MOST_TRIALS)])
    assert len(trials) == MOST_TRIALS
    assert len({trial.document for trial in trials[:20]}) == 10


def test_trials_survive_the_disk_and_other_files_are_refused(tmp_path: Path) -> None:
    trials = [
        Trial("continue", Kind.POST, 1, "h", "2024-01-01", "Go on\u2028now", "q", "été\n\n“x”"),
    ]
    path = tmp_path / "held_out.jsonl"
    write_trials(trials, path)
    assert read_trials(path) == trials and not path.stat().st_mode & 0o077
    path.write_text('{"messages": []}\n')
    with pytest.raises(LocalpersError, match="tune again"):
        read_trials(path)
