"""The public names, and what importing costs."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import sekisho

PUBLIC = ["DriftDetector", "ModelArtifact", "__version__", "check", "pack", "serve"]


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
