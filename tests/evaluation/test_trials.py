"""Trials: the person's own words held out, a request that does not give them away, the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from localpers.datatypes import Block, BlockKind, Kind, RetrievedPassage, StoredDocument
from localpers.errors import LocalpersError
from localpers.evaluation.trials import (
    MOST_TRIALS,
    Trial,
    as_example,
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


def test_passages_that_do_not_fit_are_left_out_the_last_first(tokenizer: Tokenizer) -> None:
    (trial, *_) = make_trials(tokenizer, Recipe(), [document(1)])
    passages = [
        RetrievedPassage(n, 1.0, n, "", f"Note {n}", "", 0, 0, SENTENCE * 4) for n in range(1, 5)
    ]
    bare = as_example(trial, (), tokenizer, 4096)
    assert (
        "My notes" not in bare.messages[-2].content
        and bare.messages[-1].content == trial.completion
    )
    whole = tokenizer.example_ids(as_example(trial, passages[:2], tokenizer, 4096).messages)
    room = len(whole.prompt) + len(whole.completion)
    squeezed = as_example(trial, passages, tokenizer, room).messages[-2].content
    assert "[2] Note 2" in squeezed and "[3]" not in squeezed


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
