"""The public names, and what importing costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import sekisho

PUBLIC = ["DriftDetector", "ModelArtifact", "Registry", "__version__", "check", "pack", "score_file", "serve"]


def test_the_public_names_are_pinned() -> None:
    assert sorted(sekisho.__all__) == PUBLIC
    assert dir(sekisho) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(sekisho, name)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pack'"):
        _ = sekisho.Pack


def test_importing_sekisho_imports_none_of_its_rooms() -> None:
    assert modules_after("import sekisho") == ["sekisho"]


CORE = {
    "click", "fastapi", "httptools", "jinja2", "msgspec", "numpy", "onnxruntime", "prometheus_client", "rich", "uvloop",
}  # fmt: skip
EXTRAS = {
    "boto3", "botocore", "httpx2", "hypothesis", "matplotlib", "onnx", "pandas", "polars", "pyarrow", "scipy", "skl2onnx",
    "sklearn", "skops", "yaml",
}  # fmt: skip


@pytest.mark.parametrize("room", ["contract", "ledger", "artifact", "predict", "gate", "serving", "watch", "scoring"])
def test_a_room_that_ships_is_imported_with_the_core_dependencies_alone(room: str) -> None:
    walk = (
        "import importlib, pkgutil\n"
        f"import sekisho.{room} as room\n"
        "for info in pkgutil.walk_packages(room.__path__, prefix=room.__name__ + '.'):\n"
        "    if not info.name.endswith('__main__'): importlib.import_module(info.name)\n"
    )
    found = {name.partition(".")[0] for name in modules_after(walk)}
    assert found & EXTRAS == set()
    assert "sekisho" in found


def test_the_contract_needs_neither_numbers_nor_the_web() -> None:
    found = {
        name.partition(".")[0] for name in modules_after("import sekisho.contract.loader, sekisho.contract.writing")
    }
    assert found & CORE == {"msgspec"}


def modules_after(statement: str) -> list[str]:
    """Return which modules of Sekisho and of any other distribution ``statement`` imports in a new interpreter."""
    script = f"""
import sys
before = set(sys.modules)
{statement}
new = set(sys.modules) - before
import json
from importlib.metadata import packages_distributions
others = set(packages_distributions())
print(json.dumps(sorted(n for n in new if n.startswith("sekisho") or n.partition(".")[0] in others)))
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names = json.loads(ended.stdout)
    assert isinstance(names, list)
    return names
