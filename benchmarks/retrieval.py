"""How fast, how large and how changeable is the index? Against its peers, in one run.

    python benchmarks/retrieval.py [--passages N] [--peers NAMES] [--queries N]

Synthetic passages of 60 words drawn by Zipf's law; queries of 3 to 8 and of 3 to 30 words drawn by
the same. Every engine finds the top 10; those of localpers are held against rank_bm25's scores of
all passages. `auto` is what `search` does by default, here on documents of ten such passages. Peers
that are not installed are left out: `pip install 'localpers[bench]'`. Prints one JSON document:
milliseconds for a query (p50, p95) and for adding one document, seconds of CPU to build, bytes of
the index without the text (of `auto`, with it).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

WORDS_PER_PASSAGE = 60
VOCABULARY = 50_000
EXPONENT = 1.2
QUERY_WORDS = ((3, 8), (3, 30))
K = 10
BATCH = 20_000
PASSAGES_PER_DOCUMENT = 10
"""For `auto`, which knows documents."""
ADDED = 15
PASSES = 3

Words = list[str]


class Engine(Protocol):
    def build(self, corpus: Iterator[Words]) -> None: ...
    def top(self, query: Words) -> list[float]: ...
    def add(self, words: Words) -> None: ...
    def bytes(self) -> int: ...


class Localpers:
    """The store's postings, through the same code as `search --retriever bm25`."""

    def __init__(self, folder: Path) -> None:
        os.environ["LOCALPERS_HOME"] = str(folder)
        from localpers.profile import Profile
        from localpers.store import Store

        self.store = Store.open(Profile.open())
        self.size = 0

    def build(self, corpus: Iterator[Words]) -> None:
        for batch in _batches(corpus):
            with self.store.transaction():
                for words in batch:
                    self._put(words)

    def _put(self, words: Words) -> None:
        self.size += 1
        self.store.postings.add(self.size, Counter(words))

    def top(self, query: Words) -> list[float]:
        from localpers.retrieval.bm25 import Lookup

        with self.store.snapshot():
            return [score for _, score in Lookup(self.store.postings, query).rank(K)]

    def add(self, words: Words) -> None:
        with self.store.transaction():
            self._put(words)

    def bytes(self) -> int:
        return _sqlite_bytes(self.store._connection)


