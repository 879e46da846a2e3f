"""Sekisho takes a trained model to production, past a checkpoint whose every box is a program that proves itself.

A model walks the rooms in this order: ``contract`` says what production requires, ``artifact`` packs the model safely,
``probes`` measure, ``checks`` judge, ``gate`` brings them together, ``serving`` answers, ``scoring`` answers whole tables, ``watch``
reads what was answered, and ``targets`` carries it all to where it runs. ``text`` and ``errors`` give every room its words.

Public names are imported when they are first used, so that ``import sekisho`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sekisho.artifact.artifact import ModelArtifact as ModelArtifact
    from sekisho.artifact.packing import pack as pack
    from sekisho.artifact.registry.registry import Registry as Registry
    from sekisho.gate.notebook import check as check
    from sekisho.scoring.score import score_file as score_file
    from sekisho.serving.supervisor import serve as serve
    from sekisho.watch.drift.detector import DriftDetector as DriftDetector

__version__ = "0.1.0"

_HOMES: Final[dict[str, str]] = {
    "DriftDetector": "sekisho.watch.drift.detector",
    "ModelArtifact": "sekisho.artifact.artifact",
    "Registry": "sekisho.artifact.registry.registry",
    "check": "sekisho.gate.notebook",
    "pack": "sekisho.artifact.packing",
    "score_file": "sekisho.scoring.score",
    "serve": "sekisho.serving.supervisor",
}

__all__ = ["DriftDetector", "ModelArtifact", "Registry", "__version__", "check", "pack", "score_file", "serve"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'sekisho' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
