"""How many cores compute, and who decides how threads wait, as a new process has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from localpers import threads
from localpers.threads import THREADS


def printed(code: str, **environment: str) -> str:
    names = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_NUM_THREADS", THREADS)
    clean = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-c", f"import os; {code}"]
    run = subprocess.run(command, env=clean | environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_the_stated_number_of_cores_holds_for_torch_too() -> None:
    pytest.importorskip("torch", reason="needs the extra 'tune'")
    code = (
        "from localpers.tuning.device import import_torch; print(import_torch().get_num_threads())"
    )
    assert printed(code, LOCALPERS_THREADS="3") == "3"
    assert printed(code, LOCALPERS_THREADS="1") == "1"


@pytest.mark.parametrize(
    ("environment", "spins"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_threads_wait_asleep_where_the_user_has_not_said_how(
    environment: dict[str, str], spins: str
) -> None:
    code = (
        "from localpers.weights.native import llama_cpp; llama_cpp(); "
        "print(os.environ.get('GOMP_SPINCOUNT'))"
    )
    assert printed(code, **environment) == spins


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("150000 100000", 1), ("20000 100000", 1), ("max 100000", None), ("", None)],
)
def test_a_container_gets_no_more_threads_than_its_share(
    quota: str, cores: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(THREADS, raising=False)
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "none")
    without = threads.threads()
    monkeypatch.setattr(threads, "QUOTA", tmp_path / "cpu.max")
    (tmp_path / "cpu.max").write_text(quota)
    assert threads.threads() == (without if cores is None else cores)
