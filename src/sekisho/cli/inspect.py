"""``sekisho inspect``: what is in an artifact, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.inspection import Inspection, inspect
from sekisho.artifact.keys import TrustedKeys
from sekisho.cli.options import json_option, print_json, print_table
from sekisho.cli.registries import local_artifact, registry_options
from sekisho.serving.model import batching_of
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.artifact.signature import Feature
    from sekisho.predict.batching import Batching

HELP = Text(
    en="""Show what is in ARTIFACT: a folder, or NAME@VERSION or NAME@ALIAS of the registry. Every file is checked against the manifest; the model is not run, unless --measure asks for it.

    Exit code: 0 all files are what they say, 2 wrong use, 3 they are not.

    \b
    Example:
      sekisho inspect artifact
      sekisho inspect artifact --json
      sekisho inspect artifact --measure""",
    ja="""ARTIFACT (フォルダー、またはレジストリの NAME@VERSION・NAME@ALIAS) の中身を表示します。全ファイルをマニフェストと照合します。--measure を付けない限り、モデルは実行しません。

    終了コード: 0 全ファイルが記録どおり、2 使い方の誤り、3 記録と不一致。

    \b
    例:
      sekisho inspect artifact
      sekisho inspect artifact --json
      sekisho inspect artifact --measure""",
)
_KEYS = Text(
    en="A public key, or a list of them, to verify signatures with; may be given several times",
    ja="署名を検証する公開鍵、またはその一覧。複数指定可",
)
_MEASURE = Text(
    en="Load the model as the service would, prove it on its golden rows, and time batches: whether rows of several requests are worth running together",
    ja="サービスと同じようにモデルを読み込み、ゴールデン行で検証したうえで、複数リクエストの行をまとめて推論する効果を測る",
)
_YES = Text(en="yes", ja="はい")
_FLAGGED = Text(en="flagged", ja="フラグ付き")
_POLICIES = {
    "reject": Text(en="refused", ja="拒否"),
    "flag": _FLAGGED,
    "accept": Text(en="accepted", ja="受理"),
}


@click.command("inspect", help=str(HELP))
@click.argument("artifact")
@click.option("--key", "keys", type=click.Path(path_type=Path), multiple=True, metavar="FILE", help=str(_KEYS))
@click.option("--measure", is_flag=True, help=str(_MEASURE))
@registry_options
@json_option
def command(
    artifact: str,
    keys: tuple[Path, ...],
    registry: str | None,
    endpoint_url: str | None,
    *,
    measure: bool,
    as_json: bool,
) -> None:
    """Show what is in an artifact."""
    folder = local_artifact(artifact, Path(), registry, endpoint_url)
    found = inspect(folder, TrustedKeys.read(keys))
    batching = batching_of(ModelArtifact.load(folder)) if measure else None
    if as_json:
        batches = {} if batching is None else {"batching": {**msgspec.to_builtins(batching), "gain": batching.gain}}
        print_json({**msgspec.to_builtins(found), **batches})
        return
    print_table((Text(en="Fact", ja="項目"), Text(en="Value", ja="値")), _facts(found))
    click.echo()
    print_table(
        (
            Text(en="Feature", ja="特徴量"),
            Text(en="Kind", ja="種類"),
            Text(en="Dtype", ja="型"),
            Text(en="Null", ja="欠損"),
            Text(en="Values", ja="値"),
            Text(en="Not known", ja="未知の値"),
            Text(en="Notes", ja="備考"),
        ),
        (_feature(feature) for feature in found.signature.features),
    )
    click.echo()
    print_table(
        (Text(en="File", ja="ファイル"), Text(en="Bytes", ja="バイト"), Text(en="SHA-256", ja="SHA-256")),
        ((file.name, f"{file.size:,}", file.sha256) for file in found.files),
    )
    if batching is not None:
        click.echo()
        _show_batching(batching)


def _show_batching(batching: Batching) -> None:
    print_table(
        (
            Text(en="Rows of a batch", ja="バッチの行数"),
            Text(en="Microseconds", ja="マイクロ秒"),
            Text(en="A row", ja="1行あたり"),
        ),
        (
            (f"{rows:,}", f"{cost:,.1f}", f"{cost / rows:,.1f}")
            for rows, cost in zip(batching.rows, batching.microseconds, strict=True)
        ),
    )
    if batching.most_rows > 1:
        words = Text(
            en=f"Requests that wait at the same time are run together, up to {batching.most_rows:,} rows: a row costs {batching.gain:.1f} times less.",
            ja=f"同時に待っているリクエストは最大 {batching.most_rows:,} 行までまとめて推論します。1行あたりの時間は {batching.gain:.1f} 分の1になります。",
        )
    else:
        words = Text(
            en="Each request is run by itself: a batch would not make a row cheaper.",
            ja="リクエストは1つずつ推論します。まとめても1行あたりの時間は短くなりません。",
        )
    click.echo(str(words))


def _facts(found: Inspection) -> Iterator[tuple[Text, object]]:
    output, metadata, parity = found.signature.output, found.metadata, found.parity
    yield Text(en="Model", ja="モデル"), f"{found.name} {found.version}"
    yield Text(en="Digest", ja="ダイジェスト"), f"sha256:{found.digest}"
    yield Text(en="Type", ja="モデル種別"), metadata.model_type or "-"
    yield Text(en="Answers with", ja="推論形式"), _runtime(found)
    if parity.attempts and parity.proven:
        proof = parity.attempts[-1]
        yield Text(en="Proven equal on", ja="一致を確認した行"), _rows(proof.rows)
        yield Text(en="Largest difference", ja="最大の差"), f"{proof.largest_difference:.2g} (≤ {parity.tolerance:g})"
    yield Text(en="Task", ja="タスク"), output.task
    for one in output.each:
        words = one.name if one.classes is None else f"{one.name}: {_list(one.classes)}"
        yield Text(en="Answer", ja="答え"), words
    yield Text(en="Golden rows", ja="ゴールデン行"), found.golden_rows
    yield (
        Text(en="Reference rows", ja="参照データの行数"),
        "-" if found.reference_rows is None else f"{found.reference_rows:,}",
    )
    yield Text(en="Lock", ja="依存の固定"), _lock(found)
    yield Text(en="Signatures", ja="署名"), _signatures(found)
    for mismatch in found.library_mismatches:
        yield Text(en="Libraries", ja="ライブラリ"), mismatch.text
    yield Text(en="Training date", ja="学習日"), metadata.training_date or "-"
    yield Text(en="Training command", ja="学習コマンド"), " ".join(metadata.training_command) or "-"
    yield Text(en="Source", ja="ソース"), _source(found)
    if metadata.missing():
        yield Text(en="Not stated", ja="未記入"), ", ".join(metadata.missing())
    if found.untrusted_types:
        yield Text(en="Types nobody trusts", ja="信頼リストにない型"), ", ".join(found.untrusted_types)


def _runtime(found: Inspection) -> str:
    if found.parity.proven:
        return f"{found.runtime} ({found.parity.precision})"
    return found.runtime if found.parity.reason is None else f"{found.runtime}: {found.parity.reason}"


def _rows(rows: dict[str, int]) -> str:
    return ", ".join(f"{kind} {count:,}" for kind, count in rows.items())


def _lock(found: Inspection) -> str:
    if found.lock is None:
        return "-" if found.metadata.lock_missing is None else f"- ({found.metadata.lock_missing})"
    return str(Text(en=f"{len(found.lock)} distributions, hashed", ja=f"{len(found.lock)} 個（ハッシュ付き）"))


def _signatures(found: Inspection) -> str:
    unverified = Text(en="not verified: give --key", ja="未検証。--key で検証できます")
    lines = [id_ if id_ in found.signed_by else f"{id_} ({unverified})" for id_ in found.signatures]
    return ", ".join(lines) or "-"


def _source(found: Inspection) -> str:
    source = found.metadata.source
    if source is None:
        return "-"
    changed = Text(en="with changes", ja="未コミットの変更あり")
    return f"{source.commit[:12]} ({changed})" if source.dirty else source.commit[:12]


def _feature(feature: Feature) -> tuple[object, ...]:
    if feature.categories is not None:
        values = _list(feature.categories)
    elif feature.minimum is not None:
        values = f"{feature.minimum} … {feature.maximum}"
    else:
        values = ""
    notes = [
        str(words)
        for holds, words in (
            (feature.personal, Text(en="personal", ja="個人情報")),
            (feature.sensitive, Text(en="sensitive", ja="要配慮")),
        )
        if holds
    ]
    unit = f" {feature.unit}" if feature.unit else ""
    notes += [feature.description] if feature.description else []
    null = "" if not feature.takes_null else _FLAGGED if feature.null == "flag" else _YES
    return feature.name, feature.kind, feature.dtype, null, values + unit, _policy(feature), ", ".join(notes)


def _policy(feature: Feature) -> object:
    """Return what is done with a value that the model does not know."""
    if feature.categories is not None:
        return _POLICIES[feature.unseen_category]
    return _POLICIES[feature.out_of_range] if feature.minimum is not None else ""


def _list(values: tuple[object, ...], most: int = 8) -> str:
    shown = ", ".join(str(value) for value in values[:most])
    return f"{shown}, … ({len(values)})" if len(values) > most else shown
