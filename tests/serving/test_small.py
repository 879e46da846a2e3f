"""What ships is small: a service of an ONNX artifact runs where none of the libraries is installed that made it."""

from __future__ import annotations

from pathlib import Path

from .conftest import Running, serving

BLOCKED = (
    "pandas",
    "sklearn",
    "scipy",
    "skops",
    "skl2onnx",
    "onnx",
    "onnxconverter_common",
    "matplotlib",
    "joblib",
    "pyarrow",
    "polars",
    "google.protobuf",
)
# Every process of the service reads this file before it does anything else.
BLOCK = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if any(name == one or name.startswith(one + ".") for one in {BLOCKED!r}):
            raise ModuleNotFoundError("blocked: " + name, name=name)
sys.meta_path.insert(0, Blocker())
"""


def test_it_serves_without_the_libraries_that_trained(
    people_artifact: Path, tmp_path: Path, good: dict[str, object]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BLOCK)
    with serving(people_artifact, ledger=tmp_path / "b.sqlite", environment={"PYTHONPATH": str(tmp_path)}) as running:
        assert running.predict(good).status == 200
        assert running.ask("/predict/batch", [{"features": good}] * 300).json()["count"] == 300
        for path in ("/docs", "/openapi.json", "/model/info", "/metrics"):
            assert running.ask(path).status == 200
        assert running.ask("/invocations", {"instances": [good]}).status == 200
        assert resident_mebibytes(running) < 200


def resident_mebibytes(running: Running) -> float:
    (worker,) = running.workers()
    return int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * 4096 / 2**20
