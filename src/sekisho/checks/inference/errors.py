"""inference/errors: what is wrong with a request is said in one way, without giving anything away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.inference.faults import Fault, FaultTable
from sekisho.text import Text

SHOWN: Final = 4
OVERSIZE: Final = "request: over the size limit"
ROUTING: Final = ("request: GET to predict", "request: DELETE to predict", "request: unknown route")
"""Faults that most frameworks answer before the service sees them."""
"""How many examples a sentence names."""

_LEAKS: Final = {
    "traceback": Text(en="a traceback", ja="トレースバック"),
    "path": Text(en="a path of the server", ja="サーバー内のパス"),
    "exception": Text(en="the text of an exception", ja="例外の文面"),
    "query": Text(en="a query of a database", ja="データベースのクエリ"),
    "value": Text(en="the value that was sent", ja="送られた値"),
}

_WHERE: Final = {
    "body": "本文",
    "value": "値",
    "features": "特徴量",
    "request": "リクエスト",
    "batch": "バッチ",
    "invocations": "invocations",
}
_WHAT: Final = {
    "cut off": "途中で切れたJSON",
    "two values": "JSONが2つ",
    "single quotes": "単一引用符",
    "trailing comma": "末尾のカンマ",
    "no body": "空",
    "bytes that are no UTF-8": "UTF-8でないバイト列",
    "UTF-16": "UTF-16",
    "null": "null",
    "a number": "数値のみ",
    "an empty list": "空のリスト",
    "an empty object": "空のオブジェクト",
    "a sentence": "文字列のみ",
    "a word for a number": "数値に文字列",
    "a list for a number": "数値にリスト",
    "an object for a number": "数値にオブジェクト",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "a lone surrogate": "孤立サロゲート",
    "an object for a category": "カテゴリにオブジェクト",
    "a category never seen": "未知のカテゴリ",
    "beyond 32 bits": "32ビットを超える数値",
    "far below zero": "極端に小さい数値",
    "a lone surrogate in a category": "カテゴリに孤立サロゲート",
    "one missing": "1つ不足",
    "one unknown": "未知の特徴量",
    "none": "特徴量なし",
    "unknown field": "未知のフィールド",
    "media type of text": "text/plain",
    "media type of a form": "フォーム形式",
    "media type of a pickle": "pickle形式",
    "compressed, and is not": "偽の圧縮指定",
    "over the size limit": "サイズ上限超過",
    "GET to predict": "predictへのGET",
    "DELETE to predict": "predictへのDELETE",
    "unknown route": "存在しないルート",
    "one bad row": "1行だけ誤り",
}
"""What the probe calls the faults, in Japanese."""

# The box


@check(
    "inference/errors",
    title=Text(en="Error handling", ja="エラー処理が適切"),
    why=Text(
        en="A client that gets 500 for its own mistake asks again and again, and whoever is on call is woken for it. An exception's own "
        "text tells an attacker how the service is built, and repeats to the log what a person typed.",
        ja="クライアント側の誤りに500を返すと、再送が繰り返され、当番が無駄に呼び出されます。"
        "例外の文面は攻撃者に内部構造を教え、利用者が入力した値をログへ写してしまいます。",
    ),
    remedy=Text(
        en="check every value before the model sees it; answer 4xx with a stable code in a problem detail (RFC 9457), and never the "
        "exception's text or the value",
        ja="モデルに渡す前に値をすべて検証し、4xx と固定のエラーコードを問題詳細（RFC 9457）で返してください。例外の文面や入力値は含めません",
    ),
)
def errors(contract: Contract, table: FaultTable) -> Verdict:  # noqa: ARG001
    """Ask for a 4xx in JSON with a steady code for every fault, with nothing in it that gives the service away."""
    faults = table.faults
    crashed = [fault for fault in faults if _has_crashed(fault)]
    accepted = [
        fault
        for fault in faults
        if 200 <= fault.status < 400 and fault.status not in fault.expected and not fault.names_row
    ]
    hollow = [fault for fault in faults if fault.is_answer is False and fault not in accepted]
    refused = [fault for fault in faults if 400 <= fault.status < 500]
    leaking = [fault for fault in faults if fault.exposed]
    return verdict(
        _none(crashed, Text(en="answered with 5xx or not at all", ja="5xx または無応答")),
        _none(accepted, Text(en="accepted as if right", ja="正しいリクエストとして受理")),
        *(
            [_none(hollow, Text(en="answered with 200 and no prediction", ja="予測のない 200 の応答"))]
            if hollow
            else []
        ),
        _no_leaks(leaking),
        _bodies(table.strict, refused),
        *_rows(faults),
        _afterwards(table.still_answers),
        faults=len(faults),
        server_errors=len(crashed),
        accepted=len(accepted),
        leaks=len(leaking),
        problem_details=sum(fault.is_problem for fault in refused),
    )


def _has_crashed(fault: Fault) -> bool:
    if fault.name == OVERSIZE and fault.fault == "closed":
        return False  # a body that is too large may be cut off before an answer can be read
    return (fault.status >= 500 or fault.status == 0) and fault.status not in fault.expected


def _none(found: Sequence[Fault], what: Text) -> Finding:
    if found:
        named = _named(found)
        return holds(
            False,  # noqa: FBT003
            Text(
                en=f"{len(found)} kinds of wrong request are {what.en}: {named.en}",
                ja=f"誤ったリクエスト {len(found)} 種が{what.ja}: {named.ja}",
            ),
        )
    return holds(
        True,  # noqa: FBT003
        Text(en=f"no wrong request is {what.en}", ja=f"誤ったリクエストで{what.ja}となったものはありません"),
    )


def _named(found: Sequence[Fault]) -> Text:
    rest = len(found) > SHOWN
    return Text(
        en=", ".join(f"{fault.name} ({fault.status or '–'})" for fault in found[:SHOWN]) + (", …" if rest else ""),
        ja="、".join(f"{in_japanese(fault.name)}（{fault.status or '–'}）" for fault in found[:SHOWN])
        + ("、…" if rest else ""),
    )


def in_japanese(name: str) -> str:
    """Return what the probe calls a fault in Japanese."""
    where, _, what = name.partition(": ")
    return f"{_WHERE[where]}: {_WHAT[what]}"


def _no_leaks(leaking: Sequence[Fault]) -> Finding:
    if not leaking:
        return holds(
            True,  # noqa: FBT003
            Text(en="no answer gives anything away", ja="応答から内部情報や入力値は漏れていません"),
        )
    kinds = [leak for name, leak in _LEAKS.items() if any(name in fault.exposed for fault in leaking)]
    named = _named(leaking)
    return holds(
        False,  # noqa: FBT003
        Text(
            en=f"answers hold {' and '.join(kind.en for kind in kinds)}: {named.en}",
            ja=f"応答に{'・'.join(kind.ja for kind in kinds)}が含まれます: {named.ja}",
        ),
    )


def _bodies(strict: bool, refused: Sequence[Fault]) -> Finding:
    if strict:
        wrong = [fault for fault in refused if not _as_documented(fault)]
        wanted = Text(
            en="a problem detail with the documented status and a steady code",
            ja="文書どおりのステータスと固定コードを持つ問題詳細",
        )
    else:
        wrong = [fault for fault in refused if not _is_steady_json(fault)]
        wanted = Text(en="a steady status and a body in JSON", ja="一定のステータスとJSONの本文")
    if wrong:
        return holds(
            False,  # noqa: FBT003
            Text(
                en=f"{len(wrong)} kinds of refusal lack {wanted.en}: {_named(wrong).en}",
                ja=f"{len(wrong)} 種の拒否応答に{wanted.ja}がありません: {_named(wrong).ja}",
            ),
        )
    return holds(
        True,  # noqa: FBT003
        Text(
            en=f"all {len(refused)} kinds of refusal have {wanted.en}",
            ja=f"{len(refused)} 種の拒否応答すべてに{wanted.ja}があります",
        ),
    )


def _is_steady_json(fault: Fault) -> bool:
    if fault.name in ROUTING:
        return True  # what a router answers by itself; what it gives away counts all the same
    return fault.is_json and fault.is_steady and not fault.is_untrue


def _as_documented(fault: Fault) -> bool:
    return fault.status in fault.expected and fault.is_problem and fault.code is not None and fault.is_steady


def _rows(faults: Sequence[Fault]) -> list[Finding]:
    batches = [fault for fault in faults if fault.names_row is not None]
    silent = [fault for fault in batches if not fault.names_row]
    if not batches:
        return []
    return [
        holds(
            not silent,
            Text(
                en=f"the bad row of a batch is not named: {_named(silent).en}",
                ja=f"バッチ内のどの行が誤りか示されません: {_named(silent).ja}",
            )
            if silent
            else Text(en="the bad row of a batch is named", ja="バッチ内の誤った行が番号で示されます"),
        )
    ]


def _afterwards(still_answers: bool) -> Finding:
    return holds(
        still_answers,
        Text(en="a right request is answered afterwards", ja="その後も正しいリクエストに応答します")
        if still_answers
        else Text(
            en="after the wrong requests a right one is no longer answered",
            ja="誤ったリクエストの後、正しいリクエストにも応答しなくなりました",
        ),
    )


# How it looks when it passes, and when it fails

_FAULT: Final = Fault(
    name="value: a word for a number",
    expected=(422, 400),
    status=422,
    fault=None,
    is_json=True,
    is_problem=True,
    code="wrong_type",
    is_steady=True,
    exposed=(),
    names_row=None,
)
_BATCH: Final = replace(_FAULT, name="batch: one bad row", names_row=True)
_TABLE: Final = FaultTable(strict=True, faults=(_FAULT, _BATCH), still_answers=True)

errors.passes(example_contract(), _TABLE)
errors.passes(  # another team's service: its own JSON will do
    example_contract(),
    FaultTable(strict=False, faults=(replace(_FAULT, is_problem=False, code=None), _BATCH), still_answers=True),
)
errors.fails(  # detail=str(error)
    example_contract(),
    replace(_TABLE, strict=False, faults=(replace(_FAULT, status=500, exposed=("exception",)), _BATCH)),
)
errors.fails(  # NaN reaches the model
    example_contract(), replace(_TABLE, faults=(replace(_FAULT, name="value: NaN", status=500), _BATCH))
)
errors.fails(example_contract(), replace(_TABLE, faults=(replace(_FAULT, exposed=("value",)),)))  # the input comes back
errors.passes(  # odd, and answered
    example_contract(),
    replace(_TABLE, faults=(_FAULT, replace(_FAULT, name="value: far below zero", expected=(200, 422), status=200))),
)
errors.fails(  # infinity goes in, and no prediction comes out
    example_contract(),
    replace(
        _TABLE,
        faults=(replace(_FAULT, name="value: beyond 32 bits", expected=(200, 422), status=200, is_answer=False),),
    ),
)
errors.fails(  # the body says another status than the answer
    example_contract(), replace(_TABLE, strict=False, faults=(replace(_FAULT, is_problem=False, is_untrue=True),))
)
errors.fails(example_contract(), replace(_TABLE, faults=(_FAULT, replace(_BATCH, names_row=False))))
errors.fails(example_contract(), replace(_TABLE, faults=(replace(_FAULT, name="request: unknown field", status=200),)))
errors.fails(
    example_contract(), replace(_TABLE, faults=(replace(_FAULT, is_problem=False),))
)  # ours must keep to RFC 9457
errors.fails(example_contract(), replace(_TABLE, still_answers=False))
