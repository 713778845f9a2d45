"""The proof of what docs/privacy.md promises, on this machine and at this moment.

Being offline proves nothing. So every attempt is made twice: by a child that was started before
this process was sealed, which has to succeed, and after that by a child and a thread of the sealed
process, which have to get EPERM.
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
from localpers.permissions import Entry, entries, links, mend
from localpers.privacy import airgap, probes
from localpers.privacy.process_title import TITLE
from localpers.profile import home, profile_names, profiles_folder

REFUSED = "EPERM"
_SECONDS = 60
_CONTROLS = ("tcp", "udp", "native call")
"""What any program can make on any machine: where the control child cannot, nothing is proved."""
_WRITABLE_BY_OTHERS = 0o022
_UNSEEN = "a link: nothing is known of what it leads to"


@dataclass(frozen=True, slots=True)
class Proof:
    """One attempt: what came of it in the sealed process and in the control child.

    `holds` is None for what is not promised on this system.
    """

    attempt: str
    sealed: str
    control: str
    by: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A file or folder that localpers keeps. `was` is the mode it had, None if it was right."""

    path: Path
    is_folder: bool
    bytes: int
    mode: int
    what: str
    was: int | None = None
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """`unfiltered_because` says why the kernel refuses nothing here, empty where it does."""

    proofs: list[Proof]
    kept: list[Kept]
    unfiltered_because: str

    @property
    def holds(self) -> bool:
        """Whether everything promised on this system was seen to hold."""
        return all(proof.holds is not False for proof in self.proofs) and not any(
            kept.complaint for kept in self.kept
        )


def audit(models: Path) -> Audit:
    """Seal this process, try every way out, and look at every file; loose modes are mended.

    It has to be called before the process is sealed. Raises LocalpersError where no child can be
    started.
    """
    if airgap.is_filtered():
        raise LocalpersError("This process is sealed already: run 'localpers audit' by itself.")
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
            "run it where processes may be started."
        ) from None


def _in_an_older_thread(attempt: Callable[[], str], seal: Callable[[], None]) -> str:
    """What comes of `attempt` after `seal` in a thread that was there before."""
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
    outcome = "makes sockets" if able else "cannot make sockets: nothing is proved here"
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
        return Proof("reading the command line", "not to be seen here", "", by, None)
    hidden = line == TITLE
    return Proof("reading the command line", TITLE if hidden else "arguments", "", by, hidden)


def _kept(models: Path) -> list[Kept]:
    profiles = [profiles_folder() / name for name in profile_names()]
    roots = [home(), *(profile for profile in profiles if profile.is_symlink())]
    mended = {entry.path: entry.mode for root in roots for entry in mend(root)}
    kept = [_personal(e, mended.get(e.path)) for root in roots for e in entries(root)]
    kept += [_link(link) for root in roots for link in links(root) if link not in roots]
    if not models.is_relative_to(home()):
        kept += [_public(entry) for entry in entries(models)]
    return kept


def _personal(entry: Entry, was: int | None) -> Kept:
    complaint = "open to others and not yours to change" if entry.is_loose else ""
    if entry.owner != os.getuid():
        complaint = "another user's"
    what = "model" if entry.path.suffix == ".gguf" else "data"
    return _kept_as(entry, what, was, complaint)


def _link(path: Path) -> Kept:
    return Kept(path, False, 0, path.lstat().st_mode & 0o777, "link", None, _UNSEEN)


def _public(entry: Entry) -> Kept:
    """Base models hold nothing of anyone, and may be shared; but none may be exchanged."""
    exchangeable = entry.mode & _WRITABLE_BY_OTHERS or entry.owner not in (0, os.getuid())
    return _kept_as(entry, "base model", None, "others may exchange it" if exchangeable else "")


def _kept_as(entry: Entry, what: str, was: int | None, complaint: str) -> Kept:
    return Kept(entry.path, entry.is_folder, entry.bytes, entry.mode, what, was, complaint)
