"""``sekisho watch``: the terminal dashboard of the book of predictions."""

from __future__ import annotations

import datetime as dt
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.cli.options import FiniteRange, json_option, project_option
from sekisho.contract.loader import load_project
from sekisho.contract.sections import Monitoring
from sekisho.errors import NotFound
from sekisho.ledger.address import checked, is_there
from sekisho.serving.contracted import book_of
from sekisho.text import Text
from sekisho.watch.dashboard import as_dict, line, screen
from sekisho.watch.settings import WatchSettings
from sekisho.watch.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sekisho.watch.watcher import Look

HELP = Text(
    en="""Watch traffic and drift in the book of predictions, until Ctrl-C.

    Without options, the book and the artifact are those of the project in this folder. On a terminal it is a screen, elsewhere one line a look.

    Exit code: 130 (Ctrl-C); with --once 0 no drift, 1 drift; 2 wrong use, 3 could not run.

    \b
    Example:
      sekisho watch -C demo
      sekisho watch --ledger predictions.sqlite --artifact artifact --once --json""",
    ja="""予測台帳のトラフィックとドリフトを、Ctrl-C まで監視します。

    オプションを省略すると、このフォルダーのプロジェクトの台帳と成果物を使います。端末では画面を更新し、それ以外では1回の確認ごとに1行を出力します。

    終了コード: 130 (Ctrl-C)。--once では 0 ドリフトなし、1 ドリフトあり。2 使い方の誤り、3 実行できず。

    \b
    例:
      sekisho watch -C demo
      sekisho watch --ledger predictions.sqlite --artifact artifact --once --json""",
)


@click.command("watch", help=str(HELP))
@project_option
@click.option(
    "--ledger",
    metavar="FILE|URL",
    help=str(Text(en="The book of predictions", ja="予測台帳")),
)
@click.option(
    "--artifact",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help=str(Text(en="The artifact that answered", ja="応答した成果物のフォルダー")),
)
@click.option(
    "--interval",
    type=FiniteRange(0.1, 3_600.0),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help=str(Text(en="Seconds between two looks", ja="確認の間隔 (秒)")),
)
@click.option("--once", is_flag=True, help=str(Text(en="Look once and end", ja="1回だけ確認して終了する")))
@json_option
def command(
    project: Path,
    ledger: str | None,
    artifact: Path | None,
    interval: float,
    once: bool,
    as_json: bool,
) -> None:
    """Watch a book of predictions."""
    watcher = _watcher(project, ledger, artifact, interval)
    if once:
        look = watcher.look()
        if as_json or not sys.stdout.isatty():
            click.echo(_written(look, as_json=as_json))
        else:
            _print_screen(watcher, look)
        sys.exit(1 if look.report.detected else 0)
    if as_json or not sys.stdout.isatty():
        for look in _looks(watcher):
            click.echo(_written(look, as_json=as_json))
    else:
        _show_live(watcher)


def _watcher(project: Path, ledger: str | None, artifact: Path | None, interval: float) -> Watcher:
    monitoring = Monitoring()
    book = None if ledger is None else checked(ledger)
    if book is None or artifact is None:
        opened = load_project(project)
        monitoring = opened.contract.monitoring
        artifact = artifact or opened.path(opened.contract.model.artifact)
        book = book or book_of(opened)
    if not is_there(book):
        raise NotFound(
            Text(en="there is no book of predictions", ja="予測台帳がありません"),
            Text(
                en="start the service with sekisho serve, and ask it something",
                ja="sekisho serve でサービスを起動し、予測を要求してください",
            ),
            where=book,
        )
    settings = WatchSettings(
        ledger=book,
        interval_seconds=interval,
        window_rows=monitoring.window_rows,
        false_alarms_per_30_days=monitoring.false_alarms_per_30_days,
        smallest_effect=monitoring.smallest_effect,
        ignored=monitoring.redacted,
    )
    return Watcher(ModelArtifact.load(artifact), settings)


def _looks(watcher: Watcher) -> Iterator[Look]:
    while True:
        yield watcher.look()
        time.sleep(watcher.settings.interval_seconds)


def _written(look: Look, *, as_json: bool) -> str:
    now = dt.datetime.now(dt.UTC)
    return msgspec.json.encode(as_dict(look, now)).decode() if as_json else line(look, now)


def _print_screen(watcher: Watcher, look: Look) -> None:
    from rich.console import Console

    Console().print(screen(look, title=watcher.title, now=dt.datetime.now(dt.UTC)))


def _show_live(watcher: Watcher) -> None:
    from rich.live import Live

    with Live(screen=True, auto_refresh=False) as live:
        for look in _looks(watcher):
            live.update(screen(look, title=watcher.title, now=dt.datetime.now(dt.UTC)), refresh=True)
