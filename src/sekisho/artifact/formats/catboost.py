"""CatBoost: its binary format."""

from __future__ import annotations

from typing import Final

from sekisho.artifact.boosters.catboost import BOOSTER
from sekisho.artifact.formats.interface import BoosterFormat

FORMAT: Final = BoosterFormat(BOOSTER, "model.cbm")
