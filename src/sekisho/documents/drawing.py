"""Small charts as SVG that belongs to the page it stands in: its colours, its font, its language.

Matplotlib lays a chart out; text stays text. Every label is data: nothing in it is markup or mathematics.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sekisho.documents.canvas import BAD, GOOD, INK, TEXT, Limit, beside, chart, plain, shortened, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW: Final = 26.0
"""Height of a row, in pixels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One row of a chart.

    Attributes:
        label: What it is.
        value: The figure.
        low: The lower end of its interval; ``None`` without one.
        high: The upper end.
        holds: Whether it meets what is required; ``None`` where nothing is.
        note: A few words after the figure.

    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    holds: bool | None = None
    note: str = ""


def intervals(
    marks: Sequence[Mark],
    *,
    limits: Sequence[Limit] = (),
    show: Callable[[float], str] | None = None,
    bounds: tuple[float | None, float | None] = (None, None),
) -> str:
    """Return a chart with a point and its interval a row.

    Args:
        marks: At least one, from top to bottom.
        limits: Upright lines.
        show: How a figure is written; three significant digits by default.
        bounds: The ends of the scale; by default it holds all figures and limits.

    """
    show = show or digits

    def draw(axes: Axes) -> None:
        for place, mark in enumerate(marks):
            colour = _colour(mark.holds)
            if mark.low is not None and mark.high is not None:
                axes.plot(
                    [mark.low, mark.high],
                    [place, place],
                    color=colour,
                    linewidth=3.0,
                    solid_capstyle="round",
                    alpha=0.45,
                )
            axes.plot([mark.value], [place], marker="o", markersize=7.0, color=colour, markeredgewidth=0)

    reach = [figure for mark in marks for figure in (mark.value, mark.low, mark.high) if figure is not None]
    return _rows(marks, draw, limits=limits, show=show, scale=_scale(reach, limits, bounds))


def bars(
    marks: Sequence[Mark],
    *,
    limits: Sequence[Limit] = (),
    show: Callable[[float], str] | None = None,
    most: float | None = None,
) -> str:
    """Return a chart with a bar from zero a row.

    Args:
        marks: At least one, from top to bottom.
        limits: Upright lines.
        show: How a figure is written; three significant digits by default.
        most: The right end of the scale; by default it holds all figures and limits.

    """
    show = show or digits

    def draw(axes: Axes) -> None:
        for place, mark in enumerate(marks):
            axes.barh(place, mark.value, height=0.5, color=_colour(mark.holds), linewidth=0)

    return _rows(
        marks, draw, limits=limits, show=show, scale=_scale([0.0, *(mark.value for mark in marks)], limits, (0.0, most))
    )


def distribution(
    quantiles: Sequence[float],
    *,
    interval: tuple[float, float],
    limits: Sequence[Limit] = (),
    holds: bool | None = None,
) -> str:
    """Return the shape of a distribution with its interval shaded, from equally spaced quantiles.

    Args:
        quantiles: From 0 to 100 %, rising.
        interval: What is shaded.
        limits: Upright lines.
        holds: Whether the interval meets what is required.

    """
    centres, heights = _density(quantiles)
    colour = _colour(holds)

    def draw(axes: Axes) -> None:
        axes.fill_between(centres, heights, color=colour, alpha=0.18, linewidth=0)
        axes.plot(centres, heights, color=colour, linewidth=1.4)
        axes.plot(interval, [-0.16, -0.16], color=colour, linewidth=3.0, solid_capstyle="round", alpha=0.45)
        beside(axes, digits(interval[0]), (interval[0], -0.16), "right")
        beside(axes, digits(interval[1]), (interval[1], -0.16), "left")
        axes.set_ylim(-0.3, 1.1)
        axes.set_yticks([])

    return chart(draw, height=130.0, limits=limits, scale=_scale(list(quantiles), limits, (None, None)))


def histogram(
    edges: Sequence[float], counts: Sequence[int], *, marks: Sequence[Mark], limits: Sequence[Limit] = ()
) -> str:
    """Return how often which size occurred, on a scale of powers of ten, with figures and their intervals below.

    Args:
        edges: Of the classes, rising and above 0; one more than ``counts``.
        counts: How many fell into each class.
        marks: Figures on the same scale.
        limits: Upright lines.

    """
    lane = 0.17

    def draw(axes: Axes) -> None:
        axes.set_xscale("log")
        axes.stairs([count / max(1, *counts) for count in counts], edges, fill=True, color=GOOD, alpha=0.3)
        for place, mark in enumerate(marks, start=1):
            colour, height = _colour(mark.holds), -lane * place
            if mark.low is not None and mark.high is not None:
                axes.plot(
                    [mark.low, mark.high], [height] * 2, color=colour, linewidth=3.0, solid_capstyle="round", alpha=0.45
                )
            axes.plot([mark.value], [height], marker="o", markersize=6.0, color=colour, markeredgewidth=0)
            words, low, high = (
                f"{plain(mark.label)} {digits(mark.value)}",
                mark.low or mark.value,
                mark.high or mark.value,
            )
            if low > middle:
                beside(axes, words, (low, height), "right")
            else:
                beside(axes, words, (high, height), "left")
        axes.set_ylim(-lane * (len(marks) + 0.7), 1.08)
        axes.set_yticks([])
        axes.xaxis.set_major_formatter(lambda figure, _: f"{figure:g}")
        axes.xaxis.set_minor_formatter("")

    reach = [edges[0], edges[-1], *(limit.value for limit in limits), *(mark.high or mark.value for mark in marks)]
    scale = min(reach) / 1.3, max(reach) * 1.6
    middle = math.sqrt(scale[0] * scale[1])
    return chart(draw, height=110.0 + ROW * len(marks), limits=limits, scale=scale, logarithmic=True)


