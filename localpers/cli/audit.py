"""`localpers audit`: verify the privacy guarantees on this machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from localpers.cli.console import Json, print_json, say

if TYPE_CHECKING:
    from localpers.privacy.audit import Audit, Kept

_MARKS = {True: "ok", False: "FAIL", None: "–"}


def audit(as_json: Json = False) -> None:
    """Prove that nothing leaves this machine and that no other user can read your data."""
    from localpers.privacy.audit import audit as prove
    from localpers.weights.catalog import models_folder

    found = prove(models_folder())
    if as_json:
        print_json(_document(found))
    else:
        _say_proofs(found)
        _say_kept(found.kept)
        say()
        say("All checks passed." if found.holds else "A check failed: see above.")
    if not found.holds:
        raise typer.Exit(1)


def _say_proofs(found: Audit) -> None:
    say(
        "Network: attempts in a sealed process (all commands but 'models pull') and an unsealed one"
    )
    width = max(len(proof.attempt) for proof in found.proofs)
    say(f"  {'':4}  {'':{width}}  {'sealed':12} {'not sealed':16} refused by")
    for proof in found.proofs:
        say(
            f"  {_MARKS[proof.holds]:4}  {proof.attempt:{width}}  {proof.sealed:12} "
            f"{proof.control:16} {proof.by}"
        )
    if found.unfiltered_because:
        say(f"  Not enforced by the kernel: {found.unfiltered_because}")


def _say_kept(kept: list[Kept]) -> None:
    say()
    say("Files: folders have mode 0700, files 0600; base models contain no personal data")
    for one in kept:
        size = "folder" if one.is_folder else f"{one.bytes:,}"
        remark = one.complaint or (f"fixed, was {one.was:04o}" if one.was is not None else "")
        mark = "FAIL" if one.complaint else "ok"
        say(f"  {mark:4}  {one.mode:04o} {size:>15}  {one.path}" + (f"  ({remark})" * bool(remark)))
    files = [one for one in kept if not one.is_folder]
    fixed = sum(one.was is not None for one in kept)
    say(
        f"  {len(files)} files, {sum(one.bytes for one in files) / 1e6:,.1f} MB; "
        f"{fixed} modes fixed, {sum(bool(one.complaint) for one in kept)} problems left"
    )


def _document(found: Audit) -> dict[str, Any]:
    files = [one for one in found.kept if not one.is_folder]
    return {
        "holds": found.holds,
        "not_enforced": found.unfiltered_because or None,
        "proofs": [asdict(proof) for proof in found.proofs],
        "kept": [_kept_record(one) for one in found.kept],
        "files": len(files),
        "bytes": sum(one.bytes for one in files),
        "mended": sum(one.was is not None for one in found.kept),
    }


def _kept_record(one: Kept) -> dict[str, Any]:
    return {
        "path": str(one.path),
        "what": one.what,
        "folder": one.is_folder,
        "bytes": one.bytes,
        "mode": f"{one.mode:04o}",
        "mended_from": None if one.was is None else f"{one.was:04o}",
        "complaint": one.complaint or None,
    }
