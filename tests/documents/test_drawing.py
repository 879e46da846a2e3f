from __future__ import annotations

import math
import re
import subprocess
import sys
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.documents.canvas import Limit
from sekisho.documents.drawing import Mark, bars, digits, distribution, histogram, intervals, percent

HOSTILE = [
    "<script>alert(1)</script>",
    "$x^2$",
    "a & b",
    '"quoted"',
    "line\nbreak",
    "\x1b[31m",
    "年齢 × 性別",
    "x" * 500,
]
CHARTS = {
    "intervals": intervals(
        [Mark(label="a", value=0.5, low=0.4, high=0.6, holds=True)], limits=[Limit(value=0.3, label="least")]
    ),
    "bars": bars([Mark(label="a", value=0.5, holds=False)], show=percent, most=1.0),
    "distribution": distribution([math.tanh((n - 50) / 30) for n in range(101)], interval=(-0.8, 0.8)),
    "histogram": histogram(
        [1.0, 2.0, 4.0, 8.0],
        [5, 3, 1],
        marks=[Mark(label="p99", value=6.0, low=5.0, high=7.0)],
        limits=[Limit(value=7.5, label="SLO")],
    ),
}


def words(svg: str) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("svg", CHARTS.values(), ids=CHARTS)
def test_a_chart_takes_its_colours_and_font_from_the_page(svg: str) -> None:
    ET.fromstring(svg)
    assert svg.startswith("<svg ")
    assert "font-family" not in svg
    assert "var(--ink)" in svg or "var(--muted)" in svg
    colours = set(re.findall(r"#[0-9a-f]{6}", svg))
    assert colours == set(), "a colour of Matplotlib's own would not follow the page into the dark"


@pytest.mark.parametrize("svg", CHARTS.values(), ids=CHARTS)
def test_a_chart_names_nothing_outside_of_itself(svg: str) -> None:
    links = re.findall(r'href="([^"]*)"', svg)
    assert all(link.startswith("#") for link in links)
    assert "<style" not in svg
    assert "<metadata" not in svg


@pytest.mark.parametrize("label", HOSTILE)
def test_labels_are_data(label: str) -> None:
    svg = intervals([Mark(label=label, value=1.0)], limits=[Limit(value=1.0, label=label)])
    root = ET.fromstring(svg)
    assert {element.tag.rpartition("}")[2] for element in root.iter()} <= {
        "svg",
        "g",
        "path",
        "text",
        "defs",
        "use",
        "clipPath",
        "rect",
    }
    plain = " ".join("".join(each if each.isprintable() else " " for each in label).split())
    assert plain in words(svg)


def test_a_long_label_is_cut_where_it_stands_beside_the_chart() -> None:
    svg = bars([Mark(label="x" * 500, value=1.0)])
    assert any(re.fullmatch("x{5,30}…", text) for text in words(svg))


def test_what_breaks_a_limit_is_drawn_apart() -> None:
    assert "var(--breaks)" in bars([Mark(label="a", value=1.0, holds=False)])
    assert "var(--breaks)" not in bars([Mark(label="a", value=1.0, holds=True), Mark(label="b", value=1.0)])


def test_values_stand_beside_their_rows() -> None:
    svg = intervals([Mark(label="men", value=0.5, note="n=30"), Mark(label="women", value=0.25)], show=percent)
    assert {"50.0 % n=30", "25.0 %", "men", "women"} <= set(words(svg))


@given(st.lists(st.tuples(st.floats(-1e9, 1e9), st.floats(0, 1e6), st.none() | st.booleans()), min_size=1, max_size=5))
def test_any_figures_can_be_drawn(rows: list[tuple[float, float, bool | None]]) -> None:
    marks = [Mark(label="a", value=v, low=v - half, high=v + half, holds=holds) for v, half, holds in rows]
    ET.fromstring(intervals(marks, limits=[Limit(value=0.0, label="zero")]))


def test_a_distribution_without_width_can_be_drawn() -> None:
    ET.fromstring(distribution([0.5] * 101, interval=(0.5, 0.5), limits=[Limit(value=0.5, label="at it")]))


def test_the_same_chart_is_the_same_text() -> None:
    assert bars([Mark(label="a", value=1.0)]) == bars([Mark(label="a", value=1.0)])


@pytest.mark.parametrize(
    ("figure", "shown"),
    [
        (0.0, "0"),
        (0.8123, "0.812"),
        (12.345, "12.3"),
        (1_234.5, "1,234"),
        (123_456.0, "123,456"),
        (-0.05, "-0.0500"),
        (1e-5, "1.00e-05"),
        (3e9, "3.00e+09"),
        (math.inf, "inf"),
    ],
)
def test_figures_have_three_significant_digits(figure: float, shown: str) -> None:
    assert digits(figure) == shown


@given(st.floats(1e-3, 1e6, exclude_max=True))
def test_digits_never_lose_more_than_half_a_per_cent(figure: float) -> None:
    assert math.isclose(float(digits(figure).replace(",", "")), figure, rel_tol=0.006)


def test_a_histogram_lies_on_a_scale_of_powers_of_ten() -> None:
    """Whatever is ten times as large stands one same step further to the right."""
    svg = histogram([0.5, 2_000.0], [1], marks=[Mark(label="p50", value=1.0)])
    places = {
        "".join(text.itertext()): float(text.get("x", "nan"))
        for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    }
    ticks = [places[name] for name in ("1", "10", "100", "1000")]
    steps = [right - left for left, right in pairwise(ticks)]
    assert steps == pytest.approx([steps[0]] * 3)


def test_drawing_is_imported_without_matplotlib() -> None:
    code = "import sys, sekisho.documents.drawing; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