class Auto(Localpers):
    """`search --retriever auto`, titles and whole documents included, to the passages' text."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        from localpers.retrieval.indexing import Indexer
        from localpers.retrieval.retriever import Retriever

        self.indexer = Indexer(self.store)
        self.retriever = Retriever(self.store)

    def build(self, corpus: Iterator[Words]) -> None:
        for batch in _batches(corpus):
            with self.store.transaction():
                for at in range(0, len(batch), PASSAGES_PER_DOCUMENT):
                    self._put_document(batch[at : at + PASSAGES_PER_DOCUMENT])

    def _put_document(self, parts: list[Words]) -> None:
        from localpers.corpus.readers.blocks import blocks_of_paragraphs
        from localpers.datatypes import Document, Kind, Passage
        from localpers.store.files import StoredFile

        self.size += 1
        text = "\n\n".join(" ".join(words) for words in parts)
        blocks = blocks_of_paragraphs(text)
        self.indexer.add(
            self.store.files.put(StoredFile(0, str(self.size), 1, 0, "", 0, None)),
            Document(text, " ".join(parts[0][:5]), Kind.NOTE, blocks),
            [Passage(block.start, block.end) for block in blocks],
            date="",
            date_from="",
            language="",
            content_hash=str(self.size),
        )

    def top(self, query: Words) -> list[float]:
        return [hit.score for hit in self.retriever.search(" ".join(query), K, "auto")]

    def add(self, words: Words) -> None:
        with self.store.transaction():
            self._put_document([words])


class Tantivy:
    def __init__(self, folder: Path) -> None:
        import tantivy

        self.tantivy = tantivy
        self.folder = folder
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("body", stored=False, tokenizer_name="whitespace")
        self.index = tantivy.Index(builder.build(), path=str(folder))
        self.searcher: Any = None

    def build(self, corpus: Iterator[Words]) -> None:
        writer = self.index.writer(heap_size=256_000_000, num_threads=1)
        for words in corpus:
            writer.add_document(self.tantivy.Document(body=" ".join(words)))
        writer.commit()
        writer.wait_merging_threads()
        self._reload()

    def _reload(self) -> None:
        self.index.reload()
        self.searcher = self.index.searcher()

    def top(self, query: Words) -> list[float]:
        parsed = self.index.parse_query(" ".join(query), ["body"])
        return [score for score, _ in self.searcher.search(parsed, K, count=False).hits]

    def add(self, words: Words) -> None:
        writer = self.index.writer(heap_size=32_000_000, num_threads=1)
        writer.add_document(self.tantivy.Document(body=" ".join(words)))
        writer.commit()
        self._reload()

    def bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.iterdir() if file.is_file())


class Bm25s:
    """Scores computed ahead; it cannot add a document but by building everything again."""

    def __init__(self, folder: Path) -> None:
        import bm25s

        self.retriever = bm25s.BM25(method="bm25+", k1=1.5, b=0.75, delta=0.0)

    def build(self, corpus: Iterator[Words]) -> None:
        self.retriever.index(list(corpus), show_progress=False)

    def top(self, query: Words) -> list[float]:
        _, scores = self.retriever.retrieve([query], k=K, show_progress=False, n_threads=0)
        return [float(score) for score in scores[0]]

    def bytes(self) -> int:
        return sum(self.retriever.scores[name].nbytes for name in ("data", "indices", "indptr"))


class Fts5:
    """Contentless, so that its size is that of the index; ordered by its own bm25()."""

    def __init__(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "fts5.sqlite", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute("CREATE VIRTUAL TABLE passages USING fts5(body, content='')")

    def build(self, corpus: Iterator[Words]) -> None:
        for batch in _batches(corpus):
            self.connection.execute("BEGIN")
            rows = ((" ".join(words),) for words in batch)
            self.connection.executemany("INSERT INTO passages (body) VALUES (?)", rows)
            self.connection.execute("COMMIT")

    def top(self, query: Words) -> list[float]:
        match = " OR ".join(f'"{word}"' for word in query)
        return [
            -score
            for (score,) in self.connection.execute(
                "SELECT bm25(passages) AS score FROM passages WHERE passages MATCH ?"
                " ORDER BY score LIMIT ?",
                (match, K),
            )
        ]

    def add(self, words: Words) -> None:
        self.connection.execute("INSERT INTO passages (body) VALUES (?)", (" ".join(words),))

    def bytes(self) -> int:
        return _sqlite_bytes(self.connection)


class RankBm25:
    """A scan of all passages; delta is left out, which is the same for all of them."""

    def __init__(self, folder: Path) -> None:
        self.scorer: Any = None

    def build(self, corpus: Iterator[Words]) -> None:
        from rank_bm25 import BM25Plus

        self.scorer = BM25Plus(list(corpus), delta=0)

    def top(self, query: Words) -> list[float]:
        scores = self.scorer.get_scores(query)
        best = np.sort(scores[np.argpartition(scores, -K)[-K:]])[::-1]
        return [float(score) for score in best if score > 0]


ENGINES: dict[str, Callable[[Path], Any]] = {
    "localpers": Localpers,
    "auto": Auto,
    "tantivy": Tantivy,
    "bm25s": Bm25s,
    "fts5": Fts5,
    "rank_bm25": RankBm25,
}


def words_of(random: np.random.Generator, count: int) -> Words:
    return [f"w{rank}" for rank in random.zipf(EXPONENT, count) % VOCABULARY]


def corpus_of(passages: int) -> Iterator[Words]:
    random = np.random.default_rng(0)
    return (words_of(random, WORDS_PER_PASSAGE) for _ in range(passages))


def _batches(corpus: Iterator[Words]) -> Iterator[list[Words]]:
    batch: list[Words] = []
    for words in corpus:
        batch.append(words)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _sqlite_bytes(connection: Any) -> int:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int((pages - free) * size)


def timed(
    work: Callable[[Any], Any], inputs: list[Any], passes: int = 1
) -> tuple[dict[str, float], list[Any]]:
    """Milliseconds by the clock, and of CPU, which a busy machine changes less: of each input the
    least of some passes over all, as neighbours on a shared machine slow it down for seconds.
    """
    wall = np.full((passes, len(inputs)), np.inf)
    cpu = np.full((passes, len(inputs)), np.inf)
    outputs: list[Any] = []
    for turn in range(passes):
        outputs = []
        for at, value in enumerate(inputs):
            began, began_cpu = time.perf_counter(), time.process_time()
            outputs.append(work(value))
            cpu[turn, at] = 1e3 * (time.process_time() - began_cpu)
            wall[turn, at] = 1e3 * (time.perf_counter() - began)
    figures = {
        f"{name}p{share}": round(float(np.percentile(times.min(axis=0), share)), 2)
        for name, times in (("", wall), ("cpu_", cpu))
        for share in (50, 95)
    }
    return figures, outputs


def measure(name: str, passages: int, count: int) -> tuple[dict[str, Any], list[list[float]]]:
    random = np.random.default_rng(1)
    queries = {
        f"query_{low}_to_{high}_words_ms": [
            words_of(random, int(random.integers(low, high + 1))) for _ in range(count)
        ]
        for low, high in QUERY_WORDS
    }
    # tantivy may still be merging files when it is left.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        engine = ENGINES[name](Path(folder))
        began = time.process_time()
        engine.build(corpus_of(passages))
        result: dict[str, Any] = {"build_cpu_seconds": round(time.process_time() - began, 1)}
        tops: list[list[float]] = []
        for label, asked in queries.items():
            engine.top(asked[0])
            result[label], found = timed(engine.top, asked, PASSES)
            tops += found
        if hasattr(engine, "bytes"):
            result["index_bytes"] = engine.bytes()
        if hasattr(engine, "add"):
            result["add_one_ms"], _ = timed(
                engine.add, [words_of(random, WORDS_PER_PASSAGE) for _ in range(ADDED)]
            )
    return result, tops


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=60, help="of each length")
    parser.add_argument("--peers", default=",".join(ENGINES), help="names, separated by commas")
    options = parser.parse_args()
    results: dict[str, Any] = {"passages": options.passages}
    tops: dict[str, list[list[float]]] = {}
    for name in options.peers.split(","):
        if name in ("tantivy", "bm25s") and importlib.util.find_spec(name) is None:
            print(f"{name} is not installed: pip install 'localpers[bench]'", file=sys.stderr)
            continue
        print(f"{name} …", file=sys.stderr)
        results[name], tops[name] = measure(name, options.passages, options.queries)
    if {"localpers", "rank_bm25"} <= tops.keys():
        for ours, oracle in zip(tops["localpers"], tops["rank_bm25"], strict=True):
            assert np.allclose(ours, oracle), "the top 10 differ from rank_bm25's"
        results["same_top_10_as_rank_bm25"] = True
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
