"""inference/mode: single rows or batches, whichever the need for fresh answers asks for, and both answer alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.inference.modes import Cost, Modes
from sekisho.probes.inference.parity import Form, ServedParity
from sekisho.text import Text

CHEAPER: Final = 3.0
"""So many times cheaper the other mode must be before the choice is questioned."""
SOON: Final = 60.0
"""Seconds of freshness below which nothing but single rows will do."""

# The box


@check(
    "inference/mode",
    title=Text(en="Batch or real-time is the right choice", ja="バッチとリアルタイムの選択が適切"),
    why=Text(
        en="Answering row by row what nobody needs before tomorrow is paid for all day. Batches that are prepared otherwise than single rows answer otherwise, and nobody compares the two.",
        ja="翌日までに足りる答えを1件ずつ返し続ければ、その費用は一日中かかります。"
        "また、バッチだけ前処理が違えば答えも変わりますが、両者を見比べる人はいません。",
    ),
    remedy=Text(
        en="state serving.freshness_seconds and serving.mode; let one code path prepare single rows and batches; name the bad row in the answer to a batch",
        ja="serving.freshness_seconds と serving.mode を書き、1件とバッチの前処理を同じコードにし、バッチの応答では不正な行の番号を示してください",
    ),
)
def mode(contract: Contract, modes: Modes, parity: ServedParity) -> Verdict:
    """Ask that batches answer as single rows do, that a bad row is named, and that the mode fits the need for fresh answers."""
    cheapest = min((cost.milliseconds for cost in modes.batches if cost.rows > 1), default=None)
    single = None if modes.single is None else modes.single.milliseconds
    return verdict(
        *_alike(parity),
        *_bad_row(modes),
        _unanswered(contract, modes) or _fits(contract, single or 0.0, cheapest),
        single_ms=single,
        cheapest_batch_ms=cheapest,
        times_cheaper=None if not cheapest or single is None else round(single / cheapest, 2),
        break_even_rows=_break_even(modes),
        freshness_seconds=contract.serving.freshness_seconds,
        mode=contract.serving.mode,
    )


def _alike(parity: ServedParity) -> Iterator[Finding]:
    for form in parity.forms:
        if not form.name.startswith("batch"):
            continue
        equal = not form.other_labels and not form.unanswered and (form.largest_gap or 0.0) <= 1e-6
        if not equal:
            yield holds(
                False,  # noqa: FBT003
                Text(
                    en=f"{form.name} answers otherwise than {form.against}: {form.other_labels} labels, {form.unanswered} unanswered "
                    f"of {form.rows} rows, scores off by {form.largest_gap or 0:.3g}",
                    ja=f"{form.name} の答えが {form.against} と異なります: {form.rows} 行中ラベル {form.other_labels} 件、"
                    f"無応答 {form.unanswered} 件、スコア差 {form.largest_gap or 0:.3g}",
                ),
            )


def _bad_row(modes: Modes) -> Iterator[Finding]:
    status = modes.bad_row_status
    if status is None:
        return
    if status >= 500 or status == 0:
        said = Text(en=f"a batch with one bad row gets {status}", ja=f"不正な行を1つ含むバッチへの応答が {status}")
        yield holds(False, said)  # noqa: FBT003
        return
    yield holds(
        modes.bad_row_named,
        Text(
            en=f"a batch with one bad row gets {status}, and the row is named",
            ja=f"不正な行を含むバッチは {status} で、行番号を示します",
        )
        if modes.bad_row_named
        else Text(
            en=f"a batch with one bad row gets {status}, and nobody says which row",
            ja=f"不正な行を含むバッチは {status} ですが、どの行かを示しません",
        ),
    )


def _unanswered(contract: Contract, modes: Modes) -> Finding | None:
    """Return what stands in the way of a judgement: nothing was answered, or the chosen mode has no route."""
    if contract.serving.mode == "batch" and not modes.batches:
        return holds(
            False,  # noqa: FBT003
            Text(
                en="batches are the chosen mode, and the service answers none",
                ja="バッチを選んでいますが、サービスはバッチに応答しません",
            ),
        )
    if modes.single is None:
        return holds(
            None,
            Text(
                en="no single row was answered, so that no cost is known", ja="1件の要求に応答がなく、費用を測れません"
            ),
        )
    return None


def _fits(contract: Contract, single: float, cheapest: float | None) -> Finding:
    fresh, chosen = contract.serving.freshness_seconds, contract.serving.mode
    costs = Text(
        en=f"a row costs {single:.3g} ms by itself"
        + ("" if cheapest is None else f" and {cheapest:.3g} ms in a batch ({single / cheapest:.3g} times less)"),
        ja=f"1行の処理時間は単独で {single:.3g} ms"
        + ("" if cheapest is None else f"、バッチで {cheapest:.3g} ms（{single / cheapest:.3g} 分の1）"),
    )
    if fresh is None or chosen is None:
        return holds(
            None,
            Text(
                en=f"{costs.en}; nobody has stated how fresh answers must be and which mode was chosen (serving.freshness_seconds, serving.mode)",
                ja=f"{costs.ja}。答えに必要な新しさと選んだ方式（serving.freshness_seconds、serving.mode）が示されていません",
            ),
        )
    if chosen == "batch" and fresh < SOON:
        return holds(
            False,  # noqa: FBT003
            Text(
                en=f"answers must be at most {fresh:g} s old: a batch cannot give that",
                ja=f"答えの新しさの要件 {fresh:g} 秒は、バッチでは満たせません",
            ),
        )
    wasteful = chosen == "real-time" and fresh >= SOON and cheapest is not None and single > CHEAPER * cheapest
    if wasteful and contract.serving.mode_reason is None:
        return holds(
            False,  # noqa: FBT003
            Text(
                en=f"{costs.en}, and answers may be {fresh:g} s old: batches would do; keep single rows with serving.mode_reason, or serve batches",
                ja=f"{costs.ja}。答えは {fresh:g} 秒前のものでよいため、バッチで足ります。1件ずつにする場合は serving.mode_reason に理由を書いてください",
            ),
        )
    reason = contract.serving.mode_reason
    return holds(
        True,  # noqa: FBT003
        Text(
            en=f"{costs.en}; {chosen} fits answers that may be {fresh:g} s old"
            + ("" if reason is None else f" ({reason})"),
            ja=f"{costs.ja}。新しさの要件 {fresh:g} 秒に対し {chosen} は妥当です"
            + ("" if reason is None else f"（{reason}）"),
        ),
    )


def _break_even(modes: Modes) -> int | None:
    """Return the smallest batch in which a row costs less than half of what it costs by itself."""
    if modes.single is None:
        return None
    half = modes.single.milliseconds / 2
    return next((cost.rows for cost in modes.batches if cost.rows > 1 and cost.milliseconds < half), None)


# How it looks when it passes, and when it fails

_MODES: Final = Modes(
    single=Cost(rows=0, milliseconds=0.21),
    batches=(Cost(rows=1, milliseconds=0.24), Cost(rows=64, milliseconds=0.012)),
    bad_row_status=422,
    bad_row_named=True,
)
_FORM: Final = Form(name="batch of 7", against="offline", rows=1_000, unanswered=0, other_labels=0, largest_gap=1e-8)
_SAME: Final = ServedParity(available=1_200, offline=True, forms=(_FORM,))
_NOW: Final = example_contract(serving={"freshness_seconds": 1, "mode": "real-time"})

mode.passes(_NOW, _MODES, _SAME)
mode.passes(
    example_contract(
        serving={
            "freshness_seconds": 86_400,
            "mode": "real-time",
            "mode_reason": "one caller asks while a customer waits",
        }
    ),
    _MODES,
    _SAME,
)
mode.fails(_NOW, _MODES, replace(_SAME, forms=(replace(_FORM, other_labels=31, largest_gap=0.4),)))
mode.fails(_NOW, replace(_MODES, bad_row_named=False), _SAME)
mode.fails(_NOW, replace(_MODES, bad_row_status=500, bad_row_named=False), _SAME)
mode.fails(example_contract(serving={"freshness_seconds": 86_400, "mode": "real-time"}), _MODES, _SAME)
mode.fails(example_contract(serving={"freshness_seconds": 1, "mode": "batch"}), _MODES, _SAME)
mode.fails(  # a batch job that nothing answers
    example_contract(serving={"freshness_seconds": 86_400, "mode": "batch"}),
    replace(_MODES, batches=(), bad_row_status=None, bad_row_named=False),
    _SAME,
)
mode.is_unknown(_NOW, replace(_MODES, single=None), _SAME)
mode.is_unknown(example_contract(), _MODES, _SAME)
