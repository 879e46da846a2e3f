"""inference/api: the service answers on every route as its protocol has it, and gives the answers of the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.inference.parity import ROWS, TOLERANCE, Form, ServedParity
from sekisho.probes.inference.surface import RouteSeen, Surface
from sekisho.text import Text

# The box


@check(
    "inference/api",
    title=Text(en="API implemented", ja="推論APIが実装されている"),
    why=Text(
        en="A model that was good offline can answer otherwise once it is served: columns in another order, a batch route that skips a "
        "step, a version label that names another build. Nobody notices, because every answer looks like an answer.",
        ja="オフラインでは良かったモデルも、配信すると別の答えを返すことがあります。列の順序の違い、前処理を飛ばすバッチ用ルート、"
        "別のビルドを指すバージョン表示など、どの応答ももっともらしいので誰も気づきません。",
    ),
    remedy=Text(
        en="compare the service with the artifact on the rows named in the figures; build features by name, from the signature",
        ja="図表に示した行で成果物とサービスの応答を見比べ、特徴量は入力仕様の名前をもとに組み立ててください",
    ),
)
def api(contract: Contract, surface: Surface, parity: ServedParity) -> Verdict:  # noqa: ARG001
    """Ask for an answer on every route, for one version everywhere, and for the same answers in every form."""
    compared = next((form for form in parity.forms if form.name == "single"), None)
    return verdict(
        *_routes(surface),
        *_answer(surface),
        _versions(surface, known=parity.offline),
        *_parity(parity),
        protocol=surface.protocol,
        routes=len(surface.routes),
        rows=compared.rows if compared else max((form.rows for form in parity.forms), default=0),
        forms=len(parity.forms),
        other_labels=sum(form.other_labels for form in parity.forms),
        unanswered=sum(form.unanswered for form in parity.forms),
        largest_gap=max((form.largest_gap for form in parity.forms if form.largest_gap is not None), default=None),
        version=next(iter(surface.versions.values()), None),
    )


def _routes(surface: Surface) -> Iterator[Finding]:
    silent = [f"{route.target} {route.status or '–'}" for route in surface.routes if not 200 <= route.status < 300]
    yield holds(
        not silent,
        Text(en=f"routes that do not answer: {', '.join(silent)}", ja=f"応答しないルート: {', '.join(silent)}")
        if silent
        else Text(en=f"all {len(surface.routes)} routes answer", ja=f"{len(surface.routes)} 個のルートがすべて応答"),
    )
    wordy = [route for route in surface.routes if route.name not in {"health", "ready"}]
    other = [route.target for route in wordy if 200 <= route.status < 300 and not route.is_json]
    if other:
        yield holds(
            False,  # noqa: FBT003
            Text(en=f"no JSON comes from {', '.join(other)}", ja=f"{', '.join(other)} の応答がJSONではありません"),
        )
    short = [name for name, asked in surface.asked.items() if surface.answers[name] != asked]
    if short:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"not every row gets a readable answer ({surface.task}): {', '.join(short)}",
                ja=f"すべての行に解釈できる応答が返りません（{surface.task}）: {', '.join(short)}",
            ),
        )


def _answer(surface: Surface) -> Iterator[Finding]:
    if surface.label is not None:
        yield holds(
            surface.label,
            Text(en="the answer is one that the model can give", ja="応答はモデルが返しうる値です")
            if surface.label
            else Text(
                en="the answer is neither a class of the model nor a finite number",
                ja="応答がモデルのクラスでも有限の数値でもありません",
            ),
        )
    if surface.probability is False:
        yield holds(
            False,  # noqa: FBT003
            Text(en="the probability is not between 0 and 1", ja="確率が 0 から 1 の範囲にありません"),
        )


def _versions(surface: Surface, *, known: bool) -> Finding:
    """Return whether every place names one version; ``known`` says that the answers were compared with those of the artifact."""
    if known and set(surface.versions) == {"artifact"}:
        version = surface.versions["artifact"]
        return holds(
            True,  # noqa: FBT003
            Text(
                en=f"no route names a model version; by its answers it is {version} of the artifact",
                ja=f"どのルートもモデルのバージョンを示しませんが、応答は成果物の {version} と一致します",
            ),
        )
    if not set(surface.versions) - {"artifact"}:
        return holds(
            None,
            Text(
                en="no route names a model version, so nobody can tell which model answers",
                ja="どのルートもモデルのバージョンを示さず、どのモデルの応答か分かりません",
            ),
        )
    named = sorted(set(surface.versions.values()))
    places = ", ".join(f"{place} {version}" for place, version in sorted(surface.versions.items()))
    if len(named) > 1:
        return holds(
            False,  # noqa: FBT003
            Text(en=f"versions disagree: {places}", ja=f"バージョンが食い違っています: {places}"),
        )
    return holds(
        True,  # noqa: FBT003
        Text(en=f"version {named[0]} everywhere", ja=f"バージョンはすべて {named[0]}"),
    )


def _parity(parity: ServedParity) -> Iterator[Finding]:
    if not parity.offline:
        yield holds(
            None,
            Text(
                en="served answers could not be compared with the model itself, because it is not packed as an artifact",
                ja="モデルが成果物として梱包されていないため、モデル本体の答えとの照合ができません",
            ),
        )
    bad = [form for form in parity.forms if not _same(form)]
    for form in bad:
        yield holds(False, _difference(form))  # noqa: FBT003
    if parity.forms and not bad:
        names = " = ".join(dict.fromkeys([parity.forms[0].against, *(form.name for form in parity.forms)]))
        rows = max(form.rows for form in parity.forms)
        yield holds(
            rows >= min(ROWS, parity.available),
            Text(en=f"{names} on {rows:,} rows", ja=f"{names}（{rows:,} 行で一致）"),
        )


def _same(form: Form) -> bool:
    return not form.unanswered and not form.other_labels and (form.largest_gap or 0.0) <= TOLERANCE


def _difference(form: Form) -> Text:
    parts_en, parts_ja = [], []
    if form.unanswered:
        parts_en.append(f"{form.unanswered} unanswered")
        parts_ja.append(f"無応答 {form.unanswered} 行")
    if form.other_labels:
        parts_en.append(f"{form.other_labels} other answers")
        parts_ja.append(f"異なる答え {form.other_labels} 行")
    if form.largest_gap is not None and form.largest_gap > TOLERANCE:
        parts_en.append(f"scores up to {form.largest_gap:.3g} apart")
        parts_ja.append(f"スコアの差は最大 {form.largest_gap:.3g}")
    against = Text(en=form.against, ja={"offline": "モデル本体", "single": "1行ずつ"}.get(form.against, form.against))
    return Text(
        en=f"{form.name} differs from {against.en} on {form.rows:,} rows: {', '.join(parts_en)}",
        ja=f"「{form.name}」が{against.ja}の結果と {form.rows:,} 行中で一致しません: {'、'.join(parts_ja)}",
    )


# How it looks when it passes, and when it fails

_SEEN: Final = Surface(
    protocol="native",
    routes=(
        RouteSeen(name="health", target="/health", status=200, media_type="application/json", is_json=True),
        RouteSeen(name="info", target="/model/info", status=200, media_type="application/json", is_json=True),
        RouteSeen(name="predict", target="/predict", status=200, media_type="application/json", is_json=True),
        RouteSeen(name="batch", target="/predict/batch", status=200, media_type="application/json", is_json=True),
    ),
    task="binary",
    label=True,
    probability=True,
    answers={"predict": 1, "batch": 3},
    asked={"predict": 1, "batch": 3},
    versions={"artifact": "1.1.0", "info": "1.1.0", "predict": "1.1.0"},
)
_SINGLE: Final = Form(name="single", against="offline", rows=1_000, unanswered=0, other_labels=0, largest_gap=1e-9)
_PARITY: Final = ServedParity(available=4_000, offline=True, forms=(_SINGLE, replace(_SINGLE, name="batch of 100")))

api.passes(example_contract(), _SEEN, _PARITY)
api.passes(  # a regressor gives values and no probability
    example_contract(),
    replace(_SEEN, task="regression", probability=None),
    replace(_PARITY, forms=(replace(_SINGLE, largest_gap=3e-7),)),
)
api.fails(  # columns in another order: most answers still look right
    example_contract(), _SEEN, replace(_PARITY, forms=(replace(_SINGLE, other_labels=212, largest_gap=0.41),))
)
api.fails(  # the batch route skips a step
    example_contract(),
    _SEEN,
    replace(_PARITY, forms=(_SINGLE, replace(_SINGLE, name="batch of 7", largest_gap=0.08))),
)
api.fails(  # every regressor fails, because the answer needs a probability
    example_contract(),
    replace(
        _SEEN,
        task="regression",
        routes=(replace(_SEEN.routes[2], status=500, is_json=True),),
        label=None,
        probability=None,
        answers={"predict": 0, "batch": 0},
    ),
    replace(_PARITY, forms=(replace(_SINGLE, unanswered=1_000, largest_gap=None),)),
)
api.fails(  # the version falls back to that of the code
    example_contract(), replace(_SEEN, versions={"artifact": "1.1.0", "predict": "1.0.0"}), _PARITY
)
api.is_unknown(example_contract(), _SEEN, replace(_PARITY, offline=False))
api.is_unknown(example_contract(), replace(_SEEN, versions={}), _PARITY)
api.passes(example_contract(), replace(_SEEN, versions={"artifact": "1.1.0"}), _PARITY)  # its answers say which it is
