"""artifact/versioning: a version names one set of bytes, for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sekisho.gate.check import check
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.artifact.kept_versions import InRegistry, KeptVersions
from sekisho.probes.artifact.named_versions import NamedVersions
from sekisho.probes.files.scratch_registry import Trial
from sekisho.text import Text

# The box


@check(
    "artifact/versioning",
    title=Text(en="Versioned", ja="バージョン管理されている"),
    why=Text(
        en="When the same version means different bytes on two machines, nobody can say which model made a decision, and a rollback restores something else.",
        ja="同じバージョン名が場所によって違う中身を指すと、どのモデルが判断したのか誰にも言えず、ロールバックしても別のものに戻ります。",
    ),
    remedy=Text(
        en="give every change a new version, publish it with sekisho registry push, and let the service name the version it reads from the artifact",
        ja="変更のたびに新しいバージョンを付けて sekisho registry push で登録し、サービスには成果物から読んだバージョンを表示させてください",
    ),
)
def versioning(kept: KeptVersions, named: NamedVersions | None) -> Verdict:
    """Ask that the version is kept where no other bytes can take its place, and that everybody names the same one."""
    registry = kept.registry
    trial = registry.trial if registry else None
    return verdict(
        *_kept(kept),
        _agreement(named),
        kept=kept.kind,
        version=kept.version,
        live=registry.live if registry else None,
        events=registry.events if registry else None,
        earlier_versions=kept.earlier,
        changed_versions=", ".join(kept.changed) or None,
        alias_moves=trial.moves if trial else None,
        reads_meanwhile=trial.reads if trial else None,
        torn_reads=trial.torn if trial else None,
        places=len(named.versions) if named else None,
    )


def _kept(kept: KeptVersions) -> Iterator[Finding]:
    if kept.version is None:
        yield holds(bool(kept.version), Text(en="nothing states a version", ja="バージョンがどこにも書かれていません"))
        return
    if kept.changed:
        versions = ", ".join(kept.changed)
        yield holds(
            not kept.changed,
            Text(en=f"{versions} stood for other bytes before", ja=f"{versions} は以前、別の中身を指していました"),
        )
    if kept.registry is not None:
        yield from _registry(kept, kept.registry)
    elif kept.trouble is not None:
        yield holds(
            False if kept.damaged else None,
            Text(en=f"the registry: {kept.trouble.en}", ja=f"レジストリ: {kept.trouble.ja}"),
        )
    else:
        yield _elsewhere(kept)


def _registry(kept: KeptVersions, registry: InRegistry) -> Iterator[Finding]:
    if registry.published is None:
        yield holds(
            None,
            Text(
                en=f"{kept.name} {kept.version} is not in the registry yet",
                ja=f"{kept.name} {kept.version} はまだレジストリに登録されていません",
            ),
        )
    else:
        same = registry.published == kept.digest
        words = Text(
            en=f"{kept.version} is in the registry with the same digest",
            ja=f"{kept.version} は同じダイジェストでレジストリにあります",
        )
        other = Text(
            en=f"the registry holds other bytes under {kept.version} than those at hand",
            ja=f"レジストリの {kept.version} は、手元の成果物と中身が異なります",
        )
        yield holds(same, words if same else other)
        if not registry.whole:
            yield holds(registry.whole, Text(en="its content is damaged", ja="その内容が壊れています"))
    yield _refusal(registry)
    if registry.trial is not None:
        yield _move(registry.trial)
    yield holds(
        registry.events > 0,
        Text(
            en=f"{registry.events} events in an unbroken chain; {registry.alias} is {registry.live or 'nobody yet'}",
            ja=f"履歴 {registry.events} 件の連鎖に欠けはなく、{registry.alias} は {registry.live or '未設定'}",
        ),
    )


def _refusal(registry: InRegistry) -> Finding:
    if registry.trial is None:
        return holds(
            False if not registry.refused else None,
            Text(
                en="no scratch registry could be made there to try other bytes under a published version",
                ja="試験用のレジストリを作れず、登録済みバージョンへの上書きを試せませんでした",
            ),
        )
    if registry.refused and registry.trial.refused:
        return holds(
            registry.refused,
            Text(en="other bytes under a version are refused", ja="同じバージョンへの別の中身の登録は拒否されます"),
        )
    return holds(
        registry.refused and registry.trial.refused,
        Text(
            en="the registry takes other bytes under a published version",
            ja="レジストリが、登録済みのバージョンへの上書きを受け付けます",
        ),
    )


def _move(trial: Trial) -> Finding:
    if trial.torn:
        words = Text(
            en=f"{trial.torn} of {trial.reads} reads saw neither the old nor the new version while an alias moved",
            ja=f"エイリアスの切り替え中、{trial.reads} 回の読み取りのうち {trial.torn} 回が新旧どちらでもない結果でした",
        )
    else:
        words = Text(
            en=f"an alias moved {trial.moves} times under {trial.reads} reads, each of which saw the old or the new version",
            ja=f"エイリアスを {trial.moves} 回切り替える間の {trial.reads} 回の読み取りは、すべて新旧どちらかのバージョンでした",
        )
    return holds(trial.torn == 0 and trial.reads > 0, words)


def _elsewhere(kept: KeptVersions) -> Finding:
    """Judge versions that are kept without a registry of Sekisho's: never by the present moment alone."""
    if kept.kind == "git":
        return holds(
            not kept.changed,
            Text(
                en=f"git keeps {kept.earlier} versions, and no committed one was ever changed"
                if not kept.changed
                else "git shows that a version was changed",
                ja=f"git に {kept.earlier} バージョンの履歴があり、後から変わったものはありません"
                if not kept.changed
                else "git の履歴で、同じバージョンの中身が変わっています",
            ),
        )
    if kept.kind == "folders" and kept.earlier and not kept.changed:
        return holds(
            kept.earlier > 0,
            Text(
                en=f"{len(kept.seen)} folders of versions; of the {kept.earlier} that earlier runs saw, none has changed",
                ja=f"バージョンごとのフォルダーが {len(kept.seen)} 個あり、以前確認した {kept.earlier} 個に変更はありません",
            ),
        )
    if kept.kind == "folders":
        return holds(
            None,
            Text(
                en=f"{len(kept.seen)} folders of versions were recorded now; the next run tells whether one has changed",
                ja=f"バージョンごとのフォルダー {len(kept.seen)} 個を記録しました。変更の有無は次回の確認で分かります",
            ),
        )
    return holds(
        None,
        Text(
            en="no registry and no version control keeps this model: nothing proves that the version was never published with other bytes",
            ja="レジストリにもバージョン管理にも登録がなく、このバージョンが別の中身で公開されていないという証拠がありません",
        ),
    )


