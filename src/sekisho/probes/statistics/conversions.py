"""Which change of unit turns one sample of numbers into another: found by the distance of what is left after undoing it."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np

from sekisho.probes.statistics.answers import Floats
from sekisho.text import Text

APART: Final = 0.2
"""Samples that are nearer than this (Kolmogorov and Smirnov's distance) have not changed unit."""
FEWEST: Final = 30
ABOUT: Final = 0.05
"""Two changes whose distances are nearer than this fit alike."""
SOME: Final = 0.02
"""A share of values in another unit that is worth a word."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A change of unit: ``value * factor + shift``.

    Attributes:
        factor, shift: The numbers.
        words: What it usually means.

    """

    factor: float
    shift: float
    words: Text

    def undone(self, values: Floats) -> Floats:
        """Return what the values were before."""
        return (values - self.shift) / self.factor


def _both(factor: float, there: tuple[str, str], back: tuple[str, str]) -> tuple[Conversion, Conversion]:
    return Conversion(factor, 0.0, Text(en=there[0], ja=there[1])), Conversion(
        1 / factor, 0.0, Text(en=back[0], ja=back[1])
    )


CONVERSIONS: Final[tuple[Conversion, ...]] = (
    *_both(
        1_000,
        ("times 1,000: seconds to milliseconds, kilo to base", "1,000倍（秒→ミリ秒、k 単位→基本単位など）"),
        ("divided by 1,000: milliseconds to seconds, base to kilo", "1,000分の1（ミリ秒→秒、基本単位→k 単位など）"),
    ),
    *_both(
        100,
        ("times 100: whole currency to cents, shares to percent, m to cm", "100倍（通貨→セント、割合→%、m→cm など）"),
        ("divided by 100: cents to whole currency, percent to shares", "100分の1（セント→通貨、%→割合など）"),
    ),
    *_both(10, ("times 10: cm to mm", "10倍（cm→mm など）"), ("divided by 10: mm to cm", "10分の1（mm→cm など）")),
    *_both(
        10_000,
        ("times 10,000: ten thousands to ones", "10,000倍（万→1）"),
        ("divided by 10,000", "10,000分の1（1→万）"),
    ),
    *_both(1e6, ("times a million: micro units", "100万倍（μ 単位など）"), ("divided by a million", "100万分の1")),
    *_both(60, ("times 60: minutes to seconds", "60倍（分→秒など）"), ("divided by 60", "60分の1（秒→分など）")),
    *_both(
        3_600, ("times 3,600: hours to seconds", "3,600倍（時間→秒）"), ("divided by 3,600", "3,600分の1（秒→時間）")
    ),
    *_both(24, ("times 24: days to hours", "24倍（日→時間）"), ("divided by 24", "24分の1（時間→日）")),
    *_both(7, ("times 7: weeks to days", "7倍（週→日）"), ("divided by 7", "7分の1（日→週）")),
    *_both(12, ("times 12: a month to a year", "12倍（月→年）"), ("divided by 12", "12分の1（年→月）")),
    *_both(
        0.45359237,
        ("times 0.4536: pounds to kilograms", "0.4536倍（ポンド→キログラム）"),
        ("times 2.2046: kilograms to pounds", "2.2046倍（キログラム→ポンド）"),
    ),
    *_both(
        25.4,
        ("times 25.4: inches to millimetres", "25.4倍（インチ→ミリメートル）"),
        ("divided by 25.4", "25.4分の1（ミリメートル→インチ）"),
    ),
    *_both(
        2.54,
        ("times 2.54: inches to centimetres", "2.54倍（インチ→センチメートル）"),
        ("divided by 2.54", "2.54分の1（センチメートル→インチ）"),
    ),
    *_both(
        0.3048,
        ("times 0.3048: feet to metres", "0.3048倍（フィート→メートル）"),
        ("times 3.2808", "3.2808倍（メートル→フィート）"),
    ),
    *_both(
        1.609344,
        ("times 1.6093: miles to kilometres", "1.6093倍（マイル→キロメートル）"),
        ("divided by 1.6093", "1.6093分の1（キロメートル→マイル）"),
    ),
    *_both(1_024, ("times 1,024: KiB to bytes", "1,024倍（KiB→バイトなど）"), ("divided by 1,024", "1,024分の1")),
    *_both(
        4.184, ("times 4.184: calories to joules", "4.184倍（カロリー→ジュール）"), ("divided by 4.184", "4.184分の1")
    ),
    Conversion(1.8, 32.0, Text(en="Celsius to Fahrenheit", ja="摂氏→華氏")),
    Conversion(5 / 9, -160 / 9, Text(en="Fahrenheit to Celsius", ja="華氏→摂氏")),
    Conversion(1.0, 273.15, Text(en="Celsius to Kelvin", ja="摂氏→ケルビン")),
    Conversion(1.0, -273.15, Text(en="Kelvin to Celsius", ja="ケルビン→摂氏")),
    Conversion(-1.0, 0.0, Text(en="the sign turned round", ja="符号の反転")),
)


def distance(one: Floats, other: Floats) -> float:
    """Return the largest gap between the distribution functions of two samples, 0 to 1."""
    one, other = np.sort(one), np.sort(other)
    both = np.concatenate([one, other])
    gaps = np.searchsorted(one, both, side="right") / len(one) - np.searchsorted(other, both, side="right") / len(other)
    return float(np.abs(gaps).max())


def conversion(known: Floats, asked: Floats) -> Text | None:
    """Return the change of unit that makes ``asked`` of a sample like ``known``; ``None`` without one.

    The samples must be far apart as they are and near once the change is undone: nearer than samples of one kind are in 999 cases of
    1,000 (N. Smirnov, "Table for estimating the goodness of fit of empirical distributions", 1948), give or take a little drift.

    Args:
        known: Finite numbers, shape ``(n,)``.
        asked: Finite numbers, shape ``(m,)``.

    """
    if min(len(known), len(asked)) < FEWEST:
        return None
    chance = 1.95 * sqrt((len(known) + len(asked)) / (len(known) * len(asked)))
    as_it_is = distance(known, asked)
    if as_it_is < max(APART, chance):
        return None
    nearest, best = _nearest(known, asked)
    return best if nearest <= chance + 0.05 and nearest < as_it_is / 2 else None


def part_converted(known: Floats, asked: Floats) -> tuple[Text, float] | None:
    """Return the change of unit that some values of ``asked`` have gone through, and their share; ``None`` without one.

    Only values beyond all of ``known`` can show it, and only a factor so large that what it made lies there.
    """
    if min(len(known), len(asked)) < FEWEST:
        return None
    low, high = float(known.min()), float(known.max())
    reach = max(high - low, 1e-12)
    beyond = asked[(asked < low - 0.5 * reach) | (asked > high + 0.5 * reach)]
    if len(beyond) < max(10, SOME * len(asked)):
        return None
    chance = 1.95 * sqrt((len(known) + len(beyond)) / (len(known) * len(beyond)))
    nearest, best = _nearest(known, beyond)
    return (best, len(beyond) / len(asked)) if nearest <= chance + 0.1 else None


def _nearest(known: Floats, asked: Floats) -> tuple[float, Text]:
    """Return the smallest distance, and what it means; a second change that fits about as well is named beside it."""
    found = sorted(
        ((distance(known, each.undone(asked)), each.words) for each in CONVERSIONS), key=lambda pair: pair[0]
    )
    (nearest, best), (second, other) = found[:2]
    if second > nearest + ABOUT:
        return nearest, best
    return nearest, Text(en=f"{best.en} (or {other.en})", ja=f"{best.ja}、または{other.ja}")
