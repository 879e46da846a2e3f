"""What has changed in single columns between the test set and production: units, encodings, spellings, codes for what is missing."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Column, Scalar
from sekisho.contract.sections import Quality
from sekisho.gate.probe import probe
from sekisho.probes.resources.tables import ProductionSample, TestSet
from sekisho.probes.statistics.answers import Floats
from sekisho.probes.statistics.baselines import numbers
from sekisho.probes.statistics.conversions import conversion, part_converted
from sekisho.probes.statistics.intervals import Share, difference
from sekisho.text import Text

SURGE: Final = 0.05
"""Nulls, or a category nobody has seen, in so many more rows than before are no chance."""
CODED: Final = 0.005
"""So many rows with a code such as -999 that lies beyond all known values are enough."""
CODES: Final = frozenset({-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, 1e20})
MISSING_WORDS: Final = frozenset(
    {"", "na", "n/a", "n.a.", "nan", "null", "none", "nil", "?", "-", "--", ".", "#n/a", "unknown", "missing", "xx"}
    | {"未定", "不明", "なし", "未入力", "該当なし"}
)
TRUTHS: Final = ({"0", "1"}, {"no", "yes"}, {"n", "y"}, {"false", "true"}, {"f", "t"}, {"off", "on"}, {"-1", "1"})
NUMBERS: Final = frozenset({"float", "integer"})
WORDS: Final = frozenset({"category", "text"})
FEW: Final = 50
"""Rows with fewer known values than this say nothing of a column."""

Kind = Literal["absent", "unit", "encoding", "spelling", "format", "null code", "nulls", "unseen"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnChange:
    """One thing that is different in one column.

    Attributes:
        column: The column.
        kind: What kind of thing.
        seen: What was seen, in English.
        seen_ja: The same in Japanese.
        share: The share of production rows concerned.

    """

    column: str
    kind: Kind
    seen: str
    seen_ja: str
    share: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ProductionColumns:
    """What has changed column by column.

    Attributes:
        columns: How many columns were compared.
        changes: What was found.

    """

    columns: int
    changes: tuple[ColumnChange, ...]


@probe("quality/production-columns", title=Text(en="Compare columns", ja="列ごとの比較"), seconds=1)
def production_columns(
    quality: Quality, test: TestSet, production: ProductionSample, artifact: ModelArtifact | None
) -> ProductionColumns:
    """Compare every feature of the test set with the same column of the production sample."""
    names = test.table.names if artifact is None else artifact.signature.names
    changes: list[ColumnChange] = []
    for name in names:
        if name not in test.full.names:
            continue
        if name not in production.full.names:
            changes.append(_change(name, "absent", Text(en="production lacks it", ja="本番データにありません"), 1.0))
            continue
        changes += _changes(test.full.column(name), production.full.column(name), quality.confidence)
    return ProductionColumns(columns=len(names), changes=tuple(changes))


def _changes(known: Column, asked: Column, confidence: float) -> Iterator[ColumnChange]:
    nulls = _more(Share(count=int(known.null.sum()), trials=len(known)), _nulls(asked), confidence)
    if nulls > SURGE / 2 and _nulls(asked).fraction - float(known.null.mean()) > SURGE:
        before, after = float(known.null.mean()), _nulls(asked).fraction
        yield _change(
            asked.name,
            "nulls",
            Text(
                en=f"missing in {after:.1%} of the rows, before in {before:.1%}",
                ja=f"欠損が {before:.1%} から {after:.1%} に増加",
            ),
            after,
        )
    if len(known.present()) < FEW or len(asked.present()) < FEW:
        return
    encoding = _encoding(known, asked)
    if encoding is not None:
        yield _change(asked.name, "encoding", encoding, 1.0)
    elif {known.kind, asked.kind} <= NUMBERS:
        yield from _numbers(known, asked, confidence)
    elif {known.kind, asked.kind} <= WORDS:
        yield from _words(known, asked, confidence)


def _nulls(column: Column) -> Share:
    return Share(count=int(column.null.sum()), trials=len(column))


def _more(before: Share, after: Share, confidence: float) -> float:
    """Return by how much a share has surely grown."""
    return difference(after, before, confidence).low


# Encodings


def _encoding(known: Column, asked: Column) -> Text | None:
    """Return how values are written otherwise; ``None`` when they are not."""
    old, new = _spellings(known), _spellings(asked)
    for names in TRUTHS:
        if new <= names and not old <= names and any(old <= others for others in TRUTHS):
            return _from_to(old, new)
    if known.kind in NUMBERS and asked.kind in WORDS:
        readable = _readable(asked)
        if readable > 0.5:
            shown = next(str(cell) for cell in asked.scalars() if cell is not None)
            return Text(en=f"numbers written as words such as {shown!r}", ja=f"数値が {shown!r} のような文字列に")
        return _from_to(old, new)
    if known.kind in WORDS and asked.kind in NUMBERS:
        if _readable(known) > 0.5:
            return None  # codes that look like numbers: only the library read them otherwise
        return _from_to(old, new)
    if "datetime" in {known.kind, asked.kind} and known.kind != asked.kind and asked.kind not in WORDS:
        return _from_to(old, new)
    return None


def _from_to(old: set[str], new: set[str]) -> Text:
    before, after = (", ".join(sorted(names)[:3]) for names in (old, new))
    return Text(en=f"written as {after}, before as {before}", ja=f"書き方が {before} から {after} に変化")


def _spellings(column: Column) -> set[str]:
    cells = column.take(slice(0, 2_000)).scalars()
    return {_plain(cell) for cell in cells if cell is not None}


def _plain(cell: Scalar) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip().lower()


def _readable(column: Column) -> float:
    """Return the share of words that are numbers but for marks of thousands, currencies and units."""
    words = [str(cell) for cell in column.scalars() if cell is not None][:1_000]
    fits = re.compile(r"^\s*[^\d\s.,+-]{0,3}\s*[+-]?\d[\d,. ]*\s*[^\d\s]{0,4}\s*$")
    return sum(bool(fits.match(word)) for word in words) / max(1, len(words))


# Numbers


def _numbers(known: Column, asked: Column, confidence: float) -> Iterator[ColumnChange]:
    old, new = (values[np.isfinite(values)] for values in (numbers(known), numbers(asked)))
    coded = [_code(value, old, new, len(asked), confidence) for value in sorted(CODES | {0.0})]
    codes = [(value, share) for value, share in zip(sorted(CODES | {0.0}), coded, strict=True) if share is not None]
    for value, share in codes:
        words = Text(
            en=f"{value:g} stands in {share:.1%} of the rows as if it were a value",
            ja=f"{value:g} が {share:.1%} の行に値として入っています",
        )
        yield _change(asked.name, "null code", words, share)
    new = new[~np.isin(new, [value for value, _ in codes])] if codes else new
    whole = conversion(old, new)
    if whole is not None:
        yield _change(asked.name, "unit", whole, 1.0)
        return
    part = part_converted(old, new)
    if part is not None:
        words = Text(en=f"{part[1]:.1%} of the values: {part[0].en}", ja=f"値の {part[1]:.1%}: {part[0].ja}")
        yield _change(asked.name, "unit", words, part[1])


def _code(value: float, old: Floats, new: Floats, rows: int, confidence: float) -> float | None:
    """Return the share of rows that hold a code for nothing; ``None`` when it is a usual value or rare."""
    count = int((new == value).sum())
    if count < 3 or not len(old):
        return None
    after, before = Share(count=count, trials=rows), Share(count=int((old == value).sum()), trials=len(old))
    strange = value < old.min() or value > old.max()
    if strange and value != 0.0 and len(np.unique(new)) > 2 and after.fraction >= CODED:
        return after.fraction
    surges = _more(before, after, confidence) > SURGE / 2 and after.fraction - before.fraction > SURGE
    # A number that was usual before may become more so without being a code.
    return after.fraction if surges and before.fraction < 0.01 and len(np.unique(old)) > 20 else None


# Words


def _words(known: Column, asked: Column, confidence: float) -> Iterator[ColumnChange]:
    old = Counter(str(cell) for cell in known.scalars() if cell is not None)
    new = Counter(str(cell) for cell in asked.scalars() if cell is not None)
    rows = len(asked)
    empty = {word: count for word, count in new.items() if word.strip().lower() in MISSING_WORDS and word not in old}
    if sum(empty.values()) >= max(3, CODED * rows):
        share = sum(empty.values()) / rows
        listed = ", ".join(repr(word) for word in sorted(empty)[:3])
        yield _change(
            asked.name,
            "null code",
            Text(
                en=f"{listed} stands in {share:.1%} of the rows as if it were a value",
                ja=f"{listed} が {share:.1%} の行に値として入っています",
            ),
            share,
        )
    pattern = _pattern_change(old, new)
    if pattern is not None:
        yield _change(asked.name, "format", pattern, 1.0)
        return
    if "text" in {known.kind, asked.kind} and len(old) > 100:
        return
    strangers = {word: count for word, count in new.items() if word not in old and word not in empty}
    strange = Share(count=sum(strangers.values()), trials=rows)
    if _more(Share(count=0, trials=len(known)), strange, confidence) <= 0.01:
        return
    twins = [(word, twin) for word in strangers if (twin := _twin(word, list(old))) is not None]
    spelled = sum(strangers[word] for word, _ in twins)
    if spelled > strange.count / 2:
        listed = ", ".join(f"{word!r} for {twin!r}" for word, twin in twins[:3])
        listed_ja = "、".join(f"{twin!r} が {word!r}" for word, twin in twins[:3])
        yield _change(
            asked.name,
            "spelling",
            Text(en=f"categories are spelled otherwise: {listed}", ja=f"カテゴリーの表記が変化: {listed_ja}"),
            spelled / rows,
        )
    elif strange.fraction > SURGE:
        listed = ", ".join(repr(word) for word in sorted(strangers)[:3])
        yield _change(
            asked.name,
            "unseen",
            Text(
                en=f"{strange.fraction:.1%} of the rows hold categories that the test set has not: {listed}",
                ja=f"{strange.fraction:.1%} の行がテストデータにないカテゴリー: {listed}",
            ),
            strange.fraction,
        )


def _twin(word: str, known: Sequence[str]) -> str | None:
    """Return the known category that a word spells otherwise: in case, width, blanks, marks, or cut to its first letters."""
    for other in known:
        if _folded(word) == _folded(other):
            return other
    short, starts = _folded(word), [other for other in known if _folded(other) and _folded(word)]
    close = [other for other in starts if _folded(other).startswith(short) or short.startswith(_folded(other))]
    return close[0] if len(close) == 1 else None


def _folded(word: str) -> str:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", word).casefold())
    return "".join(each for each in plain if each.isalnum())


def _pattern_change(old: Counter[str], new: Counter[str]) -> Text | None:
    """Return how words with digits (dates, codes) are written otherwise; ``None`` when they are not."""
    before, after = _patterns(old), _patterns(new)
    if not before or not after:
        return None
    (usual, count), (usual_now, count_now) = before.most_common(1)[0], after.most_common(1)[0]
    dominant = count / before.total() > 0.5 and count_now / after.total() > 0.5
    if not dominant or usual == usual_now or before[usual_now] / before.total() > 0.05 or "9" not in usual + usual_now:
        return None
    return Text(en=f"written like {usual_now}, before like {usual}", ja=f"形式が {usual} から {usual_now} に変化")


def _patterns(words: Counter[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for word, count in words.items():
        if any(each.isdigit() for each in word):
            shape = re.sub(r"\d", "9", word[:40])
            found[re.sub(r"(?<!9)9(?!9)", "99", re.sub(r"[^\W\d_]", "a", shape))] += count
    return found if found.total() > 0.5 * words.total() else Counter()


def _change(column: str, kind: Kind, words: Text, share: float) -> ColumnChange:
    return ColumnChange(column=column, kind=kind, seen=words.en, seen_ja=words.ja, share=round(share, 4))