def _agreement(named: NamedVersions | None) -> Finding:
    if named is None or not named.asked:
        return holds(
            None,
            Text(
                en="the service was not asked which version it serves",
                ja="サービスがどのバージョンを名乗るかを確認できませんでした",
            ),
        )
    different = sorted(set(named.versions.values()))
    places = ", ".join(f"{place} {version}" for place, version in sorted(named.versions.items()))
    if len(different) > 1:
        return holds(
            len(different) == 1,
            Text(en=f"versions disagree: {places}", ja=f"バージョンが食い違っています: {places}"),
        )
    if len(named.versions) < 2:
        return holds(
            None,
            Text(
                en="the service names no version that could be compared",
                ja="サービスがバージョンを示さないため、照合できません",
            ),
        )
    return holds(
        len(different) == 1,
        Text(
            en=f"{len(named.versions)} places name version {different[0]}",
            ja=f"{len(named.versions)} か所のバージョン表示がすべて {different[0]}",
        ),
    )


# How it looks

_TRIAL = Trial(refused=True, moves=120, reads=900, torn=0)
_REGISTRY = InRegistry(
    published="ab" * 32, events=7, whole=True, alias="champion", live="1.1.0", refused=True, trial=_TRIAL
)
_KEPT = KeptVersions(
    kind="registry",
    name="churn",
    version="1.2.0",
    digest="ab" * 32,
    seen={"1.2.0": "ab" * 32},
    earlier=0,
    changed=(),
    registry=_REGISTRY,
    trouble=None,
    damaged=False,
)
_NAMED = NamedVersions(versions={"manifest": "1.2.0", "info": "1.2.0", "answer of predict": "1.2.0"}, asked=True)
_FOLDERS = replace(_KEPT, kind="folders", registry=None, seen={"1.1.0": "cd" * 32, "1.2.0": "ab" * 32})

versioning.passes(_KEPT, _NAMED)
versioning.passes(replace(_KEPT, kind="git", registry=None, earlier=4), _NAMED)
versioning.passes(replace(_FOLDERS, earlier=1), _NAMED)
versioning.fails(replace(_KEPT, digest="ef" * 32), _NAMED)
versioning.fails(replace(_KEPT, registry=replace(_REGISTRY, refused=False)), _NAMED)
versioning.fails(replace(_KEPT, registry=replace(_REGISTRY, trial=replace(_TRIAL, torn=3))), _NAMED)
versioning.fails(replace(_FOLDERS, earlier=2, changed=("1.1.0",)), _NAMED)
versioning.fails(
    _KEPT,
    NamedVersions(
        versions={"metadata.json: version": "1.1.0", "info": "1.1.0", "answer of predict": "1.0.0"}, asked=True
    ),
)
versioning.is_unknown(replace(_KEPT, registry=replace(_REGISTRY, published=None)), _NAMED)
versioning.is_unknown(replace(_KEPT, kind="none", registry=None), _NAMED)
versioning.is_unknown(_FOLDERS, _NAMED)
versioning.is_unknown(_KEPT, None)
