"""artifact/reproducibility: training again gives the same model.

Graded by what came out: *bitwise* (the same files), *numeric* (the same answers within 1e-6), *statistical* (other answers, but a score inside
the interval of the first, and at least nine labels of ten, or nine tenths of the variance, the same), or not reproducible. Grades as in O. E. Gundersen, "The fundamental
principles of reproducibility", Philosophical Transactions A 379, 2021: of the outcome, of the analysis, of the interpretation.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from typing import Final

from sekisho.contract.sections import Contract
from sekisho.gate.attestations import Attestations
from sekisho.gate.check import check
from sekisho.gate.testing import EXAMPLE_DIGEST, example_contract
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.artifact.retraining import NUMERIC, OtherVersion, Retraining
from sekisho.probes.resources.likeness import Likeness
from sekisho.probes.resources.rerun import Held, Run
from sekisho.probes.resources.scratch import InputState
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

BOX: Final = "artifact/reproducibility"
GRADES: Final = ("bitwise", "numeric", "statistical", "not reproducible")
AGREEMENT: Final = 0.9
"""The share of labels (of variance, for values) that must agree, by its lower bound, for the same quality to mean the same model."""
_HASH: Final = re.compile(r"\b[0-9a-f]{64}\b")

WORDS: Final = {
    "bitwise": Text(en="the same bytes", ja="バイト単位で同一"),
    "numeric": Text(en="the same answers", ja="答えが同一"),
    "statistical": Text(en="other answers of the same quality", ja="答えは異なるが品質は同等"),
    "not reproducible": Text(en="another model", ja="別のモデル"),
}
UNLIKE: Final = {
    "other features": Text(en="takes other features", ja="特徴量が異なります"),
    "other answers": Text(en="answers other classes", ja="答えるクラスが異なります"),
    "cannot answer": Text(en="cannot answer the same rows", ja="同じ行に答えられません"),
    "no rows": Text(
        en="there are neither golden rows nor a test set to compare them on",
        ja="比較に使うゴールデン行もテストデータもありません",
    ),
    "not readable": Text(
        en="has other bytes, and one of both is in a format that is not read without trust",
        ja="バイト列が異なり、信頼なしには読めない形式のため答えを比較できません",
    ),
}
FAULTS: Final = {
    "command failed": Text(en="it failed", ja="コマンドが失敗しました"),
    "time limit": Text(
        en="it did not end within model.training_seconds_limit",
        ja="model.training_seconds_limit 以内に終わりませんでした",
    ),
    "no such program": Text(en="its program is not there", ja="プログラムが見つかりません"),
    "wrote nothing": Text(en="it wrote no model to model.artifact", ja="model.artifact にモデルを書き出しませんでした"),
}


# The box


@check(
    BOX,
    title=Text(en="Reproducible", ja="再現できる"),
    why=Text(
        en="A model that nobody can train again cannot be repaired, audited or explained: the first incident ends in starting over.",
        ja="もう一度学習できないモデルは、直すことも監査も説明もできません。最初の障害で一からやり直しになります。",
    ),
    remedy=Text(
        en="state model.training_command, seed everything in it, commit what it needs, and record the data in the artifact "
        "(training={'command': ..., 'seed': ..., 'data': ...})",
        ja="model.training_command を指定し、乱数をすべて固定し、必要なファイルをコミットしたうえで、"
        "データを成果物に記録してください（training={'command': ..., 'seed': ..., 'data': ...}）",
    ),
)
def reproducibility(contract: Contract, found: Retraining, attestations: Attestations) -> Verdict:
    """Grade what training again gave against what the contract asks for; without a command a person must answer for it."""
    if not found.command:
        return verdict(*_attested(attestations))
    grade = _grade(found.likeness)
    between = _grade(found.between_runs)
    findings = [*_code(found), *_inputs(found.inputs), *_fault(found)]
    if found.likeness is not None:
        findings += _outcome(found, grade, between, contract.model.reproducibility)
    likeness, run = found.likeness, found.runs[0] if found.runs else None
    return verdict(
        *findings,
        grade=grade,
        between_runs=between,
        asked_for=contract.model.reproducibility,
        rows=None if likeness is None else likeness.golden_rows + likeness.test_rows,
        labels_differ=None if likeness is None else likeness.labels_differ,
        largest_difference=None if likeness is None else likeness.difference,
        metric=None if likeness is None else likeness.metric,
        score=None if likeness is None or likeness.at_hand is None else str(likeness.at_hand),
        score_again=None if likeness is None else likeness.again,
        commit=found.commit,
        seconds=None if run is None else run.seconds,
        network=None if run is None else "off" if run.held.network else "on",
        files_of_others=None if run is None else "out of reach" if run.held.files else "in reach",
        left_out=", ".join(found.left_out) or None,
        versions=f"{found.versions - len(found.other_versions)} of {found.versions} as recorded",
    )


def _attested(attestations: Attestations) -> list[Finding]:
    """Ask a person: who trained it, how long that takes, and where the data are, with their SHA-256."""
    what = Text(
        en="no training command is stated; who trained it, and on which snapshot of the data",
        ja="学習コマンドの指定なし。誰が、どのデータで学習したか",
    )
    signed = attestations.of(BOX)
    findings = [attestations.finding(BOX, what)]
    if signed is not None:
        named = _HASH.search(signed.statement.statement.lower()) is not None
        words = Text(
            en="the statement names the data by SHA-256"
            if named
            else "the statement does not name the data by SHA-256",
            ja="データが SHA-256 で特定されています" if named else "データの SHA-256 が書かれていません",
        )
        findings.append(holds(True if named else None, words))
    return findings


def _grade(likeness: Likeness | None) -> str | None:
    """Return the grade; ``None`` when it could not be told."""
    if likeness is None:
        return None
    if likeness.bytes_same:
        return "bitwise"
    if likeness.parameters is not None:
        return "numeric" if likeness.parameters <= NUMERIC else "not reproducible"
    if likeness.unlike in {"no rows", "not readable"}:
        return None
    if likeness.unlike is not None or likeness.difference is None or likeness.agreement is None:
        return "not reproducible"
    if not likeness.labels_differ and likeness.difference <= NUMERIC:
        return "numeric"
    if likeness.at_hand is None or likeness.again is None:
        return "not reproducible"
    inside = likeness.at_hand.low <= likeness.again <= likeness.at_hand.high
    return "statistical" if inside and likeness.agreement.low >= AGREEMENT else "not reproducible"


def _code(found: Retraining) -> list[Finding]:
    if found.code == "unknown commit":
        words = Text(
            en=f"the commit {(found.commit or '')[:12]} that trained it is not in this repository",
            ja=f"学習に使ったコミット {(found.commit or '')[:12]} がこのリポジトリーにありません",
        )
        return [holds(None, words)]
    if found.uncommitted:
        names = ", ".join(found.uncommitted)
        words = Text(
            en=f"{names} is not in the commit {(found.commit or '')[:12]}",
            ja=f"{names} がコミット {(found.commit or '')[:12]} に含まれていません",
        )
        return [holds(not found.uncommitted, words)]
    return []


def _inputs(inputs: tuple[InputState, ...]) -> list[Finding]:
    words = {
        "changed": Text(en="changed since it trained the model", ja="学習後に変更されています"),
        "missing": Text(en="trained the model and is missing", ja="学習に使われましたが、今はありません"),
        "outside": Text(
            en="trained the model and lies outside the project", ja="学習に使われましたが、プロジェクトの外にあります"
        ),
    }
    return [
        holds(
            each.state not in words,
            Text(en=f"{each.file} {words[each.state].en}", ja=f"{each.file} は{words[each.state].ja}"),
        )
        for each in inputs
        if each.state in words
    ]


def _fault(found: Retraining) -> list[Finding]:
    findings = []
    for number, run in enumerate(found.runs, start=1):
        if run.fault is None:
            continue
        words, said = FAULTS[run.fault], f": {run.said}" if run.said and run.fault != "wrote nothing" else ""
        left_out = ", ".join(found.left_out[:3])
        hint = Text(
            en=f" (files that hold models and are not recorded as data were left out: {left_out})" if left_out else "",
            ja=f"（データとして記録されていないモデルファイルは除外: {left_out}）" if left_out else "",
        )
        findings.append(
            holds(
                run.fault is None,
                Text(
                    en=f"training run {number}, without network and with nothing but the recorded files: "
                    f"{words.en}{said}{hint.en}",
                    ja=f"記録されたファイルだけ・ネットワークなしでの再学習（{number} 回目）: {words.ja}{said}{hint.ja}",
                ),
            )
        )
    return findings


def _outcome(found: Retraining, grade: str | None, between: str | None, asked: str) -> list[Finding]:
    assert found.likeness is not None
    reached = None if grade is None else GRADES.index(grade) <= GRADES.index(asked)
    if between is not None and GRADES.index(between) > GRADES.index(asked):
        return [_chance(between, asked)]
    if reached is False and found.other_versions:
        return [_elsewhere(found.other_versions, grade or "")]
    unlike = None if found.likeness.parameters is not None else UNLIKE.get(found.likeness.unlike or "")
    why = (
        Text(en=f" ({unlike.en})", ja=f"（{unlike.ja}）") if unlike is not None and grade != "bitwise" else _seen(found)
    )
    if grade is None:
        words = Text(en=f"the model that was trained again{why.en}", ja=f"学習し直したモデル{why.ja}")
    else:
        same = Text(en="", ja="")
        if reached is False and between is not None:
            same = Text(
                en="; two runs agree with each other, so data or code are not those that trained it",
                ja="。2回の再学習どうしは一致するため、学習時とデータかコードが異なります",
            )
        words = Text(
            en=f"training again gives {WORDS[grade].en}{why.en}{same.en} ({grade}; {asked} is asked for)",
            ja=f"再学習の結果: {WORDS[grade].ja}{why.ja}{same.ja}（{grade}、要求は {asked}）",
        )
    return [holds(reached, words)]


def _seen(found: Retraining) -> Text:
    likeness = found.likeness
    if likeness is not None and likeness.parameters is not None:
        return Text(
            en=f": the numbers in it differ by at most {likeness.parameters:.3g} of the largest",
            ja=f"（パラメーターの差は最大値の {likeness.parameters:.3g} 以内）",
        )
    if likeness is None or likeness.unlike is not None:
        return Text(en="", ja="")
    rows = likeness.golden_rows + likeness.test_rows
    return Text(
        en=f": {likeness.labels_differ:,} of {rows:,} labels differ, answers by at most {likeness.difference:.3g}",
        ja=f"（{rows:,} 行中ラベルの違い {likeness.labels_differ:,} 件、答えの差は最大 {likeness.difference:.3g}）",
    )


def _chance(between: str, asked: str) -> Finding:
    return holds(
        GRADES.index(between) <= GRADES.index(asked),
        Text(
            en=f"two runs on the same data give {WORDS[between].en}: something in it is left to chance, a seed, the time, or the order of "
            f"a set ({between}; {asked} is asked for)",
            ja=f"同じデータで2回学習しても{WORDS[between].ja}になります。乱数の種・時刻・集合の順序などが固定されていません"
            f"（{between}、要求は {asked}）",
        ),
    )


def _elsewhere(others: tuple[OtherVersion, ...], grade: str) -> Finding:
    names = ", ".join(f"{each.name} {each.recorded} ({each.here or '–'})" for each in others[:4])
    return holds(
        None,
        Text(
            en=f"training again gives {WORDS[grade].en}, but with other libraries than those that made it: {names}",
            ja=f"再学習の結果は{WORDS[grade].ja}ですが、ライブラリーの版が学習時と異なります: {names}",
        ),
    )


# How it looks


def _trained(*, labels: int = 0, difference: float = 0.0, same: bool = False, again: float = 0.9) -> Retraining:
    run = Run(seconds=4.2, fault=None, said="", held=Held(network=True, files=True, place=True, processes=True))
    likeness = Likeness(
        bytes_same=same,
        unlike=None,
        golden_rows=64,
        test_rows=2_000,
        labels_differ=labels,
        difference=difference,
        agreement=Interval(point=1 - labels / 2064, low=0.995 - labels / 2064, high=1.0),
        metric="accuracy",
        at_hand=Interval(point=0.9, low=0.88, high=0.92),
        again=again,
    )
    return Retraining(
        command=("python", "train.py"),
        code="commit",
        commit="9f2b6c1" + "0" * 33,
        uncommitted=(),
        inputs=(InputState(file="data/training.csv", state="same"),),
        left_out=(),
        runs=(run,),
        likeness=likeness,
        between_runs=None,
        other_versions=(),
        versions=8,
    )


def _failed(fault: str) -> Retraining:
    run = Run(seconds=4.2, fault=fault, said="FileNotFoundError: extra.csv", held=Held())  # type: ignore[arg-type]
    return replace(_trained(), runs=(run,), likeness=None)


def _signed(statement: str | None = None) -> Attestations:
    signed = {
        "box": BOX,
        "statement": statement,
        "author": "the data team",
        "reviewer": "the risk team",
        "artifact": EXAMPLE_DIGEST,
        "issued": dt.date(2026, 11, 1),
        "expires": dt.date(2027, 5, 1),
    }
    contract = example_contract(sign_offs=[] if statement is None else [signed])
    return Attestations(contract=contract, artifact=EXAMPLE_DIGEST.removeprefix("sha256:"), today=dt.date(2026, 11, 2))


_SNAPSHOT = "Trained by the vendor in 40 minutes on s3://snapshots/2026-10, sha256 " + "ab" * 32
_UNSTATED = replace(_trained(), command=(), runs=(), likeness=None)
_ANYBODY = _signed()
_LOOSE = example_contract(model={"name": "example", "reproducibility": "statistical"})
_ANOTHER = replace(_trained(labels=120, difference=0.4), between_runs=_trained(labels=110, difference=0.4).likeness)
_CHANGED = replace(_trained(), inputs=(InputState(file="data/training.csv", state="changed"),), runs=(), likeness=None)

reproducibility.passes(example_contract(), _trained(same=True), _ANYBODY)
reproducibility.passes(example_contract(), _trained(difference=2e-9), _ANYBODY)
reproducibility.passes(_LOOSE, _trained(labels=60, difference=0.2, again=0.905), _ANYBODY)
reproducibility.fails(example_contract(), _ANOTHER, _ANYBODY)
reproducibility.fails(_LOOSE, _trained(labels=60, difference=0.2, again=0.95), _ANYBODY)
reproducibility.fails(example_contract(), _CHANGED, _ANYBODY)
reproducibility.fails(example_contract(), _failed("command failed"), _ANYBODY)
reproducibility.fails(example_contract(), _failed("wrote nothing"), _ANYBODY)
reproducibility.passes(example_contract(), _UNSTATED, _signed(_SNAPSHOT))
reproducibility.is_unknown(example_contract(), _UNSTATED, _signed("Trained last year by somebody"))
reproducibility.is_unknown(example_contract(), _UNSTATED, _ANYBODY)
