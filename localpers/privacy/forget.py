"""Forget documents: remove them from the index and the runs, and delete the weights of adapters
that learned from them. The user's own files are not changed.

A record of the work (localpers.forgotten.Forgetting) is written first and removed last, and every
step can be repeated, so that `finish` completes a forget that was interrupted at any point.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from localpers.datatypes import StoredDocument
from localpers.encryption.vault import WEIGHTS
from localpers.errors import LocalpersError
from localpers.forgotten import Forgetting, Forgotten, names_of
from localpers.profile import Profile, write_atomically
from localpers.retrieval.indexing import Indexer
from localpers.runs import Origin, RunFolder, all_runs, finished_runs
from localpers.store import Store
from localpers.weights.digest import compute_sha256

if TYPE_CHECKING:
    from localpers.runs.records import RunFile

FEWEST_ID_CHARACTERS = 6
EVALUATION_FILES = ("evaluation.json", "evaluation.partial.jsonl", "report.html")
"""Files that `eval` writes to a run's folder; they quote documents."""
_AT_ONCE = 200
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Affected:
    """A run that learned from forgotten documents and loses its weights.

    `action` is `demoted` (it was promoted), `removed` (it was not) or `abandoned` (interrupted).
    """

    run: str
    action: str
    base: str
    recipe: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a forget removes: `documents` in the index, and `origins` (in runs) of earlier versions
    and deleted files.
    """

    documents: tuple[StoredDocument, ...]
    origins: tuple[Origin, ...]
    affected: tuple[Affected, ...]
    forgetting: Forgetting
    forgotten: Forgotten


def plan(profile: Profile, store: Store, paths: Sequence[Path], ids: Sequence[str]) -> Plan:
    """Plan to forget everything at or below `paths`, documents whose content hashes begin with
    `ids`, and documents with the same text. Changes nothing.

    Raises LocalpersError if a path or id matches nothing, or an id matches several documents.
    """
    runs = all_runs(profile)
    origins = [origin for run in runs for origin in run.origins()]
    roots = [name for path in paths for name in _known_names(path, store, origins)]
    named = {_the_hash(id, store, runs, origins) for id in ids}
    forgotten = Forgotten.of(profile)

    def wanted(path: str, content_hash: str) -> bool:
        return content_hash in named or any(_is_below(path, root) for root in roots)

    known = [d for d in store.documents.all() if wanted(d.path, d.content_hash)]
    places = {(d.path, d.part) for d in known}
    places |= {(o.path, o.part) for o in origins if o.content_hash in named}
    earlier = [o for o in origins if wanted(o.path, o.content_hash) or (o.path, o.part) in places]
    hashes = {d.content_hash for d in known} | named | {o.content_hash for o in earlier}
    texts = {forgotten.text_digest(d.text) for d in known} - {None}
    documents = [
        document
        for document in store.documents.all()
        if wanted(document.path, document.content_hash)
        or document.content_hash in hashes
        or (texts and forgotten.text_digest(document.text) in texts)
    ]
    hashes |= {document.content_hash for document in documents}
    files = {file.path for root in roots for file in store.files.below(root)}
    files |= {o.path for o in earlier if any(_is_below(o.path, root) for root in roots)}
    # A document without a part is its whole file.
    files |= {path for path, part in places if not part}
    digests = [forgotten.of_file(path) for path in sorted(files)]
    digests += [forgotten.of_document(d.path, d.part, d.text) for d in known]
    # Of documents no longer indexed only the place is known.
    digests += [forgotten.of_document(o.path, o.part, "") for o in sorted(set(earlier))]
    return Plan(
        documents=tuple(documents),
        origins=tuple(sorted(set(earlier))),
        affected=tuple(_affected(profile, runs, hashes)),
        forgetting=Forgetting(tuple(sorted(hashes)), tuple(sorted(files)), tuple(digests)),
        forgotten=forgotten,
    )


def forget(profile: Profile, store: Store, planned: Plan, show: Progress | None = None) -> None:
    """Carry out the plan. The caller holds Profile.exclusive.

    Raises LocalpersError while another command reads the database; the next command then finishes
    the forget.
    """
    planned.forgotten.save()  # The key may be new.
    planned.forgetting.save(profile)
    finish(profile, store, show)


def finish(profile: Profile, store: Store, show: Progress | None = None) -> bool:
    """Finish an interrupted forget; returns whether there was one. Raises as `forget`."""
    forgetting = Forgetting.interrupted(profile)
    if forgetting is None:
        return False
    forgotten = Forgotten.of(profile)
    forgotten.add(forgetting.digests)
    forgotten.save()
    hashes = frozenset(forgetting.hashes)
    tainted = {
        run.id for run in all_runs(profile) if not run.data().learned_from().isdisjoint(hashes)
    }
    able = {run.id for run in finished_runs(profile) if run.record().served} - tainted
    answered = {run for run in (profile.promoted(), *profile.earlier()) if run is not None}
    profile.withdraw(answered - able)
    for run in all_runs(profile):
        _clean_run(run, hashes, run.id in tainted)
    # Evaluations without a run do not record which documents they quote.
    _remove(profile.files / "evaluation")
    _clean_store(store, hashes, forgetting.files, show)
    if profile.vault is not None:
        profile.vault.sync()
    # Until here they tell an interrupted forget which of them it has to clean.
    for run in finished_runs(profile):
        if not run.data().known().isdisjoint(hashes):
            _describe_without(run, hashes)
    Forgetting.path(profile).unlink()
    return True


def gone(store: Store, runs: Iterable[RunFolder]) -> dict[str, list[str]]:
    """run → paths of files that its adapter learned from and that are no longer indexed."""
    indexed = store.files.paths()
    found: dict[str, list[str]] = {}
    for run in runs:
        record = run.record()
        learned = frozenset() if record.tainted else record.data.learned_from()
        found[run.id] = sorted(
            {o.path for o in run.origins() if o.content_hash in learned and o.path not in indexed}
        )
    return found


def _known_names(path: Path, store: Store, origins: Sequence[Origin]) -> list[str]:
    """The paths in the index or in runs that stand for `path`. Raises LocalpersError for none."""
    known = [
        name
        for name in sorted(names_of(path))
        if store.files.below(name) or any(_is_below(o.path, name) for o in origins)
    ]
    if not known:
        raise LocalpersError(
            f"Nothing at {path.expanduser().absolute()} is indexed or known to a run: check the "
            "path ('localpers search --json' shows the paths of documents)."
        )
    return known


def _is_below(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _the_hash(id: str, store: Store, runs: Iterable[RunFolder], origins: Iterable[Origin]) -> str:
    """The one content hash that begins with `id`, in the index or in a run."""
    wanted = id.lower()
    found: set[str] = set()
    if len(wanted) >= FEWEST_ID_CHARACTERS:
        hashes = {document.content_hash for document in store.documents.all()}
        hashes |= {origin.content_hash for origin in origins}
        hashes = hashes.union(*(run.data().known() for run in runs))
        found = {content_hash for content_hash in hashes if content_hash.startswith(wanted)}
    if len(found) == 1:
        return found.pop()
    what = f"{len(found)} documents begin" if found else "no document begins"
    raise LocalpersError(
        f"'{id}': {what} with it. Use {FEWEST_ID_CHARACTERS} or more characters of an id shown by "
        "'localpers forget FILE --dry-run' or 'localpers search --json'."
    )


def _affected(profile: Profile, runs: Iterable[RunFolder], hashes: set[str]) -> Iterator[Affected]:
    promoted = profile.promoted()
    for run in runs:
        if run.is_resumable:
            plan = run.plan()
            if not plan.data.known().isdisjoint(hashes):
                yield Affected(run.id, "abandoned", plan.base.name, plan.recipe)
        elif run.is_finished:
            record = run.record()
            if not record.tainted and not record.data.learned_from().isdisjoint(hashes):
                action = "demoted" if run.id == promoted else "removed"
                yield Affected(run.id, action, record.base, record.recipe)


def _clean_run(run: RunFolder, hashes: frozenset[str], tainted: bool) -> None:
    for path in run.path.glob(".*"):  # What a killed process was writing.
        _remove(path)
    if not run.is_finished and not run.is_resumable:
        _remove(run.path)
    elif run.data().known().isdisjoint(hashes):
        return
    elif not run.is_finished:
        _remove(run.path)
    elif tainted:
        _remove_weights(run)
    else:
        _redact(run, hashes)


def _remove_weights(run: RunFolder) -> None:
    """Leave of a run what it measured, and nothing else."""
    mark = datetime.now().astimezone().isoformat(timespec="seconds")
    cleared = {"tainted": mark, "served": None, "promoted": False}
    run.finish(run.record().model_copy(update=cleared))
    for path in run.path.iterdir():
        if path != run.record_file:
            _remove(path)


def _redact(run: RunFolder, hashes: frozenset[str]) -> None:
    """Remove the documents from a run whose adapter did not learn from them."""
    for name in EVALUATION_FILES:
        (run.path / name).unlink(missing_ok=True)
    for path in (run.held_out, run.provenance):
        if path.exists():
            lines = path.read_text(encoding="utf-8").split("\n")
            kept = [line for line in lines if line and not _names(line, hashes)]
            write_atomically(path, "".join(line + "\n" for line in kept))


def _names(line: str, hashes: frozenset[str]) -> bool:
    return json.loads(line).get("content_hash") in hashes


def _describe_without(run: RunFolder, hashes: frozenset[str]) -> None:
    record = run.record()
    files = {
        name: _described(run.path / name, was)
        for name, was in record.files.items()
        if os.path.lexists(run.path / name)
    }
    run.finish(record.model_copy(update={"data": record.data.without(hashes), "files": files}))


def _described(path: Path, was: RunFile) -> RunFile:
    """Weights stay as they were; those of an encrypted profile are not even fetched."""
    if path.suffix in WEIGHTS:
        return was
    now = {"bytes": path.stat().st_size, "sha256": compute_sha256(path)}
    return was.model_copy(update=now)


def _remove(path: Path) -> None:
    """A file or a folder; raises OSError where it stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _clean_store(
    store: Store, hashes: frozenset[str], files: Iterable[str], show: Progress | None
) -> None:
    indexer = Indexer(store)
    indexer.refresh()
    documents = [(d.id, d.path) for d in store.documents.all() if d.content_hash in hashes]
    paths = {*files, *(path for _, path in documents)}
    for start in range(0, len(documents), _AT_ONCE):
        with store.transaction():
            for id, _ in documents[start : start + _AT_ONCE]:
                indexer.remove(id)
        if show:
            show(min(start + _AT_ONCE, len(documents)), len(documents))
    with store.transaction():
        for file in store.files.below("/"):
            if file.path in paths and not store.documents.parts_of(file.id):
                store.files.remove(file.id)
    store.rewrite()
