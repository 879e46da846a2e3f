"""Who is employed in Massachusetts: 24,000 people of the American Community Survey, 6,000 of each year from 2015 to 2018.

Sixteen features (two numeric, fourteen of words, five with blanks), sex and race as sensitive attributes, the year as real time order.
``SOURCE.md`` in this folder explains the columns.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("employment.csv.gz")
"""The table: gzipped CSV, UTF-8, one row a person, sorted by ``id`` and so by ``year``."""

IDENTIFIER: Final = "id"
TIME: Final = "year"
TARGET: Final = "employed"
SENSITIVE: Final = ("SEX", "RAC1P")
NUMERIC: Final = ("AGEP", "SCHL")
CATEGORICAL: Final = (
    "MAR",
    "RELP",
    "DIS",
    "ESP",
    "CIT",
    "MIG",
    "MIL",
    "ANC",
    "NATIVITY",
    "DEAR",
    "DEYE",
    "DREM",
    "SEX",
    "RAC1P",
)
FEATURES: Final = NUMERIC + CATEGORICAL
"""Every input of a model, in the order of the table."""
