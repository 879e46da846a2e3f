"""A trusted pickle is read where it reaches neither the network nor anybody's files, and comes back in a safe format."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sekisho.artifact import confinement
from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.interpreter import library_folders
from sekisho.artifact.packing import model_in, read_model
from sekisho.artifact.unpickling import resave
from sekisho.errors import ArtifactError, UntrustedFormat

X = np.random.default_rng(0).normal(size=(60, 2))


def fitted() -> Any:
    return LogisticRegression().fit(X, X[:, 0] > 0)


class Runs:
    """Code that a pickle holds, and behind it an honest model."""

    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (self.code,))


def test_only_with_trust(tmp_path: Path) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(fitted()))
    with pytest.raises(UntrustedFormat):
        resave(path, trust=False)
    found = resave(path, trust=True)
    assert found.open_to == ()
    assert np.array_equal(model_in(found.data, where="").predict(X), fitted().predict(X))


@pytest.mark.slow
@pytest.mark.parametrize("compress", [0, 3])
def test_a_model_in_a_mapping(compress: int, tmp_path: Path) -> None:
    joblib.dump({"features": ["a", "b"], "model": fitted()}, tmp_path / "m.joblib", compress=compress)
    assert np.array_equal(read_model(tmp_path / "m.joblib", trust=True).predict(X), fitted().predict(X))


def test_its_code_reaches_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", "of-mine")
    (tmp_path / "key").write_text("of-mine")
    attempts = {
        "writes": f"open({str(tmp_path / 'written')!r}, 'w').write('x')",
        "overwrites": f"open({str(tmp_path / 'key')!r}, 'w').write('x')",
        "reads": f"open({str(tmp_path / 'key')!r}).read()",
        "home": f"open({str(Path.home() / '.sekisho-was-here')!r}, 'w')",
        "network": "__import__('socket').create_connection(('192.0.2.1', 80), timeout=2)",
        "resolver": "__import__('socket').socket(2, 2).sendto(b'x', ('192.0.2.1', 53))",
        "environment of others": f"open('/proc/{os.getpid()}/environ').read()",
        "sockets of others": "__import__('os').listdir('/run')[0]",
        "secret": "__import__('os').environ['A_SECRET']",
        "kills": f"__import__('os').kill({os.getpid()}, 0)",
    }
    code = "seen = []\n"
    for name, attempt in attempts.items():
        code += f"try:\n    {attempt}\n    seen.append({name!r})\nexcept Exception: pass\n"
    code += "raise ValueError('reached: ' + ','.join(seen))"
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps(Runs(code)))
    with pytest.raises(ArtifactError, match="reached: →"):
        resave(path, trust=True)
    assert (tmp_path / "key").read_text() == "of-mine"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["hostile.pkl", "key"]


@pytest.mark.parametrize(
    "code",
    [
        "import os; os._exit(0)",
        "import time; time.sleep(60)",
        "x = bytearray(7 * 2**30)",
        "import os; os.kill(os.getpid(), 9)",
    ],
)
def test_it_hurts_itself_alone(code: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps(Runs(code)))
    with pytest.raises(ArtifactError):
        resave(path, trust=True, seconds=8)


def test_what_it_hands_back_is_judged_like_any_file(tmp_path: Path) -> None:
    inner = pickle.dumps(Runs(f"open({str(tmp_path / 'ran')!r}, 'w')"))
    code = f"import sys, os; open(sys.argv[2] + '/model', 'wb').write({inner!r}); os._exit(0)"
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps(Runs(code)))
    with pytest.raises(UntrustedFormat):
        read_model(path, trust=True)
    assert not (tmp_path / "ran").exists()


def test_what_the_filter_alone_keeps_away(tmp_path: Path) -> None:
    """Where no namespaces can be had, as in many containers, the filters hold by themselves."""
    code = f"""
import sys
sys.path.insert(0, {str(Path(confinement.__file__).parent)!r})
import confinement as c
def refused(*_): raise OSError
c._no_network = c._unshare = refused
c._new_users = lambda: False
print(c.confine(read={list(library_folders(tmp_path))!r}, write=[], copy="/nowhere", place="/nowhere"))
import socket
for family, kind in ((socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_DGRAM), (17, 3)):
    try: socket.socket(family, kind); print("a socket")
    except PermissionError: print("refused")
socket.socketpair()
try: open({str(tmp_path / "x")!r}, "w"); print("written")
except PermissionError: print("refused")
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    held, *rest = done.stdout.splitlines()
    assert json.loads(held.replace("'", '"').replace("True", "true").replace("False", "false")) == {
        "network": True,
        "files": True,
        "place": False,
        "processes": False,
    }
    assert rest == ["refused"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("library", ["xgboost", "lightgbm", "catboost"])
def test_models_of_boosting_libraries(library: str, tmp_path: Path) -> None:
    model: Any
    if library == "xgboost":
        from xgboost import XGBClassifier

        model = XGBClassifier(n_estimators=3, n_jobs=1)
    elif library == "lightgbm":
        from lightgbm import LGBMClassifier

        model = LGBMClassifier(n_estimators=3, n_jobs=1, verbosity=-1)
    else:
        from catboost import CatBoostClassifier

        model = CatBoostClassifier(iterations=3, verbose=False, allow_writing_files=False, thread_count=1)
    right = (X[:, 0] > 0).astype(int)
    model.fit(X, right)
    joblib.dump(model, tmp_path / "model.joblib")
    read = read_model(tmp_path / "model.joblib", trust=True)
    artifact = ModelArtifact(read, {"feature_names": ["a", "b"]}, reference=X, target=right, lock=False)
    assert np.array_equal(artifact.predict(X).values.astype(int), np.asarray(model.predict(X)).ravel().astype(int))
