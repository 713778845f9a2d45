"""What does it cost to score every vector from the database? Against numpy on the same vectors,
unpacked in memory.

python benchmarks/dense.py [PASSAGES]
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

PASSAGES = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
DIMENSION = 384
QUERIES = 10


class Drawn:
    """Random vectors, the same for the same text."""

    name, sha256, dimension = "drawn", "0" * 64, DIMENSION
    query_prefix = passage_prefix = ""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        seeds = [int.from_bytes(text.encode()[-8:], "little") for text in texts]
        drawn = np.stack([np.random.default_rng(s).standard_normal(DIMENSION) for s in seeds])
        return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def main() -> None:
    from localpers.datatypes import Document, Kind, Passage
    from localpers.profile import Profile
    from localpers.retrieval.dense import rank_by_vector
    from localpers.store import Store
    from localpers.store.files import StoredFile

    random = np.random.default_rng(0)
    vectors = random.standard_normal((PASSAGES, DIMENSION), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    encoder = Drawn()
    with tempfile.TemporaryDirectory() as home:
        os.environ["LOCALPERS_HOME"] = home
        profile = Profile.open()
        with Store.open(profile) as store:
            with store.transaction():
                file = store.files.put(StoredFile(0, "all", 0, 0, "", 0, None))
                ids = store.documents.add(
                    file,
                    Document("-" * PASSAGES, "", Kind.NOTE, ()),
                    date="",
                    date_from="file",
                    language="",
                    content_hash="",
                    passages=[Passage(at, at + 1) for at in range(PASSAGES)],
                )
                store.vectors.put(ids, vectors)
            ours, theirs = [], []
            for number in range(QUERIES):
                query = f"query {number}"
                began = time.perf_counter()
                top = rank_by_vector(store, encoder, query, 10)
                ours.append(time.perf_counter() - began)
                began = time.perf_counter()
                scores = vectors @ encoder.encode([query])[0]
                best = np.argpartition(scores, -10)[-10:]
                theirs.append(time.perf_counter() - began)
                assert abs(top[0][1] - float(scores[best].max())) < 2e-3
        size = profile.database.stat().st_size
    print(
        json.dumps(
            {
                "passages": PASSAGES,
                "localpers_ms": 1e3 * statistics.median(ours),
                "numpy_in_memory_ms": 1e3 * statistics.median(theirs),
                "times_slower": statistics.median(ours) / statistics.median(theirs),
                "database_bytes_per_passage": size / PASSAGES,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
