"""What became of drills: as data that programs read, as rows of a table, and as a page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sekisho.documents.reference.markdown import table
from sekisho.gate.machine import machine_facts, versions
from sekisho.text import Language, Text

if TYPE_CHECKING:
    from sekisho.drills.runner import Ran

HEADINGS: Final = (
    Text(en="Drill", ja="訓練"),
    Text(en="Verdict", ja="判定"),
    Text(en="Lost", ja="喪失"),
    Text(en="Sent", ja="送信"),
    Text(en="Answered", ja="成功"),
    Text(en="Turned away", ja="受付拒否"),
    Text(en="Excused", ja="許容"),
    Text(en="Recovered in (s)", ja="復旧 (秒)"),
    Text(en="Why", ja="理由"),
)
_PASSED: Final = {True: Text(en="passed", ja="合格"), False: Text(en="FAILED", ja="不合格")}


def data_of(done: Sequence[Ran], *, rate: float, command: str) -> dict[str, Any]:
    """Return what became of drills as JSON values, in both languages."""
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "command": command,
        "rate_per_second": rate,
        "machine": machine_facts(),
        "versions": versions(),
        "passed": all(each.result.passed for each in done),
        "lost": sum(each.result.lost for each in done),
        "drills": [_one(each) for each in done],
    }


def _one(ran: Ran) -> dict[str, Any]:
    drill, result = ran.drill, ran.result
    return {
        "id": drill.id,
        "title": {"en": drill.title.en, "ja": drill.title.ja},
        "rule": {"en": drill.rule.en, "ja": drill.rule.ja},
        "passed": result.passed,
        "why": {"en": result.why.en, "ja": result.why.ja},
        "sent": result.sent,
        "succeeded": result.succeeded,
        "refused": result.refused,
        "excused": result.excused,
        "lost": result.lost,
        "seconds_to_recover": result.seconds_to_recover,
        "said": list(result.said),
        "figures": dict(result.figures),
    }


def cells(drill: Mapping[str, Any], language: Language) -> list[str]:
    """Return one drill as the cells under :data:`HEADINGS`."""
    recovered = drill["seconds_to_recover"]
    counts = (f"{drill[name]:,}" for name in ("lost", "sent", "succeeded", "refused", "excused"))
    return [
        drill["id"],
        _PASSED[drill["passed"]].of(language),
        *counts,
        "–" if recovered is None else f"{recovered:.2f}",
        drill["why"][language],
    ]


def page(data: Mapping[str, Any], language: Language) -> str:
    """Return the page of all drills in Markdown."""
    machine = data["machine"]
    found = Text(
        en=f"Done {data['at']} by `{data['command']}`, {data['rate_per_second']:g} requests a second, on {machine['processor']}, "
        f"{machine['cores']} cores. Lost requests: **{data['lost']}**.",
        ja=f"{data['at']} に `{data['command']}` で実施（毎秒 {data['rate_per_second']:g} リクエスト、{machine['processor']}、"
        f"{machine['cores']} コア）。失われたリクエスト: **{data['lost']} 件**。",
    )
    lines = [f"# {_TITLE.of(language)}", "", _INTRODUCTION.of(language), "", found.of(language), ""]
    lines += table(HEADINGS, (cells(each, language) for each in data["drills"]), language)
    lines += ["", _WORDS.of(language)]
    for each in data["drills"]:
        lines += ["", f"## {each['id']}", "", f"{_DONE.of(language)}: {each['title'][language]}", ""]
        lines += [f"{_RULE.of(language)}: {each['rule'][language]}"]
        if each["said"]:
            lines += ["", f"{_SAID.of(language)}: " + ", ".join(f"`{line}`" for line in each["said"])]
        if each["figures"]:
            figures = ", ".join(f"`{name}` {value:,g}" for name, value in each["figures"].items())
            lines += ["", f"{_MEASURED.of(language)}: {figures}"]
    return "\n".join(lines) + "\n"


_TITLE: Final = Text(en="Drills", ja="障害訓練")
_INTRODUCTION: Final = Text(
    en="Each drill starts the service anew, with two workers, puts a load on it that does not wait for answers, really does the fault, and counts.",
    ja="訓練ごとにワーカー2つのサービスを起動し、応答を待たない一定頻度の負荷をかけながら実際に障害を起こし、結果を数えます。",
)
_WORDS: Final = Text(
    en="*Lost*: sent while the service had to take it, and not answered with success. *Turned away*: told in order to come back later, or nobody "
    "listened any more. *Excused*: failed, and the rule says that it may.",
    ja="「喪失」は、受け付けるべき間に送られて成功の応答がなかったもの。「受付拒否」は、再試行の時刻を添えて断ったもの、または待ち受けの終了後に"
    "送られたもの。「許容」は、規則が認める失敗です。",
)
_DONE: Final = Text(en="What is done", ja="行うこと")
_RULE: Final = Text(en="Rule", ja="規則")
_SAID: Final = Text(en="The log said", ja="ログの記録")
_MEASURED: Final = Text(en="Measured", ja="測定値")
