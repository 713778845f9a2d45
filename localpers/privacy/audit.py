"""Verify the guarantees of docs/privacy.md on this machine.

Being offline proves nothing, so every attempt is made twice: a child started before this process is
sealed must succeed; a child and a thread of the sealed process must get EPERM.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localpers.errors import LocalpersError
from localpers.permissions import Entry, entries, links, restrict
from localpers.privacy import airgap, probes
from localpers.privacy.process_title import TITLE
from localpers.profile import home, profile_names, profiles_folder

REFUSED = "EPERM"
_SECONDS = 60
_CONTROLS = ("tcp", "udp", "native call")
"""Attempts that succeed on any machine; if the control child fails, the audit proves nothing."""
_WRITABLE_BY_OTHERS = 0o022
_UNCHECKED = "a link: its target is not checked"


@dataclass(frozen=True, slots=True)
class Proof:
    """One attempt with its outcome in the sealed process and in the control child.

    `holds` is None if nothing is promised on this system.
    """

    attempt: str
    sealed: str
    control: str
    by: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A file or folder of localpers. `was` is its mode before the audit fixed it, else None."""

    path: Path
    is_folder: bool
    bytes: int
    mode: int
    what: str
    was: int | None = None
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """`unfiltered_because` tells why there is no kernel filter; empty if there is one."""

    proofs: list[Proof]
    kept: list[Kept]
    unfiltered_because: str

    @property
    def holds(self) -> bool:
        """Whether every promise holds."""
        return all(proof.holds is not False for proof in self.proofs) and not any(
            kept.complaint for kept in self.kept
        )


def audit(models: Path) -> Audit:
    """Seal this process, try every way out, and check every file; wrong modes are fixed.

    Raises LocalpersError if the process is sealed already or cannot start a child.
    """
    if airgap.is_filtered():
        raise LocalpersError("This process is already sealed: run 'localpers audit' on its own.")
    control = _probed_by_a_child()
    native = _in_an_older_thread(probes.native_socket, airgap.seal)
    filtered = airgap.is_filtered()
    sealed = _probed_by_a_child("lookup") if filtered else {}
    proofs = [_control_proof(control)]
    proofs += _kernel_proofs(sealed, native, control, filtered)
    proofs += [_hook_proof(control), _title_proof()]
    return Audit(proofs, _kept(models), airgap.unfiltered_because())


def _probed_by_a_child(*arguments: str) -> dict[str, str]:
    try:
        done = subprocess.run(
            [sys.executable, "-I", probes.__file__, *arguments],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
        return dict(json.loads(done.stdout))
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise LocalpersError(
            f"The audit could not start a child process ({type(error).__name__}): "
            "run it where processes can be started."
        ) from None


def _in_an_older_thread(attempt: Callable[[], str], seal: Callable[[], None]) -> str:
    """Outcome of `attempt` after `seal`, in a thread started before."""
    sealed = threading.Event()
    found: list[str] = []

    def wait_and_try() -> None:
        sealed.wait()
        found.append(attempt())

    thread = threading.Thread(target=wait_and_try)
    thread.start()
    try:
        seal()
    finally:
        sealed.set()
        thread.join()
    return found[0]


def _control_proof(control: dict[str, str]) -> Proof:
    able = all(control.get(name) == probes.MADE for name in _CONTROLS)
    outcome = "creates sockets" if able else "cannot create sockets: this proves nothing"
    return Proof("a process that is not sealed", "", outcome, "the control", able)


def _kernel_proofs(
    sealed: dict[str, str], native: str, control: dict[str, str], filtered: bool
) -> list[Proof]:
    promised = sys.platform == "linux"
    if not filtered:
        holds = False if promised else None
        return [Proof("native code and child processes", "not refused", "", "nothing", holds)]
    by = "kernel (seccomp)"
    proofs = [
        Proof(f"{name}, in a child process", found, control.get(name, "not tried"), by, holds)
        for name, found in sealed.items()
        if (holds := _is_refused(found)) is not None
    ]
    thread = Proof(
        "native call, in an older thread", native, control["native call"], by, native == REFUSED
    )
    return [*proofs, thread]


def _is_refused(found: str) -> bool | None:
    return None if found == probes.NOT_HERE else found == REFUSED


def _hook_proof(control: dict[str, str]) -> Proof:
    found = probes.probe_all()
    refused = {found["tcp"], found["udp"], probes.python_lookup()} == {REFUSED}
    outcome = REFUSED if refused else "not refused"
    return Proof("Python code", outcome, control["tcp"], "audit hook (PEP 578)", refused)


def _title_proof() -> Proof:
    by = "process title"
    try:
        line = Path("/proc/self/cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
    except OSError:
        return Proof("reading the command line", "not available here", "", by, None)
    hidden = line == TITLE
    return Proof("reading the command line", TITLE if hidden else "arguments", "", by, hidden)


def _kept(models: Path) -> list[Kept]:
    profiles = [profiles_folder() / name for name in profile_names()]
    roots = [home(), *(profile for profile in profiles if profile.is_symlink())]
    fixed = {entry.path: entry.mode for root in roots for entry in restrict(root)}
    kept = [_personal(e, fixed.get(e.path)) for root in roots for e in entries(root)]
    kept += [_link(link) for root in roots for link in links(root) if link not in roots]
    if not models.is_relative_to(home()):
        kept += [_public(entry) for entry in entries(models)]
    return kept


def _personal(entry: Entry, was: int | None) -> Kept:
    complaint = "accessible by others and owned by another user" if entry.is_open else ""
    if entry.owner != os.getuid():
        complaint = "owned by another user"
    what = "model" if entry.path.suffix == ".gguf" else "data"
    return _kept_as(entry, what, was, complaint)


def _link(path: Path) -> Kept:
    return Kept(path, False, 0, path.lstat().st_mode & 0o777, "link", None, _UNCHECKED)


def _public(entry: Entry) -> Kept:
    """Base models hold no personal data and may be readable, but others must not replace them."""
    replaceable = entry.mode & _WRITABLE_BY_OTHERS or entry.owner not in (0, os.getuid())
    return _kept_as(entry, "base model", None, "others can replace it" if replaceable else "")


def _kept_as(entry: Entry, what: str, was: int | None, complaint: str) -> Kept:
    return Kept(entry.path, entry.is_folder, entry.bytes, entry.mode, what, was, complaint)
