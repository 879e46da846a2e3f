"""security/authentication: nobody gets in without a key of their own, and no key lies about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.security.routes import ALMOST, RouteTrial, RouteWalk
from sekisho.probes.security.secret_scan import SecretFinding, SecretScan
from sekisho.text import Text

SHOWN: Final = 5
TURNED_AWAY: Final = {401, 403}
NOT_THERE: Final = {404, 405}
TOO_MANY: Final = 429
WITHOUT: Final = ("no key", "wrong key", "empty key", "key in the query", *ALMOST, "wrong values")

_WAYS: Final = {
    "no key": Text(en="without a key", ja="キーなし"),
    "wrong key": Text(en="with a wrong key", ja="誤ったキー"),
    "empty key": Text(en="with an empty key", ja="空のキー"),
    "key in the query": Text(en="with the key in the address", ja="URL内のキー"),
    "part of the key": Text(en="with the first half of the key", ja="キーの前半"),
    "the key and more": Text(en="with the key and one more letter", ja="キーに1文字追加"),
    "the key in other letters": Text(en="with the key in the other case", ja="大文字・小文字を入れ替えたキー"),
    "a wildcard": Text(en="with a wildcard", ja="ワイルドカード"),
    "a usual word": Text(en="with a usual word", ja="よくある単語"),
    "a quote": Text(en="with a piece of SQL", ja="SQLの断片"),
    "wrong values": Text(
        en="without a key, for wrong values are told before the key is asked for", ja="キーなし（認証より先に値を検証）"
    ),
    "HEAD": Text(en="by HEAD without a key", ja="キーなしのHEAD"),
}
_DETOURS: Final = {
    "a Host that holds a path": "パスを含むHostヘッダー",
    "doubled slash": "二重スラッシュ",
    "dots": "パス中の「..」",
    "trailing slash": "末尾のスラッシュ",
    "X-Original-URL": "X-Original-URLヘッダー",
    "capital letters": "大文字",
    "percent encoding": "パーセントエンコーディング",
    "X-Forwarded-For": "X-Forwarded-Forヘッダー",
    "X-HTTP-Method-Override": "X-HTTP-Method-Overrideヘッダー",
    "semicolon": "セミコロン",
    "health in the query": "クエリ内の公開パス",
}
_RULES: Final = {
    "secret in file": Text(en="a secret in a file", ja="ファイル内の秘密情報"),
    "private key or token": Text(en="a private key or token", ja="秘密鍵またはトークン"),
    "plain comparison": Text(en="a secret compared with == or in", ja="== や in による秘密情報の比較"),
    "default password": Text(en="a default password", ja="既定のパスワード"),
}

# The box


@check(
    "security/authentication",
    title=Text(en="Authentication and authorisation", ja="認証・認可"),
    why=Text(
        en="A model that anybody can ask can be copied, probed and overloaded by anybody. Mostly /predict is guarded and the rest forgotten: "
        "batch, metrics, documentation. And a key in the repository is everybody's key.",
        ja="誰でも問い合わせられるモデルは、誰でも複製・探索・過負荷にできます。/predict だけ守って、バッチ・メトリクス・文書を忘れるのが典型です。"
        "リポジトリに置いたキーは、全員のキーです。",
    ),
    remedy=Text(
        en="guard every route but those in security.public_routes; keep only hashes of keys, compare them with hmac.compare_digest, and take "
        "secrets from a secret file or the environment",
        ja="security.public_routes 以外の全ルートを保護し、キーはハッシュだけを保存して hmac.compare_digest で照合し、秘密情報は秘密ファイルか環境変数から読んでください",
    ),
)
def authentication(contract: Contract, walk: RouteWalk, scan: SecretScan) -> Verdict:
    """Ask that each guarded route turns away all but a right key, lets that in, and that no secret stands in a file."""
    guarded = [route for route in walk.routes if not route.public]
    return verdict(
        *_switched_on(contract),
        *_found(walk),
        _closed(guarded),
        *_lets_in(guarded, walk),
        *_rights(guarded, walk),
        *_detours(guarded, walk),
        *_oracle(walk),
        *_files(scan.findings),
        routes=len(walk.routes),
        guarded=len(guarded),
        open=len(_open(guarded)),
        secrets=len(scan.findings),
        files=scan.files,
    )


def _switched_on(contract: Contract) -> Iterator[Finding]:
    if contract.security.authentication == "none":
        yield holds(
            False,  # noqa: FBT003
            Text(
                en="the contract switches authentication off (security.authentication)",
                ja="契約で認証が無効になっています（security.authentication）",
            ),
        )


def _found(walk: RouteWalk) -> Iterator[Finding]:
    if not any(route.predicts for route in walk.routes):
        yield holds(
            None,
            Text(
                en="no route that predicts was found, so that nothing is known of its guard (serving.protocol, serving.mapping)",
                ja="予測用のルートが見つからず、認証の有無を確かめられません（serving.protocol、serving.mapping）",
            ),
        )


def _open(guarded: Sequence[RouteTrial]) -> list[tuple[RouteTrial, str]]:
    found = [
        (route, way)
        for route in guarded
        for way in WITHOUT
        if way in route.statuses and route.statuses[way] not in TURNED_AWAY | NOT_THERE | _not_counting(route, way)
    ]
    return found or [(route, "HEAD") for route in guarded if 200 <= route.statuses.get("HEAD", 401) < 300]


def _not_counting(route: RouteTrial, way: str) -> set[int]:
    """Return statuses that refuse a way of asking for its form, an odd key or a query that the route does not have; or a guess too many."""
    guessed = {TOO_MANY} if way != "no key" and route.statuses.get("no key") in TURNED_AWAY else set()
    return guessed | ({400, 422} if way in {"key in the query", *ALMOST} else set())


def _closed(guarded: Sequence[RouteTrial]) -> Finding:
    found = _open(guarded)
    if not found:
        return holds(
            True,  # noqa: FBT003
            Text(
                en=f"{len(guarded)} guarded routes turn away every request without a right key",
                ja=f"保護対象の {len(guarded)} ルートは、正しいキーのないリクエストをすべて拒否します",
            ),
        )
    by_way: dict[str, list[str]] = {}
    for route, way in found:
        by_way.setdefault(way, []).append(f"{route.method} {route.target}")
    parts = [
        (way, ", ".join(routes[:SHOWN]) + (", …" if len(routes) > SHOWN else "")) for way, routes in by_way.items()
    ]
    told = [parts[0]] if len({words for _, words in parts}) == 1 else parts
    return holds(
        False,  # noqa: FBT003
        Text(
            en="open to anybody: " + "; ".join(f"{words} {_WAYS[way].en}" for way, words in told),
            ja="誰でも使えるルートがあります: " + "、".join(f"{words}（{_WAYS[way].ja}）" for way, words in told),
        ),
    )


def _lets_in(guarded: Sequence[RouteTrial], walk: RouteWalk) -> Iterator[Finding]:
    predicting = [route for route in guarded if route.predicts]
    if not walk.has_key:
        if not _open(guarded):
            yield holds(
                None,
                Text(en="no right key was given to try", ja="検査用の正しいキーが渡されていません"),
            )
        return
    refused = [route for route in predicting if not 200 <= route.statuses.get("right key", 0) < 300]
    if refused:
        named = ", ".join(f"{route.target} ({route.statuses.get('right key', 0)})" for route in refused)
        yield holds(
            False,  # noqa: FBT003
            Text(en=f"the right key is refused: {named}", ja=f"正しいキーが拒否されます: {named}"),
        )


def _rights(guarded: Sequence[RouteTrial], walk: RouteWalk) -> Iterator[Finding]:
    if not walk.has_other_key:
        return
    tried = [route for route in guarded if "other key" in route.statuses]
    wrong = [route for route in tried if route.statuses["other key"] not in TURNED_AWAY]
    named = ", ".join(route.target for route in wrong)
    yield holds(
        not wrong,
        Text(en=f"a key without the right to predict may: {named}", ja=f"予測権限のないキーで予測できます: {named}")
        if wrong
        else Text(en="a key without the right to predict may not", ja="予測権限のないキーでは予測できません"),
    )


def _detours(guarded: Sequence[RouteTrial], walk: RouteWalk) -> Iterator[Finding]:
    if any(route.predicts and 200 <= route.statuses.get("no key", 0) < 300 for route in guarded):
        return  # the front door is open already
    passed = [name for name, status in walk.detours.items() if 200 <= status < 300]
    if passed:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en=f"the guard is passed by another spelling of the address: {', '.join(passed)}",
                ja=f"アドレスの書き方を変えると認証を回避できます: {'、'.join(_DETOURS[name] for name in passed)}",
            ),
        )


def _oracle(walk: RouteWalk) -> Iterator[Finding]:
    if walk.oracle:
        yield holds(
            False,  # noqa: FBT003
            Text(
                en="a key that is nearly right is refused in other words than one that is not: whoever guesses is told how near he is",
                ja="正しいキーに近いキーだけ拒否の応答が異なり、推測の手がかりを与えています",
            ),
        )


def _files(findings: Sequence[SecretFinding]) -> Iterator[Finding]:
    if not findings:
        yield holds(
            True,  # noqa: FBT003
            Text(en="no secret stands in the project's files", ja="プロジェクトのファイルに秘密情報はありません"),
        )
    for rule, words in _RULES.items():
        places = [f"{each.file}:{each.line}" for each in findings if each.rule == rule]
        if places:
            shown = ", ".join(places[:SHOWN]) + (", …" if len(places) > SHOWN else "")
            yield holds(False, Text(en=f"{words.en}: {shown}", ja=f"{words.ja}: {shown}"))  # noqa: FBT003


# How it looks when it passes, and when it fails

_REFUSED: Final = {"no key": 401, "wrong key": 401, "empty key": 401, "key in the query": 401}
_PREDICT: Final = RouteTrial(
    method="POST",
    target="/predict",
    public=False,
    predicts=True,
    statuses={**_REFUSED, "other key": 403, "right key": 200},
)
_METRICS: Final = RouteTrial(
    method="GET", target="/metrics", public=False, predicts=False, statuses={**_REFUSED, "right key": 200}
)
_HEALTH: Final = RouteTrial(
    method="GET", target="/health", public=True, predicts=False, statuses=dict.fromkeys(_REFUSED, 200)
)
_WALK: Final = RouteWalk(
    routes=(_PREDICT, _METRICS, _HEALTH), has_key=True, has_other_key=True, detours={"doubled slash": 401}
)
_SCAN: Final = SecretScan(files=12, findings=(), digest="0" * 64)
_FOUND: Final = SecretFinding(file="docker-compose.yml", line=9, rule="secret in file", name="API_KEY")

authentication.passes(example_contract(), _WALK, _SCAN)
authentication.passes(example_contract(), replace(_WALK, has_other_key=False), _SCAN)
authentication.fails(  # no key on /predict
    example_contract(),
    replace(
        _WALK, routes=(replace(_PREDICT, statuses=dict.fromkeys(_REFUSED, 200)),), has_key=False, has_other_key=False
    ),
    _SCAN,
)
authentication.fails(  # only /predict is guarded
    example_contract(),
    replace(_WALK, routes=(_PREDICT, replace(_METRICS, statuses=dict.fromkeys(_REFUSED, 200)))),
    _SCAN,
)
authentication.fails(  # a key for the metrics may predict
    example_contract(),
    replace(_WALK, routes=(replace(_PREDICT, statuses={**_REFUSED, "other key": 200, "right key": 200}),)),
    _SCAN,
)
authentication.fails(example_contract(), replace(_WALK, detours={"a Host that holds a path": 200}), _SCAN)
authentication.fails(  # the first letters of a key are enough
    example_contract(),
    replace(_WALK, routes=(replace(_PREDICT, statuses={**_PREDICT.statuses, "part of the key": 200}),)),
    _SCAN,
)
authentication.fails(example_contract(), replace(_WALK, oracle=True), _SCAN)
authentication.fails(example_contract(), _WALK, replace(_SCAN, findings=(_FOUND,)))
authentication.fails(
    example_contract(),
    _WALK,
    replace(_SCAN, findings=(replace(_FOUND, file="app.py", line=31, rule="plain comparison", name="api_key"),)),
)
authentication.fails(example_contract(security={"authentication": "none"}), _WALK, _SCAN)
authentication.is_unknown(example_contract(), replace(_WALK, routes=(_METRICS, _HEALTH)), _SCAN)  # no such prefix
authentication.is_unknown(example_contract(), replace(_WALK, has_key=False, has_other_key=False), _SCAN)
