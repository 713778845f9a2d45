"""How fast is tuning? Against a plain transformers Trainer with peft, in fp32 and in bf16.

    python benchmarks/tune.py [FOLDER_OF_NOTES | --headlines LAMP_4_FOLDER] [--examples N]
    python benchmarks/tune.py … --seconds S
    python benchmarks/tune.py … --recipe FILE

Every contender runs in a process of its own, so that its peak memory is its own, and learns the
same examples in as many passes, or with --seconds what it can in that time (recipes of localpers
alone); what each made is judged in float32 on the same examples held out. A recipe file changes
what localpers does, whatever the contender.
Notes come from FOLDER_OF_NOTES, else from LOCALPERS_TEST_DATA/til, else they are this project's own
docs. Prints a table and, last, one JSON document.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tune_pairs import BASE, Pair, headline_pairs, note_pairs, notes_folder

BASELINES = ("trainer-fp32", "trainer-bf16")
RECIPES: dict[str, dict[str, Any]] = {
    "localpers": {},
    "prompts too": {"prompt_gradients": True},
    "activated": {"method": "activated"},
    "reread": {},
}
"""What differs from the default recipe. For "reread" the adapter reads prompts in every pass."""
CONTENDERS = (*BASELINES, *RECIPES)
PASSES = 2
SPEED_GOAL = {"trainer-fp32": 3.0, "trainer-bf16": 1.7}
MEMORY_GOAL = 0.5


class Stopwatch:
    """`seconds` by the clock, and `cpu_seconds` of all threads: on a busy machine the fairer one,
    with --threads 1, since threads that wait for each other count as working.
    """

    seconds = cpu_seconds = 0.0

    def __enter__(self) -> Stopwatch:
        self._began = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began[0]
        self.cpu_seconds = time.process_time() - self._began[1]


def _base(dtype: str, folder: Path) -> Any:
    from localpers.tuning.torch_base import load_base
    from localpers.weights import catalog

    return load_base(catalog.find(BASE), dtype, folder)


def train_plainly(
    dtype: str, pairs: Sequence[Pair], folder: Path, seed: int
) -> tuple[Any, Stopwatch]:
    """(model, time) of transformers.Trainer over peft's LoRA of all linear modules, at the
    product's learning rate and in about as many steps, so that the losses compare.
    """
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    from localpers.tuning.recipe import Recipe
    from localpers.tuning.schedule import steps_in_epochs

    recipe = Recipe(epochs=PASSES)
    steps = steps_in_epochs(_examples(pairs), recipe)

    model = _base(dtype, folder).model
    config = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(seed)
    model = get_peft_model(model, config)
    rows = [{"input_ids": [*p, *c], "labels": [-100] * len(p) + c} for p, c in pairs]

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, Any]:
        width = max(len(row["input_ids"]) for row in batch)

        def padded(key: str, filler: int) -> Any:
            return torch.tensor([row[key] + [filler] * (width - len(row[key])) for row in batch])

        ids = padded("input_ids", 0)
        mask = torch.tensor([[n < len(row["input_ids"]) for n in range(width)] for row in batch])
        return {"input_ids": ids, "labels": padded("labels", -100), "attention_mask": mask.long()}

    settings = transformers.TrainingArguments(
        output_dir=str(folder / "out"),
        per_device_train_batch_size=max(1, round(PASSES * len(pairs) / steps)),
        num_train_epochs=PASSES,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=max(1, round(recipe.warmup * steps)),
        bf16=dtype == "bfloat16",
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=False,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=seed,
    )
    trainer = transformers.Trainer(model, settings, train_dataset=rows, data_collator=collate)
    with Stopwatch() as watch:
        trainer.train()
    return model, watch


def train_localpers(
    name: str,
    pairs: Sequence[Pair],
    folder: Path,
    seconds: float | None,
    seed: int,
    changes: dict[str, Any],
) -> tuple[Any, Stopwatch, int]:
    """(model, time, tokens of completions learned) of the product with one of RECIPES, changed."""
    from localpers.tuning.device import choose_device
    from localpers.tuning.methods import adapt
    from localpers.tuning.prefill import PROMPT_GRADIENT_TOKENS, AdapterPrefill
    from localpers.tuning.recipe import Recipe
    from localpers.tuning.schedule import steps_in_epochs, steps_in_seconds
    from localpers.tuning.training import Trainer

    device = choose_device()
    recipe = Recipe.of({"epochs": PASSES, "seed": seed} | RECIPES[name] | changes)
    model = adapt(_base(device.dtype, folder), recipe)
    examples = _examples(pairs)
    trainer = Trainer(model, examples, recipe, device, folder / "state")
    if name == "reread":
        trainer._read = AdapterPrefill(model, device.name, PROMPT_GRADIENT_TOKENS)
    steps = steps_in_epochs(examples, recipe)
    if seconds is not None:
        costs = trainer.costs(trainer.calibrate())
        steps = steps_in_seconds(examples, recipe, seconds, costs)
    with Stopwatch() as watch:
        result = trainer.train(steps)
    return model, watch, result.tokens


def _examples(pairs: Sequence[Pair]) -> list[Any]:
    from localpers.datatypes import TokenizedExample

    return [TokenizedExample(tuple(prompt), tuple(completion)) for prompt, completion in pairs]


def held_out_loss(model: Any, pairs: Sequence[Pair], folder: Path, activated: bool) -> float:
    """Mean nats per completion token, in float32; the base reads for an activated adapter."""
    import torch

    from localpers.tuning.prefill import BasePrefill
    from localpers.tuning.prompt_store import PromptStore

    model = model.float().cpu().eval()
    read = BasePrefill(model, "cpu", PromptStore(folder)) if activated else None
    total, count = 0.0, 0
    with torch.no_grad():
        for example in _examples(pairs):
            targets = torch.tensor(example.completion)
            ids = torch.tensor([[*example.prompt, *example.completion]])
            keep = torch.arange(len(example.prompt) - 1, ids.shape[1] - 1)
            logits = (
                read.answers([example])[0]
                if read
                else model(input_ids=ids, logits_to_keep=keep, use_cache=False).logits
            )
            losses = torch.nn.functional.cross_entropy(logits[0], targets, reduction="sum")
            total += float(losses)
            count += len(targets)
    return total / count


def compete(
    name: str, data: Path, seconds: float | None, seed: int, changes: dict[str, Any]
) -> None:
    """A child's work: train, measure, print one JSON document."""
    found = json.loads(data.read_text())
    pairs = found["training"]
    learned = PASSES * sum(len(completion) for _, completion in pairs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        if name == "base":
            model, watch = _base("float32", path).model, Stopwatch()
        elif name in RECIPES:
            model, watch, learned = train_localpers(name, pairs, path, seconds, seed, changes)
        else:
            dtype = {"trainer-fp32": "float32", "trainer-bf16": "bfloat16"}[name]
            model, watch = train_plainly(dtype, pairs, path, seed)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        activated = RECIPES.get(name, {}).get("method") == "activated"
        loss = held_out_loss(model, found["held_out"], path, activated)
    result = {
        "seconds": watch.seconds,
        "cpu_seconds": watch.cpu_seconds,
        "peak_mb": peak / (1024 if sys.platform == "linux" else 1 << 20),
        "held_out_loss": loss,
        "learned": learned,
    }
    print(json.dumps(result))


@contextmanager
def busy_cores(count: int) -> Iterator[None]:
    """So many other programs that want a core each."""
    loop = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(loop) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def contest(
    names: Sequence[str],
    training: list[Pair],
    held_out: list[Pair],
    seconds: float | None,
    seed: int,
    busy: int,
    recipe: Path | None,
) -> dict[str, Any]:
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, busy_cores(busy):
        data = Path(folder) / "pairs.json"
        data.write_text(json.dumps({"training": training, "held_out": held_out}))
        for name in ("base", *names):
            command = [sys.executable, __file__, "--contender", name, "--data", str(data)]
            command += ["--seed", str(seed)]
            command += [] if seconds is None else ["--seconds", str(seconds)]
            command += [] if recipe is None else ["--recipe", str(recipe)]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(output.stdout.splitlines()[-1])
            if found["seconds"]:
                found["completion_tokens_per_second"] = found["learned"] / found["seconds"]
            results[name] = found
    return results


def show(title: str, results: dict[str, Any]) -> None:
    print(f"\n{title}")
    heads = f"{'completion/s':>13}{'learned':>9}{'CPU s':>8}{'peak MB':>9}{'held-out loss':>15}"
    print(f"{'':14}{heads}")
    for name, found in results.items():
        rate = found.get("completion_tokens_per_second")
        told = f"{rate:>13.1f}{found['learned']:>9}" if rate else f"{'':>22}"
        spent = f"{found['cpu_seconds']:>8.1f}{found['peak_mb']:>9.0f}"
        print(f"{name:14}{told}{spent}{found['held_out_loss']:>15.4f}")
    for ours in RECIPES:
        for name in BASELINES:
            if name in results and ours in results:
                _compare(ours, name, results[ours], results[name])


def _compare(us: str, name: str, ours: dict[str, float], theirs: dict[str, float]) -> None:
    learned = ours["learned"] / theirs["learned"]
    speed = learned * theirs["seconds"] / ours["seconds"]
    cpu = learned * theirs["cpu_seconds"] / ours["cpu_seconds"]
    memory = ours["peak_mb"] / theirs["peak_mb"]
    worse = ours["held_out_loss"] - theirs["held_out_loss"]
    goals = (
        (
            f"{speed:.2f} times the speed, {cpu:.2f} by CPU time (goal {SPEED_GOAL[name]})",
            min(speed, cpu) >= SPEED_GOAL[name],
        ),
        (f"{memory:.2f} of the memory (goal {MEMORY_GOAL})", memory <= MEMORY_GOAL),
        (f"loss {worse:+.4f} (goal: not higher)", worse <= 0),
    )
    print(f"{us} against {name}: " + ", ".join(f"{t} {'PASS' if ok else '—'}" for t, ok in goals))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("notes", nargs="?", help="a folder of notes")
    parser.add_argument("--held-out", type=int, default=24, help="examples to judge by")
    parser.add_argument(
        "--headlines", type=Path, help="a folder in the LaMP_4 format, instead of notes"
    )
    parser.add_argument("--examples", type=int, default=60)
    parser.add_argument("--seconds", type=float, help="train for so long instead of two passes")
    parser.add_argument("--recipe", type=Path, help="TOML, for every contender of localpers")
    parser.add_argument("--seed", type=int, default=0, help="of every contender")
    parser.add_argument("--threads", type=int, help="of torch; default: all cores")
    parser.add_argument("--busy", type=int, default=0, help="cores that other programs want")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--contender", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads:
        os.environ["OMP_NUM_THREADS"] = str(options.threads)
    if options.contender:
        changes = tomllib.loads(options.recipe.read_text()) if options.recipe else {}
        compete(options.contender, options.data, options.seconds, options.seed, changes)
        return
    with tempfile.TemporaryDirectory() as home:
        os.environ["LOCALPERS_HOME"] = home
        counts = options.examples, options.held_out
        title = "headlines" if options.headlines else "notes"
        training, held_out = (
            headline_pairs(options.headlines, *counts)
            if options.headlines
            else note_pairs(notes_folder(options.notes), *counts)
        )
    names = [n for n in options.only if options.seconds is None or n in RECIPES]
    how_long, recipe = options.seconds, options.recipe
    results = contest(names, training, held_out, how_long, options.seed, options.busy, recipe)
    how = f"{PASSES} passes" if options.seconds is None else f"{options.seconds:.0f} seconds"
    show(f"{title}: {len(training)} examples, {how}", results)
    print(json.dumps({title: results}))


if __name__ == "__main__":
    main()
