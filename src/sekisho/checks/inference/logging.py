"""inference/logging: one line a request that can be found again, and nothing in it that a caller sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from sekisho.gate.check import check
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.inference.log_lines import LogLines
from sekisho.text import Text

_KINDS: Final[Mapping[str, str]] = {
    "a number": "数値",
    "a category": "カテゴリ",
    "a broken body": "壊れた本文",
    "an unknown field": "未知の項目名",
    "a name and a card number": "氏名とカード番号",
    "the query": "クエリ文字列",
    "key": "APIキー",
}
_MEMBERS: Final[Mapping[str, str]] = {
    "time": "時刻",
    "level": "レベル",
    "status": "ステータス",
    "latency": "所要時間",
    "model": "モデル",
}

# The box


@check(
    "inference/logging",
    title=Text(en="Logging", ja="ログ出力"),
    why=Text(
        en="Without one record a request, an incident cannot be traced to a model and an input. With too much in it, the log itself becomes the leak.",
        ja="1リクエスト1行の記録がなければ、障害の原因となったモデルと入力をたどれません。逆に書きすぎれば、ログそのものが情報漏えいの源になります。",
    ),
    remedy=Text(
        en="write one JSON line a request to standard output, with time, level, request id, model version, status and latency, and no value that a caller sent",
        ja="時刻・レベル・リクエストID・モデルのバージョン・結果・所要時間を1行の JSON で標準出力に記録し、呼び出し元が送った値は書かないでください",
    ),
)
def logging(lines: LogLines) -> Verdict:
    """Ask that each request left a line of JSON with its id, and that no planted value stands in any line."""
    return verdict(
        _leaks(lines),
        *_forged(lines),
        *_answered(lines),
        _identified(lines),
        *_found(lines),
        _readable(lines),
        sent=lines.sent,
        found=lines.found,
        lines=lines.lines,
        unreadable=lines.unreadable,
        planted=lines.planted,
        leaked=len(lines.leaked),
        id_header=lines.id_header,
    )


def _leaks(lines: LogLines) -> Finding:
    if not lines.leaked:
        return holds(
            True,  # noqa: FBT003
            Text(
                en=f"none of {lines.planted} planted values stands in the log",
                ja=f"仕込んだ {lines.planted} 個の値はログに現れません",
            ),
        )
    kinds = ", ".join(lines.leaked)
    ja = "、".join(_KINDS.get(kind, kind) for kind in lines.leaked)
    return holds(
        False,  # noqa: FBT003
        Text(en=f"what callers send stands in the log: {kinds}", ja=f"呼び出し元が送った値がログに出ています: {ja}"),
    )


def _answered(lines: LogLines) -> Iterator[Finding]:
    if not lines.answered:
        yield holds(
            None,
            Text(
                en="no prediction was answered meanwhile, so that nothing is known of their lines",
                ja="その間に成功した予測がなく、予測のログ行を確かめられません",
            ),
        )


def _forged(lines: LogLines) -> Iterator[Finding]:
    if lines.forged:
        places = ", ".join(lines.forged)
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"callers can write members or lines of their own into the log: {places}",
                ja=f"呼び出し元がログに独自の項目や行を書き込めます: {places}",
            ),
        )


def _identified(lines: LogLines) -> Finding:
    if lines.id_header is None:
        return holds(
            False,  # noqa: FBT003
            Text(
                en="answers carry no request id (X-Request-ID), so that no line can be found for them",
                ja="応答にリクエストID（X-Request-ID）がなく、対応するログ行を探せません",
            ),
        )
    return holds(
        lines.distinct_ids == lines.sent,
        Text(
            en=f"{lines.distinct_ids} different ids for {lines.sent} requests ({lines.id_header})",
            ja=f"{lines.sent} 件のリクエストに対し、異なるID {lines.distinct_ids} 個（{lines.id_header}）",
        ),
    )


def _found(lines: LogLines) -> Iterator[Finding]:
    if lines.id_header is None:
        return
    yield holds(
        lines.found == lines.sent,
        Text(
            en=f"{lines.found} of {lines.sent} requests left a line with their id",
            ja=f"{lines.sent} 件中 {lines.found} 件が、IDを含むログ行を残しました",
        ),
    )
    if lines.lacking:
        named = ", ".join(f"{name} ({count})" for name, count in lines.lacking.items())
        ja = "、".join(f"{_MEMBERS[name]}（{count}行）" for name, count in lines.lacking.items())
        yield holds(
            False,  # noqa: FBT003
            Text(en=f"lines about requests lack: {named}", ja=f"リクエストのログ行に足りない項目: {ja}"),
        )


def _readable(lines: LogLines) -> Finding:
    return holds(
        not lines.unreadable,
        Text(
            en=f"{lines.unreadable} of {lines.lines} lines are no JSON object",
            ja=f"{lines.lines} 行中 {lines.unreadable} 行が JSON オブジェクトではありません",
        )
        if lines.unreadable
        else Text(en="every line is a JSON object", ja="すべての行が JSON オブジェクトです"),
    )


# How it looks when it passes, and when it fails

_CLEAN: Final = LogLines(
    sent=44,
    id_header="x-request-id",
    distinct_ids=44,
    found=44,
    lines=45,
    unreadable=0,
    lacking={},
    planted=130,
    leaked=(),
    answered=38,
)

logging.passes(_CLEAN)
logging.fails(replace(_CLEAN, leaked=("a category", "a name and a card number")))
logging.fails(replace(_CLEAN, leaked=("key",)))
logging.fails(replace(_CLEAN, forged=("path",)))
logging.fails(replace(_CLEAN, unreadable=12, lines=57))
logging.fails(replace(_CLEAN, found=31))
logging.fails(replace(_CLEAN, lacking={"model": 44}))
logging.is_unknown(replace(_CLEAN, answered=0))
logging.fails(replace(_CLEAN, id_header=None, distinct_ids=0, found=0))
