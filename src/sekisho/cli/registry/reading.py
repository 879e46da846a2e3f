"""The verbs that read a registry: ``list``, ``history``, ``verify``, ``fetch``."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sekisho.cli.options import print_json, print_table, progress_bar
from sekisho.cli.registries import keys_option, opened_project, opened_registry
from sekisho.cli.registry.shared import moment, place_options, told, words
from sekisho.errors import WrongUse
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.artifact.registry.registry import Live, Version


@click.command(
    "list",
    short_help=words("Which versions there are", "バージョンの一覧"),
    help=words(
        """Show every version that is there whole, or those of the model NAME.

    \b
    Example:
      sekisho registry list churn
    """,
        """すべてのバージョンを表示します。NAME を指定すると、そのモデルだけを表示します。

    \b
    例:
      sekisho registry list churn
    """,
    ),
)
@click.argument("name", required=False)
@place_options
def list_(name: str | None, project: Path, registry: str | None, endpoint_url: str | None, *, as_json: bool) -> None:
    """Show versions."""
    found = opened_registry(opened_project(project), registry, endpoint_url).versions(name)
    if as_json:
        print_json(found)
        return
    print_table(
        (
            Text(en="Model", ja="モデル"),
            Text(en="Version", ja="バージョン"),
            Text(en="Aliases", ja="エイリアス"),
            Text(en="Published", ja="登録日時"),
            Text(en="By", ja="登録者"),
            Text(en="Signed", ja="署名"),
            Text(en="SHA-256", ja="SHA-256"),
        ),
        (_row(version) for version in found),
    )


def _row(version: Version) -> tuple[object, ...]:
    signed = Text(en="yes", ja="あり") if version.signed else "-"
    return (
        version.name,
        version.version,
        ", ".join(version.aliases) or "-",
        moment(version.published_at),
        version.published_by,
        signed,
        version.digest,
    )


@click.command(
    "history",
    short_help=words("What happened, and what was live at a moment", "履歴と、ある時点で本番だったバージョン"),
    help=words(
        """Show everything that happened to the model NAME; with --at, what every alias stood for at that moment.

    A time without a zone is UTC.

    \b
    Example:
      sekisho registry history churn
      sekisho registry history churn --at 2026-11-24T09:00+09:00
    """,
        """モデル NAME の履歴をすべて表示します。--at を付けると、その時点で各エイリアスが指していたバージョンを表示します。

    時差の指定がない時刻は UTC とみなします。

    \b
    例:
      sekisho registry history churn
      sekisho registry history churn --at 2026-11-24T09:00+09:00
    """,
    ),
)
@click.argument("name")
@click.option("--at", metavar="TIME", help=words("A moment, ISO 8601", "時点 (ISO 8601)"))
@place_options
def history(
    name: str, at: str | None, project: Path, registry: str | None, endpoint_url: str | None, *, as_json: bool
) -> None:
    """Show the history."""
    place = opened_registry(opened_project(project), registry, endpoint_url)
    if at is not None:
        live = place.live(name, _parsed(at))
        if as_json:
            print_json(live)
        else:
            _show_live(live)
        return
    events = place.history(name)
    if as_json:
        print_json(events)
        return
    print_table(
        (
            Text(en="No.", ja="番号"),
            Text(en="When", ja="日時"),
            Text(en="Who", ja="実行者"),
            Text(en="What", ja="内容"),
            Text(en="Why", ja="理由"),
        ),
        ((event.sequence, moment(event.at), event.by, told(event), event.reason or "-") for event in events),
    )


@click.command(
    "verify",
    short_help=words("Prove that the registry is whole", "レジストリが壊れていないことを確かめる"),
    help=words(
        """Read all content and every history, and compare each digest and each link of the chain.

    Exit code: 0 whole, 1 something is damaged or missing, 2 wrong use, 3 could not read.

    \b
    Example:
      sekisho registry verify
    """,
        """すべてのファイルと履歴を読み、ダイジェストと連鎖を照合します。

    終了コード: 0 正常、1 破損または欠落あり、2 使い方の誤り、3 読み取り不可。

    \b
    例:
      sekisho registry verify
    """,
    ),
)
@place_options
def verify(project: Path, registry: str | None, endpoint_url: str | None, *, as_json: bool) -> None:
    """Verify everything."""
    place = opened_registry(opened_project(project), registry, endpoint_url)
    with progress_bar(Text(en="Reading everything", ja="すべて読み込んでいます")) as bar:
        found = place.verify(listener=bar)
    if as_json:
        print_json({"whole": found.whole, "audit": found})
    else:
        if found.findings:
            print_table(
                (Text(en="Kind", ja="種類"), Text(en="Where", ja="場所"), Text(en="What", ja="内容")),
                ((finding.kind, finding.key, finding.text) for finding in found.findings),
            )
        state = Text(en="whole", ja="正常") if found.whole else Text(en="NOT WHOLE", ja="異常あり")
        click.echo(
            Text(
                en=f"{state.en}: {found.models} models, {found.versions} versions, {found.events} events, {found.files} files ({found.size:,} bytes)",
                ja=f"{state.ja}: モデル {found.models}、バージョン {found.versions}、履歴 {found.events} 件、ファイル {found.files} 個（{found.size:,} バイト）",
            )
        )
    click.get_current_context().exit(0 if found.whole else 1)


@click.command(
    "fetch",
    short_help=words("Bring a version onto this machine", "バージョンをこのマシンに取得する"),
    help=words(
        """Bring NAME@VERSION or NAME@ALIAS onto this machine and print its folder; every digest is verified.

    \b
    Example:
      sekisho registry fetch churn@champion --to artifact
    """,
        """NAME@VERSION または NAME@ALIAS をこのマシンに取得し、フォルダーを表示します。ダイジェストはすべて照合します。

    \b
    例:
      sekisho registry fetch churn@champion --to artifact
    """,
    ),
)
@click.argument("version")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help=words("The folder to make [default: one in the cache]", "作成するフォルダー [既定値: キャッシュ内]"),
)
@keys_option
@place_options
def fetch(
    version: str,
    to: Path | None,
    project: Path,
    registry: str | None,
    keys: tuple[Path, ...],
    endpoint_url: str | None,
    *,
    as_json: bool,
) -> None:
    """Fetch a version."""
    place = opened_registry(opened_project(project), registry, endpoint_url, keys)
    with progress_bar(Text(en="Fetching", ja="取得しています")) as bar:
        folder = place.fetch(version, to, listener=bar)
    if as_json:
        print_json({"folder": folder, "version": place.resolve(version)})
    else:
        click.echo(str(folder))


def _show_live(live: Iterable[Live]) -> None:
    print_table(
        (
            Text(en="Alias", ja="エイリアス"),
            Text(en="Version", ja="バージョン"),
            Text(en="Since", ja="いつから"),
            Text(en="By", ja="実行者"),
            Text(en="Why", ja="理由"),
            Text(en="SHA-256", ja="SHA-256"),
        ),
        ((each.alias, each.version, moment(each.since), each.by, each.reason or "-", each.digest) for each in live),
    )


def _parsed(at: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(at.strip())
    except ValueError:
        raise WrongUse(
            Text(en="--at: this is not a time", ja="--at: 時刻として読めません"),
            Text(en="write 2026-11-24T09:00Z", ja="2026-11-24T09:00Z のように指定してください"),
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
