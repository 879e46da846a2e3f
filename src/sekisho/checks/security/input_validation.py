"""security/input-validation: only what the model was made for reaches it, and no body is too much for the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.security.hostile_input import HostileInput, SizeTrial, TypeTrial, ValueTrial
from sekisho.text import Text

SHOWN: Final = 4
TOO_LARGE: Final = 413
WAIT_MS: Final = 500.0
"""What another client may wait while a large body is turned away; more only if it usually waits a fifth of that."""
WAIT_TIMES: Final = 5.0
MEMORY: Final = 64 * 1024 * 1024
"""Bytes by which the service may grow, beside twice the largest body that it allows."""
LONGEST_ANSWER: Final = 64 * 1024

_TYPES: Final = {
    "a word": "単語",
    "an object": "オブジェクト",
    "a list": "リスト",
    "true": "true",
    "null": "null",
    "a number": "数値",
    "a number in a string": "文字列の数値",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "-Infinity": "-Infinity",
    "a feature missing": "特徴量の不足",
    "an unknown feature": "未知の特徴量",
}
_VALUES: Final = {
    "far above": "上限を大きく超える値",
    "far below": "下限を大きく下回る値",
    "1e300": "1e300",
    "2^53+1": "2^53+1",
    "2^64": "2^64",
    "5,000 digits": "5,000桁の整数",
    "a category never seen": "未知のカテゴリ",
}
_SIZES: Final = {
    "body": "巨大な本文",
    "body in chunks": "分割送信の巨大な本文",
    "a long list": "長いリスト",
    "nesting": "深い入れ子",
    "keys": "大量のキー",
    "rows": "上限を超える行数",
}

# The box


@check(
    "security/input-validation",
    title=Text(en="Input validation", ja="入力の検証"),
    why=Text(
        en="A number in quotes, a value ten times beyond anything seen, a category that never was: a model answers them all, with the same "
        "confidence. And one large body can hold up every other client.",
        ja="引用符付きの数値、見たこともない大きさの値、学習時になかったカテゴリ。モデルはどれにも同じ自信で答えてしまいます。"
        "巨大な本文ひとつで、他のクライアント全員が待たされることもあります。",
    ),
    remedy=Text(
        en="check types strictly, compare values with the ranges and categories of the training set, and limit body, rows and nesting before "
        "anything is parsed",
        ja="型を厳格に検証し、値を学習データの範囲・カテゴリと照合し、本文サイズ・行数・入れ子の深さを解析前に制限してください",
    ),
)
def input_validation(contract: Contract, seen: HostileInput) -> Verdict:
    """Ask that wrong types are refused, unheard-of values are refused or flagged by policy, and size hurts nobody."""
    security = contract.security
    ranges = {each.name: each.out_of_range for each in contract.features if each.out_of_range is not None}
    categories = {each.name: each.unseen_category for each in contract.features if each.unseen_category is not None}

    def range_policy(feature: str) -> str:
        return ranges.get(feature, security.out_of_range)

    def category_policy(feature: str) -> str:
        return categories.get(feature, security.unseen_category)

    def number_policy(feature: str) -> str:
        return "accept" if range_policy(feature) == "accept" else "flag"

    out_of_range = [trial for trial in seen.values if trial.kind == "out of range"]
    unseen = [trial for trial in seen.values if trial.kind == "unseen category"]
    beyond = [trial for trial in seen.values if trial.kind == "beyond numbers"]
    in_metrics = 0 < sum(_is_silent(trial) for trial in seen.values) <= seen.counted
    growth = None if seen.memory_peak is None or seen.memory_before is None else seen.memory_peak - seen.memory_before
    return verdict(
        _types(seen.types),
        *_by_policy(out_of_range, range_policy, Text(en="values out of range", ja="範囲外の値"), in_metrics),
        *_by_policy(unseen, category_policy, Text(en="categories never seen", ja="未知のカテゴリ"), in_metrics),
        *_by_policy(beyond, number_policy, Text(en="numbers beyond all reason", ja="桁外れの数値"), in_metrics),
        *_sizes(seen.sizes),
        _others(seen),
        *_memory(growth, contract.serving.maximum_body_bytes),
        _afterwards(seen.still_answers),
        types=len(seen.types),
        coerced=sum(_is_ok(trial.status) for trial in seen.types),
        values=len(seen.values),
        silent=sum(_is_silent(trial) for trial in seen.values),
        same_as_edge=sum(bool(trial.same_as_edge) for trial in out_of_range),
        worst_wait_ms=max((trial.worst_wait_ms for trial in seen.sizes), default=None),
        memory_growth=growth,
    )


def _is_ok(status: int) -> bool:
    return 200 <= status < 300


def _is_silent(trial: ValueTrial) -> bool:
    return _is_ok(trial.status) and not trial.flagged


def _broke(status: int) -> bool:
    return status >= 500 or status == 0


def _types(trials: Sequence[TypeTrial]) -> Finding:
    wrong = [trial for trial in trials if not 400 <= trial.status < 500]
    if not wrong:
        return holds(
            True,  # noqa: FBT003
            Text(
                en=f"all {len(trials)} values of a wrong type are refused",
                ja=f"型の誤った値 {len(trials)} 種をすべて拒否",
            ),
        )
    kinds = [*dict.fromkeys(_type_of(trial.value) for trial in wrong)][:SHOWN]
    feature = wrong[0].feature
    return holds(
        False,  # noqa: FBT003
        Text(
            en=f"{len(wrong)} of {len(trials)} values of a wrong type are not refused: {', '.join(kinds)} (such as in {feature})",
            ja=f"型の誤った値 {len(trials)} 種のうち {len(wrong)} 種が拒否されません: {'、'.join(_TYPES[kind] for kind in kinds)}（例: {feature}）",
        ),
    )


def _type_of(value: str) -> str:
    return value if value in _TYPES else "a number in a string"


def _by_policy(
    trials: Sequence[ValueTrial], policy: Callable[[str], str], what: Text, in_metrics: bool
) -> Iterator[Finding]:
    """Judge the values of each feature by its own policy."""
    kinds = dict.fromkeys(policy(trial.feature) for trial in trials)
    for kind in kinds:
        yield from _values([trial for trial in trials if policy(trial.feature) == kind], kind, what, in_metrics)


def _values(trials: Sequence[ValueTrial], policy: str, what: Text, in_metrics: bool) -> Iterator[Finding]:
    """Judge values by their policy; ``in_metrics`` says that the service counted as many as it answered without a remark."""
    if not trials:
        return
    broken = [trial for trial in trials if _broke(trial.status) or trial.is_hollow]
    if policy == "reject":
        wrong = [trial for trial in trials if _is_ok(trial.status)]
        wanted = Text(en="refused", ja="拒否")
    elif policy == "flag":
        wrong = [] if in_metrics else [trial for trial in trials if _is_silent(trial)]
        wanted = Text(en="refused or flagged", ja="拒否またはフラグ付け")
    else:
        wrong, wanted = [], Text(en="answered or refused", ja="応答または拒否")
    if not wrong and not broken:
        yield holds(
            True,  # noqa: FBT003
            Text(en=f"{what.en} are {wanted.en}", ja=f"{what.ja}は{wanted.ja}されます"),
        )
        return
    bad = [*broken, *wrong]
    named = Text(
        en=", ".join(f"{each.feature} {each.value} ({each.status or '–'})" for each in bad[:SHOWN]),
        ja="、".join(f"{each.feature} に{_VALUES[each.value]}（{each.status or '–'}）" for each in bad[:SHOWN]),
    )
    clipped = Text(en="", ja="")
    if any(trial.same_as_edge for trial in wrong):
        clipped = Text(
            en="; the answer is that of the nearest usual value, as if it had been clipped in silence",
            ja="。応答は範囲の端の値と同じで、黙って丸められているように見えます",
        )
    yield holds(
        False,  # noqa: FBT003
        Text(
            en=f"{what.en} must be {wanted.en}, and {len(bad)} are not: {named.en}{clipped.en}",
            ja=f"{what.ja}は{wanted.ja}が必要ですが、{len(bad)} 件がそうなっていません: {named.ja}{clipped.ja}",
        ),
    )


def _sizes(trials: Sequence[SizeTrial]) -> Iterator[Finding]:
    unlimited = [trial for trial in trials if not _is_turned_away(trial)]
    yield holds(
        not unlimited,
        _named(
            unlimited,
            Text(en="every request that is too large is turned away", ja="大きすぎるリクエストはすべて拒否されます"),
            Text(en="requests that are too large are not turned away", ja="大きすぎるリクエストが拒否されません"),
        ),
    )
    wordy = [trial for trial in trials if trial.answer_bytes > LONGEST_ANSWER]
    if wordy:
        yield holds(
            False,  # noqa: FBT003
            _named(
                wordy, Text(en="", ja=""), Text(en="the refusal itself is very long", ja="拒否応答そのものが長すぎます")
            ),
        )


def _is_turned_away(trial: SizeTrial) -> bool:
    """Return whether a request was refused.

    A body over the limit is right but for its size: a service that takes no chunks says so (RFC 9112, section 6.1).
    """
    if trial.name == "body":
        return trial.status == TOO_LARGE or trial.fault == "closed"
    if trial.name == "body in chunks" and trial.status == 501:
        return True
    return 400 <= trial.status < 500 or trial.fault == "closed"


def _named(trials: Sequence[SizeTrial], none: Text, some: Text) -> Text:
    if not trials:
        return none
    words = [(trial, f"{trial.sent_bytes:,} B, {trial.status or trial.fault}") for trial in trials]
    return Text(
        en=f"{some.en}: " + ", ".join(f"{trial.name} ({how})" for trial, how in words),
        ja=f"{some.ja}: " + "、".join(f"{_SIZES[trial.name]}（{how}）" for trial, how in words),
    )


def _others(seen: HostileInput) -> Finding:
    allowed = max(WAIT_MS, WAIT_TIMES * seen.usual_wait_ms)
    worst = max(seen.sizes, key=lambda trial: trial.worst_wait_ms)
    waited = Text(
        en=f"meanwhile another client waited up to {worst.worst_wait_ms:,.0f} ms ({worst.name})",
        ja=f"その間、別のクライアントの待ち時間は最大 {worst.worst_wait_ms:,.0f} ms（{_SIZES[worst.name]}）",
    )
    if worst.worst_wait_ms <= allowed:
        return holds(True, waited)  # noqa: FBT003
    return holds(
        False,  # noqa: FBT003
        Text(en=f"{waited.en}; {allowed:,.0f} ms is the most", ja=f"{waited.ja}。許容は {allowed:,.0f} ms です"),
    )


def _memory(growth: int | None, body: int) -> Iterator[Finding]:
    if growth is None:
        return
    allowed = MEMORY + 2 * body
    yield holds(
        growth <= allowed,
        Text(
            en=f"memory grew by {growth / 2**20:,.0f} MiB (at most {allowed / 2**20:,.0f})",
            ja=f"メモリの増加は {growth / 2**20:,.0f} MiB（上限 {allowed / 2**20:,.0f}）",
        ),
    )


def _afterwards(still_answers: bool) -> Finding:
    return holds(
        still_answers,
        Text(en="a right request is answered afterwards", ja="その後も正しいリクエストに応答します")
        if still_answers
        else Text(
            en="afterwards a right request is no longer answered", ja="その後、正しいリクエストに応答しなくなりました"
        ),
    )


# How it looks when it passes, and when it fails

_TYPE: Final = TypeTrial(feature="age", value="the string '5.1'", status=422, echoed=False)
_RANGE: Final = ValueTrial(
    feature="age", kind="out of range", value="far above", status=200, flagged=True, same_as_edge=True
)
_UNSEEN: Final = ValueTrial(
    feature="plan", kind="unseen category", value="a category never seen", status=200, flagged=True, same_as_edge=None
)
_BEYOND: Final = ValueTrial(
    feature="age", kind="beyond numbers", value="1e300", status=422, flagged=False, same_as_edge=None
)
_BODY: Final = SizeTrial(
    name="body", sent_bytes=10_485_853, status=413, fault=None, seconds=0.01, answer_bytes=240, worst_wait_ms=4.0
)
_SEEN: Final = HostileInput(
    types=(_TYPE, replace(_TYPE, value="true")),
    values=(_RANGE, _UNSEEN, _BEYOND),
    sizes=(_BODY, replace(_BODY, name="nesting", status=400)),
    counted=0,
    usual_wait_ms=3.0,
    memory_before=100_000_000,
    memory_peak=112_000_000,
    still_answers=True,
)

input_validation.passes(example_contract(), _SEEN)
input_validation.passes(example_contract(), replace(_SEEN, values=(replace(_RANGE, status=422, flagged=False),)))
input_validation.passes(  # the contract lets such values through
    example_contract(security={"out_of_range": "accept"}), replace(_SEEN, values=(replace(_RANGE, flagged=False),))
)
input_validation.passes(  # flagged in the metrics
    example_contract(), replace(_SEEN, values=(replace(_RANGE, flagged=False),), counted=1)
)
input_validation.fails(  # clipped in silence
    example_contract(), replace(_SEEN, values=(replace(_RANGE, flagged=False),))
)
input_validation.fails(  # flagged where the contract wants it refused
    example_contract(security={"unseen_category": "reject"}), _SEEN
)
input_validation.fails(  # strings and booleans made into numbers
    example_contract(), replace(_SEEN, types=(_TYPE, replace(_TYPE, value="true", status=200)))
)
input_validation.passes(  # the contract lets one feature be what it likes
    example_contract(features=[{"name": "age", "out_of_range": "accept"}]),
    replace(_SEEN, values=(replace(_RANGE, flagged=False),)),
)
input_validation.fails(  # answered with success, and with no prediction
    example_contract(security={"out_of_range": "accept"}),
    replace(_SEEN, values=(replace(_BEYOND, status=200, is_hollow=True),)),
)
input_validation.fails(  # infinity in a 32-bit model
    example_contract(), replace(_SEEN, values=(replace(_BEYOND, status=200),))
)
input_validation.fails(example_contract(), replace(_SEEN, sizes=(replace(_BODY, status=200),)))  # no limit on size
input_validation.fails(  # a limit, but only after everybody has waited
    example_contract(), replace(_SEEN, sizes=(replace(_BODY, worst_wait_ms=3_700.0),))
)
input_validation.fails(example_contract(), replace(_SEEN, memory_peak=1_790_000_000))
input_validation.fails(example_contract(), replace(_SEEN, still_answers=False))
