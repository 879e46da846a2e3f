"""The canvas of a chart: axes that take colours and font from the page around them, and words that are data.

Colours are written as names of the page's own (``var(--ink)``), so a chart follows the page into the dark.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from sekisho.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH: Final = 360.0
"""Of a chart, in pixels: wide enough for labels and values, narrow enough for a telephone."""
TEXT: Final = 11.0

INK: Final = "#010001"
MUTED: Final = "#020002"
FAINT: Final = "#030003"
GOOD: Final = "#040004"
BAD: Final = "#050005"
_PAGE_COLOURS: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    FAINT: "var(--line)",
    GOOD: "var(--holds)",
    BAD: "var(--breaks)",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """A line that a figure must reach, or stay below.

    Attributes:
        value: Where it stands.
        label: What it is, in a few words.

    """

    value: float
    label: str


def chart(
    draw: Callable[[Axes], None],
    *,
    height: float,
    scale: tuple[float, float],
    limits: Sequence[Limit] = (),
    left: float = 24.0,
    right: float = 24.0,
    logarithmic: bool = False,
) -> str:
    """Return the SVG of what ``draw`` puts on axes of ``height`` pixels with labelled upright ``limits`` above."""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ModuleNotFoundError:
        raise MissingExtra("matplotlib", "check") from None
    above, below = (20.0 if limits else 8.0), 24.0
    whole = height + above + below
    with (
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "sekisho", "text.parse_math": False}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # the page's font has the glyphs that Matplotlib's may lack
        figure = Figure(figsize=(WIDTH / 72, whole / 72), dpi=72, facecolor="none")
        axes = figure.add_axes((left / WIDTH, below / whole, (WIDTH - left - right) / WIDTH, height / whole))
        axes.set_facecolor("none")
        axes.set_xlim(scale)
        if not logarithmic:
            axes.xaxis.set_major_locator(MaxNLocator(4))
        draw(axes)
        for limit in limits:
            _upright(axes, limit, width=WIDTH - left - right)
        axes.tick_params(which="both", length=0, labelsize=TEXT - 1, labelcolor=MUTED)
        axes.grid(visible=True, color=FAINT, linewidth=0.7)
        axes.set_axisbelow(True)
        for spine in axes.spines.values():
            spine.set_visible(False)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None}, transparent=True)
    return _of_the_page(drawn.getvalue())


def beside(axes: Axes, words: str, place: tuple[float, float], side: Literal["left", "right"]) -> None:
    """Write words that begin (``left``) or end (``right``) a little beside a place."""
    shift = 7 if side == "left" else -7
    axes.annotate(
        words, place, xytext=(shift, 0), textcoords="offset points", color=INK, ha=side, va="center", fontsize=TEXT
    )


def _upright(axes: Axes, limit: Limit, *, width: float) -> None:
    """Draw a limit with its label above, centred where there is room."""
    axes.axvline(limit.value, color=INK, linewidth=1.0, dashes=(4, 3))
    place = width * float(axes.transAxes.inverted().transform(axes.transData.transform((limit.value, 0.0)))[0])
    half = width_of(limit.label) / 2
    side = "left" if place < half else "right" if width - place < half else "center"
    shift = {"left": -place, "right": width - place, "center": 0.0}[side]
    axes.annotate(
        plain(limit.label),
        (limit.value, 1.0),
        xycoords=axes.get_xaxis_transform(),
        xytext=(shift, 5),
        textcoords="offset points",
        color=INK,
        ha=side,
        va="bottom",
        fontsize=TEXT,
    )


def _of_the_page(svg: str) -> str:
    """Return an SVG file as an element that takes colours and font from the page around it."""
    element = svg[svg.index("<svg") :]
    element = re.sub(r"\s*<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    element = re.sub(r"\s*<defs>\s*<style.*?</style>\s*</defs>", "", element, flags=re.DOTALL)
    element = re.sub(r" font-family: [^;\"]*;", "", element)
    element = re.sub(
        r' id="(?:figure|axes|patch|line2d|text|matplotlib\.axis|xtick|ytick|FillBetween\w*)_?\d*"', "", element
    )
    element = re.sub(r' width="[^"]*" height="[^"]*"', ' role="img"', element, count=1)
    for colour, name in _PAGE_COLOURS.items():
        element = element.replace(colour, name)
    return "\n".join(line.strip() for line in element.splitlines() if line.strip())


def plain(words: str) -> str:
    """Return words on one line, without what XML cannot hold."""
    return " ".join("".join(each if each.isprintable() else " " for each in words).split())


def width_of(words: str) -> float:
    """Return about how wide words are in pixels."""
    return sum(TEXT * (1.0 if unicodedata.east_asian_width(each) in "WFA" else 0.56) for each in plain(words))


def shortened(words: str, width: float) -> str:
    """Return words that are no wider than ``width`` pixels, with an ellipsis where they were cut."""
    shown = plain(words)
    if width_of(shown) <= width:
        return shown
    while shown and width_of(shown) + TEXT > width:
        shown = shown[:-1]
    return f"{shown}…"
