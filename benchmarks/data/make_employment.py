"""Make the sample of the employment data that Sekisho ships, from the wheel of NannyML.

::

    pip download --no-deps nannyml==0.13.1
    python benchmarks/data/make_employment.py nannyml-0.13.1-py3-none-any.whl src/sekisho/examples/employment/employment.csv.gz

The wheel holds the American Community Survey's public use microdata (PUMS) of Massachusetts, 2015 to 2018, one row a person, with
code 0 where the survey has a blank. Blanks are restored, codes become the words of the ACS PUMS data dictionary 2014–2018, and the same
number of people is drawn from each year. The result is the same, byte for byte, on every run with the same pandas and zlib.
"""

from __future__ import annotations

import gzip
import io
import sys
import zipfile
from pathlib import Path

import pandas as pd

ROWS_PER_YEAR = 6_000
SEED = 2018
FOLDER = "nannyml/datasets/data"

WORDS: dict[str, dict[str, str]] = {
    "MAR": {"1": "married", "2": "widowed", "3": "divorced", "4": "separated", "5": "never married"},
    "RELP": {
        "0": "reference person",
        "1": "husband or wife",
        "2": "biological child",
        "3": "adopted child",
        "4": "stepchild",
        "5": "sibling",
        "6": "parent",
        "7": "grandchild",
        "8": "parent-in-law",
        "9": "child-in-law",
        "10": "other relative",
        "11": "roomer or boarder",
        "12": "housemate",
        "13": "unmarried partner",
        "14": "foster child",
        "15": "other nonrelative",
        "16": "institutional group quarters",
        "17": "noninstitutional group quarters",
    },
    "DIS": {"1": "with a disability", "2": "without a disability"},
    "ESP": {
        "1": "two parents, both in labor force",
        "2": "two parents, father in labor force",
        "3": "two parents, mother in labor force",
        "4": "two parents, neither in labor force",
        "5": "father, in labor force",
        "6": "father, not in labor force",
        "7": "mother, in labor force",
        "8": "mother, not in labor force",
    },
    "CIT": {
        "1": "born in the United States",
        "2": "born in a US territory",
        "3": "born abroad of American parents",
        "4": "naturalized",
        "5": "not a citizen",
    },
    "MIG": {"1": "same house", "2": "moved from abroad", "3": "moved within the United States"},
    "MIL": {
        "1": "on active duty",
        "2": "on active duty in the past",
        "3": "training for reserves only",
        "4": "never served",
    },
    "ANC": {"1": "single", "2": "multiple", "3": "unclassified", "4": "not reported"},
    "NATIVITY": {"1": "native", "2": "foreign born"},
    "DEAR": {"1": "yes", "2": "no"},
    "DEYE": {"1": "yes", "2": "no"},
    "DREM": {"1": "yes", "2": "no"},
    "SEX": {"1": "male", "2": "female"},
    "RAC1P": {
        "1": "White",
        "2": "Black or African American",
        "3": "American Indian",
        "4": "Alaska Native",
        "5": "American Indian or Alaska Native, tribe not specified",
        "6": "Asian",
        "7": "Native Hawaiian or Pacific Islander",
        "8": "some other race",
        "9": "two or more races",
    },
}
"""The words for each code; a code without a word (0 in SCHL, ESP, MIG, MIL and DREM) is the survey's blank."""

COLUMNS = ("id", "year", "AGEP", "SCHL", *WORDS, "employed")


def read_wheel(wheel: Path) -> pd.DataFrame:
    """Return all 277,677 people with their labels, in the survey's codes."""
    with zipfile.ZipFile(wheel) as archive:
        reference, analysis, labels = (
            pd.read_parquet(io.BytesIO(archive.read(f"{FOLDER}/employment_MA_{part}.pq")))
            for part in ("reference", "analysis", "analysis_target")
        )
    return pd.concat([reference, analysis.merge(labels, on="id", validate="one_to_one")], ignore_index=True)


def readable(codes: pd.DataFrame) -> pd.DataFrame:
    """Return the same people with blanks restored and words for codes."""
    schooling = codes["SCHL"].astype(int)
    people = codes.assign(
        AGEP=codes["AGEP"].astype(int),
        SCHL=schooling.where(schooling > 0).astype("Int64"),
        employed=codes["employed"].astype(int),
    )
    for column, words in WORDS.items():
        people[column] = codes[column].astype(str).map(words)
    return people[list(COLUMNS)]


def main(wheel: Path, target: Path) -> None:
    """Write the sample."""
    people = readable(read_wheel(wheel))
    sample = people.groupby("year").sample(n=ROWS_PER_YEAR, random_state=SEED).sort_values("id")
    text = sample.to_csv(index=False, lineterminator="\n")
    target.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))
    print(f"{target}: {len(sample):,} rows, {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
