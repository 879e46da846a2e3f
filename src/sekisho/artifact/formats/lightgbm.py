"""LightGBM: its text."""

from __future__ import annotations

from typing import Final

from sekisho.artifact.boosters.lightgbm import BOOSTER
from sekisho.artifact.formats.interface import BoosterFormat

FORMAT: Final = BoosterFormat(BOOSTER, "model.txt")
