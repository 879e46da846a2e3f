from __future__ import annotations

import pandas as pd
import pytest

from sekisho.examples import employment


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return pd.read_csv(employment.TABLE)


def test_table_is_small_enough_to_ship() -> None:
    assert employment.TABLE.stat().st_size < 600_000
    assert employment.TABLE.with_name("SOURCE.md").is_file()


def test_names_are_the_columns_of_the_table(people: pd.DataFrame) -> None:
    named = (employment.IDENTIFIER, employment.TIME, *employment.FEATURES, employment.TARGET)
    assert tuple(people.columns) == named
    assert set(employment.SENSITIVE) <= set(employment.FEATURES)


def test_every_year_has_as_many_people_in_order(people: pd.DataFrame) -> None:
    assert people[employment.TIME].value_counts().to_dict() == dict.fromkeys((2015, 2016, 2017, 2018), 6_000)
    assert people[employment.TIME].is_monotonic_increasing
    assert people[employment.IDENTIFIER].is_unique


def test_blanks_are_where_the_survey_leaves_them(people: pd.DataFrame) -> None:
    blank = {name for name in employment.FEATURES if people[name].isna().any()}
    assert blank == {"SCHL", "ESP", "MIG", "MIL", "DREM"}
    assert people.loc[people["SCHL"].isna(), "AGEP"].max() < 3
    assert people.loc[people["MIL"].isna(), "AGEP"].max() < 17
    assert set(people[employment.TARGET]) == {0, 1}
