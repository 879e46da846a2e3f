"""artifact/metadata: what, when, from what and by what code the model was made is written, and the figures are true."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sekisho.gate.check import check
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.artifact.stated_metadata import Claim, Field, Repository, StatedMetadata
from sekisho.probes.statistics.intervals import Interval
from sekisho.text import Text

FIELDS: Final = {
    "name": Text(en="the model's name", ja="モデル名"),
    "version": Text(en="its version", ja="バージョン"),
    "training_date": Text(en="the training date", ja="学習日時"),
    "data": Text(en="the digest of the training data", ja="学習データのダイジェスト"),
    "libraries": Text(en="the versions of the libraries", ja="ライブラリーの版"),
}
"""What must be written in any case; seed and commit where there is one."""


# The box


@check(
    "artifact/metadata",
    title=Text(en="Metadata", ja="メタデータ"),
    why=Text(
        en="When a model misbehaves, the first questions are which one it is, when and from what it was trained, and how good it "
        "was. If the answers are missing or were typed by hand, the search starts from nothing.",
        ja="モデルの挙動がおかしいとき、最初に問われるのは「どのモデルか、いつ何から学習したか、性能はどれだけだったか」です。"
        "答えが欠けていたり手で書き写されたものだったりすると、調査は振り出しから始まります。",
    ),
    remedy=Text(
        en="pack with training={'command': ..., 'seed': ..., 'data': ...} so that date, digests and versions are recorded, and let "
        "figures come from the evaluation",
        ja="training={'command': ..., 'seed': ..., 'data': ...} を渡してパックすると、日時・ダイジェスト・版が記録されます。"
        "数値は手で書かず、評価結果から取ってください",
    ),
)
def metadata(found: StatedMetadata) -> Verdict:
    """Ask for every field, for a commit that exists, and that each figure can be the measured one."""
    findings = [_complete(found)]
    if found.files:
        findings += [_date(found.date_fault)] if found.date_fault else []
        findings += [_code(found.repository), *_seed(found)]
        findings += [_data(found.data_matches)] if found.data_matches is not None else []
        findings += [_stale(name) for name in found.stale]
        findings += [_malformed(name) for name in found.malformed]
        findings += [_another(found.of_another_model)] if found.of_another_model else []
        findings += [_claim(claim) for claim in found.claims]
        findings += [_no_evidence(name) for name in found.unknown_evidence]
    stated = _said(found)
    return verdict(
        *findings,
        missing=", ".join(name for name, value in stated.items() if value is None) or None,
        training_date=stated.get("training_date"),
        commit=stated.get("code"),
        repository=found.repository,
        data_matches=found.data_matches,
        claims=len(found.claims),
    )


def _complete(found: StatedMetadata) -> Finding:
    if not found.files:
        return holds(
            bool(found.files),
            Text(en="nothing is written about the model", ja="モデルについて何も書かれていません"),
        )
    stated = _said(found)
    missing = [words for name, words in FIELDS.items() if stated.get(name) is None]
    if missing:
        words = Text(
            en=f"{', '.join(found.files)} lacks {', '.join(each.en for each in missing)}",
            ja=f"{', '.join(found.files)} に{'・'.join(each.ja for each in missing)}がありません",
        )
    else:
        words = Text(
            en="name, version, training date, data digest and library versions are written",
            ja="名前・バージョン・学習日時・データのダイジェスト・ライブラリーの版が記録されています",
        )
    return holds(not missing, words)


def _said(found: StatedMetadata) -> dict[str, str | None]:
    """Return what is said; words that say nothing are none."""
    return {field.name: None if field.name in found.placeholders else field.value for field in found.fields}


def _date(fault: str) -> Finding:
    words = {
        "no date": Text(en="the training date is no date", ja="学習日時が日付として読めません"),
        "in the future": Text(en="the training date lies in the future", ja="学習日時が未来になっています"),
        "before its data": Text(
            en="the training date lies before the last row of the training data",
            ja="学習日時が学習データの最後の行より前です",
        ),
    }
    return holds(not fault, words[fault])


def _code(repository: Repository) -> Finding:
    words = {
        "none": Text(
            en="the project is under no version control, so there is no commit to name",
            ja="プロジェクトがバージョン管理されていないため、コミットはありません",
        ),
        "clean": Text(
            en="the commit that trained it exists, and nothing had been changed",
            ja="学習に使ったコミットが存在し、未コミットの変更もありませんでした",
        ),
        "dirty": Text(
            en="files differed from the named commit when it was trained",
            ja="学習時に、記録されたコミットとの差分が残っていました",
        ),
        "unknown commit": Text(
            en="the named commit does not exist in this repository",
            ja="記録されたコミットがこのリポジトリーにありません",
        ),
        "not reachable": Text(
            en="the named commit is on no branch or tag any more, and git will drop it",
            ja="記録されたコミットはどのブランチ・タグからもたどれず、いずれ git に削除されます",
        ),
        "shallow": Text(
            en="the named commit is not in this shallow copy of the repository",
            ja="このリポジトリーは浅いクローンで、記録されたコミットがありません",
        ),
        "not stated": Text(en="no commit is named", ja="コミットが記録されていません"),
    }
    return holds(None if repository == "shallow" else repository in {"none", "clean"}, words[repository])


def _seed(found: StatedMetadata) -> list[Finding]:
    seed = _said(found).get("seed")
    if seed is not None:
        return [holds(bool(seed), Text(en=f"the seed is written ({seed})", ja=f"乱数の種が記録されています（{seed}）"))]
    if not found.seed_needed:
        return []
    return [holds(not found.seed_needed, Text(en="no seed is written", ja="乱数の種が記録されていません"))]


def _data(matches: bool) -> Finding:
    if matches:
        words = Text(
            en="data.training is the file that trained the model",
            ja="data.training は学習に使ったファイルそのものです",
        )
    else:
        words = Text(
            en="data.training is not the file that trained the model: its digest is another one",
            ja="data.training は学習に使ったファイルと異なります（ダイジェストが不一致）",
        )
    return holds(matches, words)


def _stale(name: str) -> Finding:
    words = Text(
        en=f"{name} trained the model and has been changed since", ja=f"{name} は学習に使われた後、変更されています"
    )
    return holds(not name, words)


def _malformed(name: str) -> Finding:
    words = {
        "code": Text(en="the commit is no commit", ja="コミットの値がコミットハッシュではありません"),
        "data": Text(en="the digest of the data is no digest", ja="データのダイジェストがハッシュ値ではありません"),
        "seed": Text(en="the seed is no whole number", ja="乱数の種が整数ではありません"),
        "libraries": Text(
            en="the library versions are no versions", ja="ライブラリーの版がバージョン番号ではありません"
        ),
        "name": Text(en="the name is no name", ja="モデル名が文字列ではありません"),
        "version": Text(en="the version is no version", ja="バージョンが文字列ではありません"),
    }
    return holds(name not in words, words[name])


def _another(entries: tuple[str, ...]) -> Finding:
    names = ", ".join(entries[:4])
    words = Text(
        en=f"it is written about another model: {names} cannot be said of this one",
        ja=f"別のモデルについての記述です（{names} がこのモデルと合いません）",
    )
    return holds(not entries, words)


def _no_evidence(name: str) -> Finding:
    words = Text(
        en=f"{name} names evidence that is not in the book of this project",
        ja=f"{name} が示す証拠は、このプロジェクトの証拠台帳にありません",
    )
    return holds(not name, words)


def _claim(claim: Claim) -> Finding:
    if claim.measured is None:
        return holds(
            None,
            Text(
                en=f"{claim.name} is written as {claim.stated:.4g}, and nobody has measured {claim.metric} to compare",
                ja=f"{claim.name} は {claim.stated:.4g} と書かれていますが、{claim.metric} を測定できず照合できません",
            ),
        )
    if claim.agrees:
        words = Text(
            en=f"{claim.name} is written as {claim.stated:.4g} and measured as {claim.measured}",
            ja=f"{claim.name} の記載は {claim.stated:.4g}、実測は {claim.measured}",
        )
    else:
        words = Text(
            en=f"{claim.name} is written as {claim.stated:.4g}, but the test set gives {claim.measured}",
            ja=f"{claim.name} は {claim.stated:.4g} と書かれていますが、テストデータでの実測は {claim.measured} です",
        )
    return holds(claim.agrees, words)


# How it looks


def _stated(
    *claims: Claim, without: str = "", repository: Repository = "clean", data_matches: bool = True
) -> StatedMetadata:
    values = {
        "name": "credit",
        "version": "1.2.0",
        "training_date": "2026-11-02",
        "data": "ab" * 32,
        "code": "9f2b6c1",
        "seed": "7",
        "libraries": "scikit-learn 1.9.1",
    }
    return StatedMetadata(
        files=("metadata.json",),
        fields=tuple(Field(name=name, value=None if name == without else value) for name, value in values.items()),
        date_fault=None,
        seed_needed=True,
        repository=repository,
        data_matches=data_matches,
        claims=claims,
    )


def _accuracy(stated: float, point: float, *, agrees: bool) -> Claim:
    measured = Interval(point=point, low=point - 0.01, high=point + 0.01)
    return Claim(name="metrics.accuracy", metric="accuracy", stated=stated, measured=measured, agrees=agrees)


metadata.passes(_stated(_accuracy(0.950, 0.948, agrees=True)))
metadata.fails(_stated(_accuracy(0.95, 0.81, agrees=False)))
metadata.fails(_stated(without="training_date"))
metadata.fails(_stated(without="seed"))
metadata.fails(_stated(repository="unknown commit"))
metadata.fails(_stated(data_matches=False))
metadata.fails(replace(_stated(), placeholders=("training_date",)))
metadata.fails(replace(_stated(), malformed=("data",)))
metadata.fails(replace(_stated(), date_fault="before its data"))
metadata.fails(replace(_stated(), of_another_model=("n_features",)))
metadata.is_unknown(_stated(Claim(name="metrics.accuracy", metric="accuracy", stated=0.95, measured=None, agrees=None)))
