"""artifact/dependencies: exactly the libraries that made the model are locked, by hash, and no other is needed.

The last proof, the golden rows in an environment made from the lock alone, needs the files of every library. They are taken from uv's
cache; where they are not there, that part is reported as not measured and the box is judged by the others.
"""

from __future__ import annotations

from sekisho.gate.check import check
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.artifact.locked_dependencies import (
    FreshEnvironment,
    LockedDependencies,
    LockFault,
    VersionConflict,
)
from sekisho.text import Text

FAULTS = {
    "open": Text(en="no exact version", ja="バージョンが固定されていない"),
    "no hash": Text(en="no hash", ja="ハッシュがない"),
    "bad hash": Text(
        en="a hash that is weak, cut off, or of an empty file", ja="ハッシュが弱い・欠けている・空ファイルのもの"
    ),
    "twice": Text(en="fixed twice, at different versions", ja="異なるバージョンで二重に固定"),
    "python": Text(en="not this version of Python", ja="この Python のバージョンは対象外"),
    "option": Text(en="an option that changes where it comes from", ja="取得元を変えるオプション"),
    "address": Text(en="an address or a path instead of a version", ja="バージョンでなくアドレスやパス"),
    "editable": Text(en="an editable install", ja="編集可能インストール"),
    "unreadable": Text(en="cannot be read", ja="読み取れない"),
}


# The box


@check(
    "artifact/dependencies",
    title=Text(en="Dependencies pinned", ja="依存関係の固定"),
    why=Text(
        en="A model is its libraries too: another version of one can change its answers or refuse to load it, and an unpinned name "
        "installs whatever somebody uploads tonight.",
        ja="モデルの挙動はライブラリーにも左右されます。版が違えば答えが変わったり読み込めなくなったりし、"
        "固定されていない依存は、今夜誰かが公開したものをそのまま入れてしまいます。",
    ),
    remedy=Text(
        en="pack the model in the environment that trained it (sekisho pack writes requirements.lock), or run "
        "uv pip compile --generate-hashes requirements.in -o requirements.lock",
        ja="学習した環境でパックする（sekisho pack が requirements.lock を書き出します）か、"
        "uv pip compile --generate-hashes requirements.in -o requirements.lock を実行してください",
    ),
)
def dependencies(found: LockedDependencies) -> Verdict:
    """Judge every line of the lock, the versions that made the model, and what answering imports."""
    findings = [_there(found)]
    if found.locks:
        findings += [*_faults(found), *_conflicts(found)]
        findings += [_covered(found)] if found.imported is not None or found.uncovered else []
        findings += [_fresh(found.fresh)] if found.fresh is not None and found.fresh.made else []
    fresh = found.fresh
    return verdict(
        *findings,
        locks=", ".join(found.locks) or None,
        requirements=found.requirements,
        faults=len(found.faults),
        conflicts=len(found.conflicts),
        versions_compared=found.compared,
        imported=None if found.imported is None else len(found.imported),
        uncovered=", ".join(found.uncovered) or None,
        fresh_environment=None if fresh is None else fresh.fault or f"{fresh.rows} golden rows, {fresh.wrong} wrong",
    )


def _there(found: LockedDependencies) -> Finding:
    if found.missing is not None:
        words = Text(
            en=f"{found.missing} (infrastructure.lock) does not exist",
            ja=f"{found.missing}（infrastructure.lock）がありません",
        )
    elif not found.locks:
        words = Text(
            en="there is no lock file, neither in the artifact nor in the project",
            ja="成果物にもプロジェクトにもロックファイルがありません",
        )
    else:
        words = Text(
            en=f"{', '.join(found.locks)} names {found.requirements} distributions",
            ja=f"{', '.join(found.locks)} に {found.requirements} 個の配布物が記載されています",
        )
    return holds(bool(found.locks) and found.missing is None, words)