def against_itself(marks: Sequence[tuple[float, Mark]]) -> str:
    """Return points with upright intervals beside the diagonal on which both figures are the same, from 0 to 1.

    Args:
        marks: At least one place from the left, with the figure that was measured there.

    """

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=INK, linewidth=1.0, dashes=(4, 3))
        for place, mark in marks:
            colour = _colour(mark.holds)
            if mark.low is not None and mark.high is not None:
                axes.plot(
                    [place, place],
                    [mark.low, mark.high],
                    color=colour,
                    linewidth=3.0,
                    solid_capstyle="round",
                    alpha=0.45,
                )
            axes.plot([place], [mark.value], marker="o", markersize=6.0, color=colour, markeredgewidth=0)
        axes.set_ylim(-0.04, 1.04)
        axes.set_yticks([0.0, 0.5, 1.0])
        axes.yaxis.set_major_formatter(lambda figure, _: f"{100 * figure:g} %")
        axes.xaxis.set_major_formatter(lambda figure, _: f"{100 * figure:g} %")

    return chart(draw, height=190.0, left=48.0, scale=(-0.02, 1.02))


def digits(figure: float) -> str:
    """Return a figure with three significant digits, never in powers of ten where a person would not write them so."""
    if figure == 0 or not math.isfinite(figure):
        return f"{figure:g}"
    if 1e-3 <= abs(figure) < 1e6:
        places = max(0, 2 - math.floor(math.log10(abs(figure))))
        return f"{figure:,.{places}f}"
    return f"{figure:.2e}"


def percent(share: float) -> str:
    """Return a share as per cent."""
    return f"{100 * share:.1f} %"


def _rows(
    marks: Sequence[Mark],
    draw: Callable[[Axes], None],
    *,
    limits: Sequence[Limit],
    show: Callable[[float], str],
    scale: tuple[float, float],
) -> str:
    left = min(140.0, 12.0 + max(width_of(mark.label) for mark in marks))
    values = [f"{show(mark.value)} {mark.note}".strip() for mark in marks]
    right = min(112.0, 14.0 + max(width_of(value) for value in values))

    def draw_rows(axes: Axes) -> None:
        draw(axes)
        for place, (mark, value) in enumerate(zip(marks, values, strict=True)):
            row = axes.get_yaxis_transform()
            axes.text(
                -0.02,
                place,
                shortened(mark.label, left - 10.0),
                transform=row,
                color=INK,
                ha="right",
                va="center",
                fontsize=TEXT,
            )
            axes.text(
                1.03,
                place,
                plain(value),
                transform=row,
                color=_text_colour(mark.holds),
                ha="left",
                va="center",
                fontsize=TEXT,
            )
        axes.set_ylim(len(marks) - 0.5, -0.5)
        axes.set_yticks([])
        axes.xaxis.set_major_formatter(lambda figure, _: f"{100 * figure:g} %" if show is percent else f"{figure:g}")

    return chart(draw_rows, height=ROW * len(marks), left=left, right=right, limits=limits, scale=scale)


def _colour(holds: bool | None) -> str:
    return BAD if holds is False else GOOD


def _text_colour(holds: bool | None) -> str:
    return BAD if holds is False else INK


def _scale(
    figures: Sequence[float], limits: Sequence[Limit], bounds: tuple[float | None, float | None]
) -> tuple[float, float]:
    reach = [figure for figure in (*figures, *(limit.value for limit in limits)) if math.isfinite(figure)]
    low, high = min(reach), max(reach)
    margin = 0.06 * ((high - low) or abs(high) or 1.0)
    return (
        low - margin if bounds[0] is None else bounds[0],
        high + margin if bounds[1] is None else bounds[1],
    )


def _density(quantiles: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return places and heights (at most 1) of the density whose equally spaced quantiles are given, smoothed a little."""
    window = max(2, len(quantiles) // 6)
    pairs = [(quantiles[at], quantiles[at + window]) for at in range(len(quantiles) - window)]
    centres = [(low + high) / 2 for low, high in pairs]
    smallest = max(quantiles[-1] - quantiles[0], 1e-12) / len(quantiles)
    heights = [1.0 / max(high - low, smallest) for low, high in pairs]
    highest = max(heights, default=1.0)
    return (
        [quantiles[0], *centres, quantiles[-1]],
        [0.0, *(height / highest for height in heights), 0.0],
    )
