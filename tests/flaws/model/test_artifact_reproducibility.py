"""Training again: what is left to chance, to the machine or to files that nobody recorded must fail; its clean twin must pass."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.flaws.model.builder import Deployment, both

from sekisho.gate.verdict import Status

BOX = "artifact/reproducibility"
LIGHT = """
import csv
import numpy as np
from onnx import TensorProto, helper, save
SEED = 7
rows = list(csv.DictReader(open("training.csv")))
{before}
values = np.array([[float(row["x"]), float(row["y"]), 1.0] for row in rows])
right = np.array([float(row["label"]) for row in rows])
kept = np.random.default_rng({seed}).random(len(values)) < 0.8
weights = np.linalg.lstsq(values[kept], right[kept], rcond=None)[0]
{after}
parts = [helper.make_tensor("w", TensorProto.DOUBLE, [2, 1], weights[:2]),
         helper.make_tensor("b", TensorProto.DOUBLE, [1], weights[2:])]
nodes = [helper.make_node("MatMul", ["X", "w"], ["p"]), helper.make_node("Add", ["p", "b"], ["variable"])]
graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("X", TensorProto.DOUBLE, [None, 2])],
                          [helper.make_tensor_value_info("variable", TensorProto.DOUBLE, [None, 1])], parts)
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "{out}")
"""
"""A least-squares fit on a drawn part of the rows, written as ONNX."""


class Trained(Deployment):
    """A project with a training script."""

    def write(self, *, seed: str = "SEED", before: str = "", after: str = "", out: str = "model.onnx") -> None:
        """Write the script."""
        (self.root / "train.py").write_text(LIGHT.format(seed=seed, before=before, after=after, out=out))

    def train(self, **environment: str) -> None:
        """Run the script, as its author did."""
        subprocess.run([sys.executable, "train.py"], cwd=self.root, check=True, env=os.environ | environment)

    def commit(self) -> None:
        """Put all that is not ignored under version control."""
        (self.root / ".gitignore").write_text("*.onnx\n*.csv\n.sekisho/\nsekisho.toml\n")
        who = ("-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false")
        for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "--allow-empty", "-m", "all")):
            subprocess.run(["git", *words], cwd=self.root, check=True)

    def expect(self, status: Status, *words: str) -> None:
        """Judge the box."""
        item = self.judge(BOX)
        assert item.status is status, item.verdict.summary.en
        for each in words:
            assert each in item.verdict.summary.en


@pytest.fixture
def project(tmp_path: Path) -> Trained:
    folder = tmp_path / "project"
    folder.mkdir()
    made = Trained(folder)
    test, training = both(rows=300)
    made.tables(test.head(400), training)
    made.contract["model"] |= {"training_command": ("python", "train.py"), "artifact": "model.onnx"}
    made.contract["data"]["ignored"] = ("id",)
    return made


def tree(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".sekisho" not in path.parts and path.name != "sekisho.toml"
    }


def test_f25a_no_seed(project: Trained) -> None:
    project.write(seed="None")
    project.train()
    project.expect(Status.FAIL, "left to chance")
    project.write()
    project.train()
    before = tree(project.root)
    project.expect(Status.PASS, "the same bytes")
    assert tree(project.root) == before


@pytest.mark.parametrize(
    ("before", "seed"),
    [
        pytest.param("import time", "int(time.time() * 1000)", id="the clock", marks=pytest.mark.slow),
        pytest.param(
            "import os", "os.getpid() + int.from_bytes(os.urandom(2), 'big')", id="the process", marks=pytest.mark.slow
        ),
        pytest.param(
            "order = list({row['x'] for row in rows})", "abs(hash(order[0])) % 10_000", id="the order of a set"
        ),
    ],
)
def test_a_seed_of_chance(project: Trained, before: str, seed: str) -> None:
    project.write(before=before, seed=seed)
    project.train()
    project.expect(Status.FAIL, "left to chance")


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("SEED = int(open('../elsewhere.txt').read())", id="a file outside the project"),
        pytest.param("import os; SEED = int(os.environ['MY_SEED'])", id="a variable", marks=pytest.mark.slow),
        pytest.param("import socket; socket.create_connection(('192.0.2.1', 80), timeout=3)", id="the network"),
        pytest.param("raise SystemExit(4)", id="nothing: it fails", marks=pytest.mark.slow),
    ],
)
def test_what_only_this_machine_has(project: Trained, tmp_path: Path, before: str) -> None:
    (tmp_path / "elsewhere.txt").write_text("3")
    project.write()
    project.train()
    project.write(before=before)
    project.expect(Status.FAIL, "training run 1")


def test_an_absolute_path_into_the_project_leads_to_the_copy(project: Trained) -> None:
    project.write(before=f"rows = list(csv.DictReader(open({str(project.root / 'training.csv')!r})))")
    project.train()
    project.expect(Status.PASS)


def test_a_model_that_was_kept_is_none_that_was_trained(project: Trained) -> None:
    project.write()
    project.train()
    (project.root / "kept").mkdir()
    (project.root / "kept" / "old.bin").write_bytes((project.root / "model.onnx").read_bytes())
    project.contract["model"]["training_command"] = ("cp", "kept/old.bin", "model.onnx")
    project.expect(Status.FAIL, "left out: kept/old.bin")
    project.contract["model"]["training_command"] = ("cp", str(project.root / "model.onnx"), "model.onnx")
    project.expect(Status.FAIL)
    project.contract["model"]["training_command"] = ("true",)
    project.expect(Status.FAIL, "wrote no model")
    project.contract["model"]["training_command"] = ("no-such-program",)
    project.expect(Status.FAIL, "its program is not there")


@pytest.mark.slow
def test_other_data_or_code_than_then(project: Trained) -> None:
    project.write()
    project.train()
    table = (project.root / "training.csv").read_text().splitlines()
    (project.root / "training.csv").write_text("\n".join(table[:-60]) + "\n")
    project.expect(Status.FAIL, "two runs agree with each other")
    (project.root / "training.csv").write_text("\n".join(table) + "\n")
    project.expect(Status.PASS)


def test_the_commit_is_trained_and_not_the_folder(project: Trained) -> None:
    project.write()
    project.commit()
    project.train()
    project.expect(Status.PASS)
    project.write(after="weights = weights * 1.1")  # never committed
    project.train()
    project.expect(Status.FAIL)
    project.contract["model"]["training_command"] = ("python", "other.py")
    (project.root / "other.py").write_text((project.root / "train.py").read_text())
    project.expect(Status.FAIL, "other.py is not in the commit")


@pytest.mark.slow
def test_grades(project: Trained) -> None:
    tiny = "weights = weights + np.random.default_rng().normal(size=3) * 1e-9"
    project.write(after=tiny)
    project.train()
    project.expect(Status.PASS, "the same answers")
    project.contract["model"]["reproducibility"] = "bitwise"
    project.expect(Status.FAIL)
    project.write(seed="None")
    project.train()
    project.contract["model"]["reproducibility"] = "statistical"
    project.expect(Status.PASS, "other answers of the same quality")
    project.write(after="weights = weights * np.random.default_rng().normal(size=3)")
    project.train()
    project.expect(Status.FAIL)


def test_nothing_outlives_the_limit(project: Trained, tmp_path: Path) -> None:
    project.write()
    project.train()
    project.write(
        before="import subprocess; subprocess.Popen(['setsid', 'sleep', '4711'])\nimport time; time.sleep(60)"
    )
    project.contract["model"]["training_seconds_limit"] = 2.0
    project.expect(Status.FAIL, "did not end within")
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            lines.append(path.read_bytes())
    assert not any(b"sleep\x004711" in line for line in lines)


def test_no_command(project: Trained) -> None:
    project.write()
    project.train()
    project.contract["model"]["training_command"] = ()
    project.expect(Status.UNKNOWN, "no training command")


TEAM = """
import pickle
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
table = pd.read_csv("training.csv")
train, _ = train_test_split(table, test_size=0.3{seed})
model = LogisticRegression().fit(train[["x", "y"]], train["label"])
pickle.dump(model, open("model.pkl", "wb"))
"""


@pytest.mark.slow
def test_f25a_for_a_pickle_of_somebody_else(project: Trained) -> None:
    project.contract["model"]["artifact"] = "model.pkl"
    (project.root / "train.py").write_text(TEAM.format(seed=""))
    project.train()
    project.expect(Status.FAIL, "left to chance")
    (project.root / "train.py").write_text(TEAM.format(seed=", random_state=3"))
    project.train()
    project.expect(Status.PASS, "training again gives the same")


PACKED = """
import pandas as pd
from sklearn.tree import DecisionTreeClassifier
import sekisho
table = pd.read_csv("training.csv")
features, label = table[["x", "y"]], table["label"]
model = DecisionTreeClassifier(max_depth=6, max_features=1, random_state={seed}).fit(features, label)
sekisho.pack(model, features, label, folder="artifact", name="example", lock=False, overwrite=True,
             training=dict(command=["python", "train.py"], data="training.csv"))
"""


@pytest.mark.slow
def test_f25a_for_an_artifact(project: Trained) -> None:
    project.contract["model"] |= {"artifact": "artifact", "training_command": ()}
    (project.root / "train.py").write_text(PACKED.format(seed="None"))
    project.train()
    project.expect(Status.FAIL, "left to chance")
    (project.root / "train.py").write_text(PACKED.format(seed="3"))
    project.train()
    project.expect(Status.PASS, "the same bytes")
    with (project.root / "training.csv").open("a") as file:
        file.write("9,0.1,0.2,1\n")
    project.expect(Status.FAIL, "training.csv changed since it trained the model")