def _faults(found: LockedDependencies) -> list[Finding]:
    if not found.faults:
        return [
            holds(
                not found.faults,
                Text(en="each at an exact version with hashes", ja="すべてバージョンとハッシュで固定されています"),
            )
        ]
    first = found.faults[:4]
    more = len(found.faults) - len(first)
    return [
        holds(
            not found.faults,
            Text(
                en="not fixed: "
                + ", ".join(f"{_place(each)} ({FAULTS[each.fault].en})" for each in first)
                + (f" and {more} more" if more else ""),
                ja="固定されていません: "
                + "、".join(f"{_place(each)}（{FAULTS[each.fault].ja}）" for each in first)
                + (f" ほか {more} 件" if more else ""),
            ),
        )
    ]


def _place(fault: LockFault) -> str:
    return f"{fault.lock}:{fault.line} {fault.requirement}" if fault.line else f"{fault.lock} {fault.requirement}"


def _conflicts(found: LockedDependencies) -> list[Finding]:
    if not found.conflicts:
        if not found.compared:
            return []
        return [
            holds(
                not found.conflicts,
                Text(
                    en=f"the {found.compared} versions that made the model are the locked ones",
                    ja=f"モデルを作った {found.compared} 件の版がロックと一致しています",
                ),
            )
        ]
    return [
        holds(
            not each,
            Text(
                en=f"{each.name} is locked at {each.locked}, but {each.source} says {each.made_with}",
                ja=f"{each.name} はロックでは {each.locked} ですが、{each.source} では {each.made_with} です",
            ),
        )
        for each in found.conflicts
    ]


def _covered(found: LockedDependencies) -> Finding:
    if found.uncovered:
        names = ", ".join(found.uncovered[:6])
        words = Text(
            en=f"answering imports what the lock does not hold: {names}",
            ja=f"推論時に、ロックにないものが読み込まれます: {names}",
        )
    else:
        words = Text(
            en=f"answering imports {len(found.imported or ())} distributions, all of them in the lock",
            ja=f"推論時に読み込まれる {len(found.imported or ())} 個の配布物は、すべてロックにあります",
        )
    return holds(not found.uncovered, words)


def _fresh(fresh: FreshEnvironment) -> Finding:
    right = fresh.fault is None and fresh.wrong == 0
    if right:
        words = Text(
            en=f"all {fresh.rows} golden rows are answered alike in an environment made from the lock alone",
            ja=f"ロックだけから作った環境でも、ゴールデン行 {fresh.rows} 件すべてに同じ答えを返します",
        )
    elif fresh.fault is not None:
        words = Text(
            en=f"in an environment made from the lock alone it does not answer: {fresh.fault}",
            ja=f"ロックだけから作った環境では答えられません: {fresh.fault}",
        )
    else:
        words = Text(
            en=f"in an environment made from the lock alone {fresh.wrong} of {fresh.rows} golden rows are answered otherwise",
            ja=f"ロックだけから作った環境では、ゴールデン行 {fresh.rows} 件中 {fresh.wrong} 件の答えが変わります",
        )
    return holds(right, words)


# How it looks


def _locked(
    *faults: LockFault, conflicts: tuple[VersionConflict, ...] = (), uncovered: tuple[str, ...] = (), there: bool = True
) -> LockedDependencies:
    return LockedDependencies(
        locks=("artifact/requirements.lock",) if there else (),
        missing=None,
        requirements=24 if there else 0,
        faults=faults,
        conflicts=conflicts,
        compared=6,
        imported=("numpy", "onnxruntime"),
        uncovered=uncovered,
        fresh=None,
    )


_OPEN = LockFault(lock="requirements.txt", line=1, requirement="scikit-learn", fault="open")
_OTHER = VersionConflict(name="scikit-learn", locked="1.4.0", made_with="1.9.1", source="metadata")

dependencies.passes(_locked())
dependencies.fails(_locked(there=False))
dependencies.fails(_locked(_OPEN))
dependencies.fails(_locked(conflicts=(_OTHER,)))
dependencies.fails(_locked(uncovered=("lightgbm",)))
