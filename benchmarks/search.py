"""How fast is exact BM25? Against a scan by rank_bm25 over the same passages.

python benchmarks/search.py [PASSAGES]
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections import Counter

import numpy as np

PASSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
WORDS_PER_PASSAGE = 60
VOCABULARY = 50_000
QUERIES = 50


def main() -> None:
    random = np.random.default_rng(0)
    corpus = [
        [f"w{rank}" for rank in random.zipf(1.2, WORDS_PER_PASSAGE) % VOCABULARY]
        for _ in range(PASSAGES)
    ]
    queries = [
        [f"w{rank}" for rank in random.zipf(1.2, random.integers(3, 9)) % VOCABULARY]
        for _ in range(QUERIES)
    ]
    from rank_bm25 import BM25Plus

    from localpers.profile import Profile
    from localpers.retrieval.bm25 import rank_passages
    from localpers.store import Store

    with tempfile.TemporaryDirectory() as home:
        os.environ["LOCALPERS_HOME"] = home
        with Store.open(Profile.open()) as store:
            with store.transaction():
                for number, words in enumerate(corpus):
                    store.postings.add(number, Counter(words))
            oracle = BM25Plus(corpus, delta=0)
            ours, theirs = [], []
            for query in queries:
                began = time.perf_counter()
                top = rank_passages(store.postings, query, 10).top
                ours.append(time.perf_counter() - began)
                began = time.perf_counter()
                scores = oracle.get_scores(query)
                theirs.append(time.perf_counter() - began)
                expected = np.sort(scores)[::-1][: len(top)]
                assert np.allclose([score for _, score in top], expected)
    print(
        json.dumps(
            {
                "passages": PASSAGES,
                "localpers_ms": 1e3 * statistics.median(ours),
                "localpers_p95_ms": 1e3 * float(np.percentile(ours, 95)),
                "rank_bm25_ms": 1e3 * statistics.median(theirs),
                "times_faster": statistics.median(theirs) / statistics.median(ours),
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
