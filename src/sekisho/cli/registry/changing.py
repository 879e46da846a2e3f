"""The verbs that change a registry: ``push``, ``promote``, ``rollback``, ``gc``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from sekisho.artifact.registry.collection import GRACE_SECONDS
from sekisho.artifact.registry.names import reference_of
from sekisho.cli.options import FiniteRange, print_json, progress_bar
from sekisho.cli.registries import keys_option, opened_project, opened_registry
from sekisho.cli.registry.shared import alias_option, decision_options, place_options, told, usual_alias, words
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.registry.events import Event

DAY: Final = 86_400.0


@click.command(
    "push",
    short_help=words("Publish the artifact in a folder", "フォルダーの成果物を登録する"),
    help=words(
        """Publish the artifact in the local folder ARTIFACT under its own name and version; by default that of the project.

    The same artifact again changes nothing; other bytes under the same version are refused.

    \b
    Example:
      sekisho registry push artifact --reason "weekly retraining"
    """,
        """ローカルのフォルダー ARTIFACT の成果物を、その名前とバージョンで登録します。省略するとプロジェクトの成果物を登録します。

    同じ成果物をもう一度登録しても何も変わりません。同じバージョンで内容が違えば拒否します。

    \b
    例:
      sekisho registry push artifact --reason "週次の再学習"
    """,
    ),
)
@click.argument("artifact", required=False)
@decision_options
@keys_option
@place_options
def push(
    artifact: str | None,
    by: str | None,
    reason: str,
    project: Path,
    registry: str | None,
    keys: tuple[Path, ...],
    endpoint_url: str | None,
    *,
    as_json: bool,
) -> None:
    """Publish an artifact."""
    opened = opened_project(project)
    place = opened_registry(opened, registry, endpoint_url, keys)
    folder = artifact or str(project / "artifact" if opened is None else opened.path(opened.contract.model.artifact))
    with progress_bar(Text(en="Publishing", ja="登録しています")) as bar:
        done = place.push(folder, by=by, reason=reason, listener=bar)
    if as_json:
        print_json(done)
        return
    what = Text(en="published", ja="登録しました") if done.new else Text(en="was there already", ja="登録済みです")
    version = done.version
    click.echo(f"{version.name}@{version.version}  sha256:{version.digest}  {what}")


@click.command(
    "promote",
    short_help=words("Let an alias stand for a version", "エイリアスの指すバージョンを変える"),
    help=words(
        """Let an alias stand for VERSION: NAME@VERSION, or NAME@ALIAS for what another alias stands for.

    With --expected, nothing is changed if somebody has moved the alias meanwhile.

    \b
    Example:
      sekisho registry promote churn@1.2.0 --expected 1.1.0 --reason "better on new customers"
      sekisho registry promote churn@challenger
    """,
        """エイリアスの指す先を VERSION に変えます。NAME@VERSION か、別のエイリアスと同じものを指す NAME@ALIAS で指定します。

    --expected を付けると、その間に誰かがエイリアスを変えていた場合は何もしません。

    \b
    例:
      sekisho registry promote churn@1.2.0 --expected 1.1.0 --reason "新規顧客での精度が向上"
      sekisho registry promote churn@challenger
    """,
    ),
)
@click.argument("version")
@alias_option
@click.option(
    "--expected",
    metavar="VERSION",
    help=words("What it must stand for now; none: nothing", "現在指しているはずのバージョン。none は未設定"),
)
@decision_options
@place_options
def promote(
    version: str,
    alias: str | None,
    expected: str | None,
    by: str | None,
    reason: str,
    project: Path,
    registry: str | None,
    endpoint_url: str | None,
    *,
    as_json: bool,
) -> None:
    """Move an alias."""
    opened = opened_project(project)
    place = opened_registry(opened, registry, endpoint_url)
    chosen = alias or usual_alias(opened)
    written = place.promote(version, alias=chosen, expected=expected, by=by, reason=reason)
    now = place.resolve(f"{reference_of(version).name}@{chosen}")
    if as_json:
        print_json({"alias": chosen, "version": now, "event": written})
    elif written is None:
        click.echo(Text(en=f"{chosen} is {now.version} already", ja=f"{chosen} はすでに {now.version} です"))
    else:
        _say_moved(written)


@click.command(
    "rollback",
    short_help=words("Set an alias back to what it was before", "エイリアスを1つ前に戻す"),
    help=words(
        """Set an alias of the model NAME back to the version before; that is written into the history too.

    \b
    Example:
      sekisho registry rollback churn --reason "errors doubled"
    """,
        """モデル NAME のエイリアスを1つ前のバージョンに戻します。戻したことも履歴に残ります。

    \b
    例:
      sekisho registry rollback churn --reason "エラーが倍増"
    """,
    ),
)
@click.argument("name")
@alias_option
@decision_options
@place_options
def rollback(
    name: str,
    alias: str | None,
    by: str | None,
    reason: str,
    project: Path,
    registry: str | None,
    endpoint_url: str | None,
    *,
    as_json: bool,
) -> None:
    """Set an alias back."""
    opened = opened_project(project)
    written = opened_registry(opened, registry, endpoint_url).rollback(
        name, alias=alias or usual_alias(opened), by=by, reason=reason
    )
    if as_json:
        print_json(written)
    else:
        _say_moved(written)


@click.command(
    "gc",
    short_help=words("Remove what no version needs", "どのバージョンにも使われていないものを削除する"),
    help=words(
        """Remove content that no published version needs: what broken-off publications left behind. No version is ever removed.

    \b
    Example:
      sekisho registry gc --dry-run
    """,
        """どのバージョンにも使われていない、中断された登録の残骸を削除します。登録済みのバージョンは決して削除しません。

    \b
    例:
      sekisho registry gc --dry-run
    """,
    ),
)
@click.option(
    "--grace-days",
    type=FiniteRange(0.0, 36_500.0),
    default=GRACE_SECONDS / DAY,
    show_default=True,
    metavar="DAYS",
    help=words("What is younger stays", "これより新しいものは残す"),
)
@click.option("--dry-run", is_flag=True, help=words("Only say what would go", "削除せず、対象だけを表示する"))
@place_options
def gc(
    grace_days: float,
    project: Path,
    registry: str | None,
    endpoint_url: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Collect garbage."""
    place = opened_registry(opened_project(project), registry, endpoint_url)
    done = place.collect(grace_seconds=grace_days * DAY, dry_run=dry_run)
    if as_json:
        print_json(done)
        return
    for key in done.keys:
        click.echo(key)
    would = Text(en="would be removed", ja="削除対象") if dry_run else Text(en="removed", ja="削除")
    count = len(done.keys)
    click.echo(
        Text(
            en=f"{count} files, {done.size:,} bytes {would.en}; {done.kept} needed",
            ja=f"{would.ja} {count} ファイル（{done.size:,} バイト）、使用中 {done.kept} ファイル",
        )
    )


def _say_moved(event: Event) -> None:
    click.echo(f"{event.name}: {told(event)}")
