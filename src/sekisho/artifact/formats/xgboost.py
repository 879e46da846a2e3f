"""XGBoost: UBJ, or JSON as it comes."""

from __future__ import annotations

from typing import Final

from sekisho.artifact.boosters.xgboost import BOOSTER
from sekisho.artifact.formats.interface import BoosterFormat

FORMAT: Final = BoosterFormat(BOOSTER, "model.ubj")
