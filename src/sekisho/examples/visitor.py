"""A client of the demo's service: it asks well and badly, sends a year of traffic, and reads what the service says of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from sekisho.errors import ServiceError
from sekisho.examples.employment import FEATURES, NUMERIC, TIME
from sekisho.examples.employment.layout import YEARS, read_table
from sekisho.probes.resources.instance import Instance, Keys
from sekisho.probes.wire.message import Reply, Request, post
from sekisho.text import Text

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
Samples = dict[str, dict[str, float]]
"""Values of a metric, by metric and by the value of its one telling label."""

BATCH_ROWS: Final = 100
ORDINARY_ROWS: Final = 2_000
DRIFTED_ROWS: Final = 2_000
YOUNGER_YEARS: Final = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """Asks one service with one key.

    Attributes:
        url: Where the service listens.
        key: The key's secret.

    """

    url: str
    key: str

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until the service says that it is ready.

        Raises:
            ServiceError: It does not within ``seconds``.

        """
        deadline = time.monotonic() + seconds
        while not self._ask(Request(target="/health/ready")).ok:
            if time.monotonic() > deadline:
                raise ServiceError(
                    Text(en="the service is not ready", ja="サービスの準備が完了しません"),
                    Text(en="read .sekisho/demo-service.log", ja=".sekisho/demo-service.log を確認してください"),
                    where=self.url,
                )
            time.sleep(0.1)

    def ask_well_and_badly(self) -> Iterator[Text]:
        """Send one good request and three bad ones; return what came of each, and how the counters moved."""
        before = self._counted()
        row = next(_rows(_year("test").head(1)))
        good = self._ask(_predict({"features": row}))
        lines = [Text(en=f"a good row: {_shown(good)}", ja=f"正しい行: {_shown(good)}")]
        wrong_type = {**row, "AGEP": "forty-two"}
        missing = {name: value for name, value in row.items() if name != "SEX"}
        for words, body, keyed in (
            (Text(en="a word where a number belongs", ja="数値の列に文字列"), wrong_type, True),
            (Text(en="a feature left out", ja="特徴量の欠落"), missing, True),
            (Text(en="no key", ja="キーなし"), row, False),
        ):
            reply = self._ask(_predict({"features": body}), keyed=keyed)
            lines.append(Text(en=f"{words.en}: {_shown(reply)}", ja=f"{words.ja}: {_shown(reply)}"))
        after = self._counted()
        moved = ", ".join(f"{name} +{after[name] - before.get(name, 0):g}" for name in sorted(after))
        lines.append(Text(en=f"ml_predictions_total moved: {moved}", ja=f"ml_predictions_total の増分: {moved}"))
        return iter(lines)

    def send_ordinary(self, done: Callable[[float], None]) -> Text:
        """Send rows of the production year as they are, and tell what the drift gauges say of them."""
        self._send(_year("production").sample(ORDINARY_ROWS, random_state=1), done)
        drifted = self._drifted_after_evaluation(patience=20.0)
        named = ", ".join(sorted(drifted))
        return Text(
            en=f"{ORDINARY_ROWS:,} rows of 2018 answered; drifted features: {named or 'none'}",
            ja=f"2018年の {ORDINARY_ROWS:,} 行に応答。ドリフトした特徴量: {named or 'なし'}",
        )

    def send_drifted(self, done: Callable[[float], None], *, patience: float) -> Text:
        """Send rows whose people are younger and whose schooling is blank, until the watcher says so."""
        self._send(_drift(_year("production").sample(DRIFTED_ROWS, random_state=2)), done)
        deadline = time.monotonic() + patience
        drifted: set[str] = set()
        while not {"AGEP", "SCHL"} <= drifted and time.monotonic() < deadline:
            time.sleep(0.5)
            drifted = self._drifted()
        named = ", ".join(sorted(drifted))
        if not drifted:
            return Text(
                en="the drift was not seen in time: look at sekisho watch",
                ja="時間内にドリフトを検知できませんでした。sekisho watch で確認してください",
            )
        return Text(
            en=f"{DRIFTED_ROWS:,} rows, {YOUNGER_YEARS} years younger and without schooling: drift seen in {named}",
            ja=f"15歳若く学歴が空欄の {DRIFTED_ROWS:,} 行: {named} のドリフトを検知",
        )

    def _drifted_after_evaluation(self, *, patience: float) -> set[str]:
        """Return the features said to have drifted, once the watcher has looked at the rows just sent."""
        asked = time.time()
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            looked = self._metric("ml_drift_last_evaluated_timestamp_seconds", None)
            if max(looked.values(), default=0.0) > asked:
                break
            time.sleep(0.3)
        return self._drifted()

    def _drifted(self) -> set[str]:
        return {name for name, value in self._metric("ml_drift_detected", "feature").items() if value}

    def _counted(self) -> dict[str, float]:
        return self._metric("ml_predictions_total", "status")

    def _metric(self, name: str, label: str | None) -> dict[str, float]:
        text = self._ask(Request(target="/metrics")).body.decode()
        return {
            sample.labels.get(label, "") if label else "": sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def _send(self, table: pd.DataFrame, done: Callable[[float], None]) -> None:
        rows = list(_rows(table))
        for start in range(0, len(rows), BATCH_ROWS):
            batch = [{"features": row} for row in rows[start : start + BATCH_ROWS]]
            reply = self._ask(post("/predict/batch", msgspec.json.encode(batch)))
            if not reply.ok:
                raise ServiceError(
                    Text(en=f"a batch was answered {reply.status}", ja=f"バッチの応答が {reply.status} でした"),
                    Text(en="read .sekisho/demo-service.log", ja=".sekisho/demo-service.log を確認してください"),
                    where=self.url,
                )
            done((start + len(batch)) / len(rows))

    def _ask(self, request: Request, *, keyed: bool = True) -> Reply:
        keys = Keys(header="X-API-Key", full=self.key if keyed else None)
        return Instance(url=self.url, keys=keys).ask([request])[0]


def _predict(body: object) -> Request:
    return post("/predict", msgspec.json.encode(body))


def _year(table: str) -> pd.DataFrame:
    whole = read_table()
    return whole[whole[TIME].isin(YEARS[table])]


def _drift(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(AGEP=(table["AGEP"] - YOUNGER_YEARS).clip(lower=0), SCHL=float("nan"))


def _rows(table: pd.DataFrame) -> Iterator[Row]:
    """Yield the features of each row as JSON values."""
    for values in table[list(FEATURES)].itertuples(index=False):
        yield {
            name: None if value != value else float(value) if name in NUMERIC else str(value)
            for name, value in zip(FEATURES, values, strict=True)
        }


def _shown(reply: Reply) -> str:
    """Return the telling part of an answer in one line."""
    body = reply.json()
    if not isinstance(body, dict):
        return str(reply.status)
    telling = ("prediction", "probability", "code", "field", "detail")
    parts = [f"{name}={body[name]}" for name in telling if body.get(name) is not None]
    return " ".join((str(reply.status), *parts))
