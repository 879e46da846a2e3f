"""``sekisho drill``: what goes wrong in production, done to a real service, with the time it took and the requests it cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from sekisho.cli.options import FiniteRange, json_option, print_json, print_table, progress_bar, project_option
from sekisho.contract.loader import load_project
from sekisho.documents.drill_report import HEADINGS, cells, data_of, page
from sekisho.drills.runner import RATE, drills, run_drills
from sekisho.files import write_atomically
from sekisho.text import Text, language

if TYPE_CHECKING:
    from sekisho.drills.interface import Drill

HELP = Text(
    en="""Do to a service what production will do to it one day, under load: kill a worker, end it, damage its artifact, fill its disk.

    Each drill starts the service of the contract (sekisho.toml) anew, with two workers, and tells how long it took to recover and how many
    requests were lost. Nothing of the project is changed. Without NAME, all drills are done; --list names them.

    \b
    Example:
      sekisho drill
      sekisho drill kill drain --rate 300
      sekisho drill -C churn --report drills

    Exit codes: 0 every rule was kept, 1 not so, 2 wrong use, 3 could not run.
    """,
    ja="""本番でいつか起きることを、負荷のかかったサービスで実際に起こします。ワーカーの強制終了、停止、成果物の破損、ディスクの満杯などです。

    訓練ごとに契約 (sekisho.toml) のサービスをワーカー2つで起動し、復旧までの時間と失われたリクエスト数を示します。プロジェクトは
    変更しません。NAME を省略すると全訓練を行います。一覧は --list で表示します。

    \b
    例:
      sekisho drill
      sekisho drill kill drain --rate 300
      sekisho drill -C churn --report drills

    終了コード: 0 全規則を遵守、1 違反あり、2 使い方の誤り、3 実行できず。
    """,
)
RATE_HELP = Text(en="Requests a second", ja="1秒あたりのリクエスト数")
REPORT = Text(
    en="Write a page (Markdown) and the data (JSON) into DIR",
    ja="結果のページ (Markdown) とデータ (JSON) を DIR に書き出す",
)
LIST = Text(en="Name the drills and their rules, and end", ja="訓練と規則の一覧を表示して終了する")
WHERE = Text(en="Report", ja="レポート")


@click.command("drill", help=str(HELP))
@click.argument("names", metavar="[NAME]...", nargs=-1)
@project_option
@click.option("--rate", type=FiniteRange(1.0, 5_000.0), default=RATE, show_default=True, help=str(RATE_HELP))
@click.option("--report", "folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False), help=str(REPORT))
@click.option("--list", "lists", is_flag=True, help=str(LIST))
@json_option
def command(
    names: tuple[str, ...], project: Path, rate: float, folder: Path | None, *, lists: bool, as_json: bool
) -> None:
    """Run drills and show what became of them."""
    if lists:
        _list(as_json=as_json)
        return
    opened = load_project(project)
    count = len(names or drills())
    with progress_bar(Text(en=f"{count} drills", ja=f"訓練 {count} 件")) as on_way:
        begun = iter(range(count))

        def began(drill: Drill) -> None:
            on_way(next(begun) / count)
            if not sys.stderr.isatty():
                click.echo(f"{drill.title} …", err=True)

        done = run_drills(opened, names, rate=rate, began=began)
    data = data_of(done, rate=rate, command=f"sekisho drill {' '.join(names)}".strip())
    if folder is not None:
        write_atomically(folder / "drills.json", msgspec.json.format(msgspec.json.encode(data), indent=1) + b"\n")
        write_atomically(folder / "drills.md", page(data, language()))
        click.echo(f"{WHERE}: {folder / 'drills.md'}", err=True)
    if as_json:
        print_json(data)
    else:
        print_table(HEADINGS, (cells(each, language()) for each in data["drills"]))
    sys.exit(0 if data["passed"] else 1)


def _list(*, as_json: bool) -> None:
    known = drills().values()
    if as_json:
        print_json([{"id": each.id, "title": str(each.title), "rule": str(each.rule)} for each in known])
        return
    headings = (Text(en="Drill", ja="訓練"), Text(en="What is done", ja="行うこと"), Text(en="Rule", ja="規則"))
    print_table(headings, ((each.id, each.title, each.rule) for each in known))
