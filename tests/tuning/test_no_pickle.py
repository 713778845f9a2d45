"""Nothing that localpers reads may be a pickle: unpickling runs what the file says."""

from __future__ import annotations

import ast
import pickle
from pathlib import Path

import numpy as np
import pytest

import localpers
from localpers.errors import LocalpersError
from localpers.tuning import checkpoint
from localpers.weights.parity import ReferenceLogits

FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


class Bomb:
    """Unpickled, it writes the file that it was made with."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (exec, (f"open({str(self._path)!r}, 'w').close()",))


def test_no_module_unpickles() -> None:
    for path in Path(localpers.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.Import):
                names = {name.name.split(".")[0] for name in node.names}
                assert not names & FORBIDDEN_MODULES, where
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").split(".")[0] not in FORBIDDEN_MODULES, where
            elif isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                stated = {word.arg: ast.unparse(word.value) for word in node.keywords}
                assert called not in ("eval", "exec", "__import__"), where
                if called == "torch.load":
                    assert stated.get("weights_only") == "True", where
                if called in ("np.load", "numpy.load"):
                    assert stated.get("allow_pickle") == "False", where
                assert not called.endswith("read_pickle"), where


@pytest.mark.parametrize("protocol", [0, 4])
def test_a_checkpoint_that_is_a_pickle_is_refused_unread(tmp_path: Path, protocol: int) -> None:
    pytest.importorskip("torch")
    touched = tmp_path / "touched"
    for path in tmp_path, tmp_path / "sub":
        path.mkdir(exist_ok=True)
        (path / "state.safetensors").write_bytes(pickle.dumps(Bomb(touched), protocol))
        with pytest.raises(LocalpersError, match="tune again without --resume"):
            checkpoint.load(path)
    assert not touched.exists()
    pickle.loads((tmp_path / "state.safetensors").read_bytes())
    assert touched.exists(), "the bomb is none, so the test shows nothing"


def test_reference_logits_that_are_a_pickle_are_refused_unread(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    bomb = np.empty(1, dtype=object)
    bomb[0] = Bomb(touched)
    (tmp_path / "tokens.json").write_text('[{"tokens": [1, 2], "text": ""}]')
    np.save(tmp_path / "0000.npy", bomb, allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        list(ReferenceLogits(tmp_path))
    assert not touched.exists()
