"""Tasks that a small model does not understand as they are put, on the real starter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from localpers.errors import ModelNotFound
from localpers.evaluation.metrics import rouge_1
from localpers.weights.catalog import find
from tests.conftest import CommandLine

pytestmark = pytest.mark.e2e

GARDEN = (
    "Pruning old apple trees in winter",
    "Compost and the life of garden soils",
    "How bees pollinate orchard blossoms",
    "Growing tomatoes on a small balcony",
    "Which hedges shelter nesting birds",
    "Rain barrels and watering in dry summers",
)
OTHERS = (
    "Compilers for parallel vector machines",
    "Pricing of bonds under stochastic interest rates",
    "Encryption of hard disks in data centres",
    "Voting behaviour in federal elections",
)
RIGHT = (
    "Grafting pear trees in spring",
    "Earthworms and compost heaps",
    "Wild bees in city gardens",
    "Mulching vegetable beds in summer",
)
TWEETS = (
    "Honestly, the new bridge is gorgeous and I could stare at it all day long.",
    "Honestly, nobody told me that the train to the coast takes four hours.",
    "Honestly, our bakery sells the best rye bread in the whole valley.",
    "Honestly, the museum should open earlier on Sunday mornings.",
    "Honestly, my neighbour's dog barks at every single bicycle.",
    "Honestly, I will never learn how to repair this old radio.",
    "Honestly, the library has become my favourite place in winter.",
    "Honestly, the soup tasted like rain and old socks.",
    "Honestly, a good map beats every phone in the mountains.",
    "Honestly, the river smells of fish again after the storm.",
)
PARAPHRASES = {
    "The cinema in our town needs more comfortable seats.": "the cinema needs better seats",
    "Few people know that the lake freezes in January.": "the lake freezes in January",
}


@pytest.fixture(autouse=True)
def starter() -> None:
    pytest.importorskip("torch")
    try:
        find("smollm2-135m-instruct")
    except ModelNotFound:
        pytest.skip("the starter model is not installed: run 'make starter'")


def records(cli: CommandLine, folder: Path, *arguments: object) -> list[dict[str, Any]]:
    outcome = cli("bench", "lamp", folder, *arguments, "--jobs", 1, "--json")
    assert outcome.code == 0, outcome.err
    found = Path(outcome.json["results"]).read_text().splitlines()
    return [json.loads(line)["row"] for line in found[1:]]


def write_set(folder: Path, task: str, rows: list[dict[str, Any]], golds: list[str]) -> Path:
    folder.mkdir()
    outputs = [{"id": str(n), "output": gold} for n, gold in enumerate(golds)]
    questions = [{"id": str(n), "user_id": "a"} | row for n, row in enumerate(rows)]
    (folder / "questions.json").write_text(json.dumps(questions))
    (folder / "outputs.json").write_text(json.dumps({"task": task, "golds": outputs}))
    return folder


def test_of_two_titles_the_one_of_the_authors_field_is_chosen(
    cli: CommandLine, tmp_path: Path
) -> None:
    profile = [{"id": title, "title": title, "abstract": title} for title in GARDEN]
    rows, golds = [], []
    for number, (right, wrong) in enumerate(zip(RIGHT, OTHERS, strict=True)):
        first, second = (right, wrong) if number % 2 else (wrong, right)
        asked = (
            'For an author who has written the paper with the title "Notes on gardens", which '
            "reference is related? Just answer with [1] or [2] without explanation. "
            f'[1]: "{first}" [2]: "{second}"'
        )
        rows.append({"input": asked, "profile": profile})
        golds.append("[1]" if number % 2 else "[2]")
    folder = write_set(tmp_path / "set", "LaMP_1", rows, golds)
    found = records(cli, folder, "--conditions", "rag")
    right = [record["prediction"] == gold for record, gold in zip(found, golds, strict=True)]
    assert sum(right) >= 3, [record["details"] for record in found]


def test_who_is_to_paraphrase_does_not_go_on_with_the_text(
    cli: CommandLine, tmp_path: Path
) -> None:
    profile = [{"id": tweet, "text": tweet} for tweet in TWEETS]
    ask = "Paraphrase the following tweet without any explanation before or after it: "
    rows = [{"input": ask + said, "profile": profile} for said in PARAPHRASES]
    folder = write_set(tmp_path / "set", "LaMP_7", rows, list(PARAPHRASES))
    found = records(cli, folder, "--conditions", "peft", "--budget", "60s")
    for said, record in zip(PARAPHRASES, found, strict=True):
        assert record["details"]["adapter"]["steps"] >= 1
        assert rouge_1(record["prediction"], said) > 0.4, record["prediction"]
