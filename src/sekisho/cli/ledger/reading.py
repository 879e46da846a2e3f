"""The verbs that read a book: ``stats``, ``export``, ``verify``."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sekisho.cli.ledger.shared import book_options, key_option, meant, moment, words
from sekisho.cli.options import print_json, print_table, project_option
from sekisho.ledger.reading import COLUMNS, contents, exported, feature_names, wholeness
from sekisho.text import Text, verbatim

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sekisho.ledger.reading import Contents


@click.command(
    "stats",
    short_help=words("What is in a book", "台帳の中身"),
    help=words(
        """Show what is in a book: predictions, requests, outcomes, models, erasures, and its size.

    \b
    Example:
      sekisho ledger stats --json
    """,
        """台帳の中身 (予測・リクエスト・結果の件数、モデル、消去の記録、大きさ) を表示します。

    \b
    例:
      sekisho ledger stats --json
    """,
    ),
)
@book_options
def stats(project: Path, ledger: str | None, *, as_json: bool) -> None:
    """Show what is in a book."""
    with meant(project, ledger).open() as book:
        found = contents(book)
    if as_json:
        print_json(found)
    else:
        print_table((Text(en="What", ja="項目"), Text(en="Value", ja="値")), _lines(found))


def _lines(found: Contents) -> Iterable[tuple[Text, str]]:
    yield Text(en="Book", ja="台帳"), found.place
    yield Text(en="Predictions", ja="予測"), f"{found.rows:,}"
    yield Text(en="Requests", ja="リクエスト"), f"{found.requests:,}"
    yield Text(en="Outcomes", ja="結果"), f"{found.outcomes:,}"
    yield Text(en="First", ja="最初"), found.first_at or "-"
    yield Text(en="Last", ja="最後"), found.last_at or "-"
    yield Text(en="Size", ja="大きさ"), f"{found.size:,} B"
    for model in found.models:
        yield verbatim(f"{model.version} ({model.digest[:12]})"), f"{model.rows:,}"
    for erasure in found.erasures:
        yield Text(en="Erased", ja="消去"), f"{erasure.at}  {erasure.rows:,}  {erasure.digest}  {erasure.by_whom}"


@click.command(
    "export",
    short_help=words("All predictions, row by row", "すべての予測を1行ずつ出力する"),
    help=words(
        """Write all predictions to standard output, the oldest first, each with what came true of it: JSON Lines, or CSV.

    With --reveal, what was encrypted is decrypted with the keys of the book. Takes the same little memory for a book of any size.

    \b
    Example:
      sekisho ledger export --since 2026-11-01 > predictions.jsonl
      sekisho ledger export --format csv --model 1.2.0 > predictions.csv
    """,
        """すべての予測を、わかっていれば実際の結果とともに、古い順に標準出力へ書き出します。形式は JSON Lines または CSV です。

    --reveal を付けると、暗号化された値を台帳の鍵で復号します。台帳がどれだけ大きくても、使うメモリはわずかです。

    \b
    例:
      sekisho ledger export --since 2026-11-01 > predictions.jsonl
      sekisho ledger export --format csv --model 1.2.0 > predictions.csv
    """,
    ),
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    default="jsonl",
    show_default=True,
    help=words("How", "形式"),
)
@click.option("--since", metavar="MOMENT", help=words("Only from this moment on (UTC)", "この時刻以降だけ (UTC)"))
@click.option("--until", metavar="MOMENT", help=words("Only before this moment (UTC)", "この時刻より前だけ (UTC)"))
@click.option(
    "--model", metavar="VERSION|DIGEST", help=words("Only what this artifact answered", "この成果物の応答だけ")
)
@click.option("--reveal", is_flag=True, help=words("Decrypt what was encrypted", "暗号化された値を復号する"))
@key_option
@click.option(
    "--ledger",
    metavar="FILE|URL",
    help=words("The book [default: that of the project]", "台帳 [既定値: プロジェクトの台帳]"),
)
@project_option
def export(
    project: Path,
    ledger: str | None,
    key_file: Path | None,
    form: str,
    since: str | None,
    until: str | None,
    model: str | None,
    *,
    reveal: bool,
) -> None:
    """Write all predictions."""
    which = meant(project, ledger)
    keys = which.keys(key_file) if reveal else None
    with which.open() as book:
        rows = exported(book, since=moment(since) or "", until=moment(until) or "9999", model=model, keys=keys)
        if form == "csv":
            _write_csv(rows, feature_names(book))
        else:
            for row in rows:
                click.echo(msgspec.json.encode(row))


def _write_csv(rows: Iterable[dict[str, Any]], features: Sequence[str]) -> None:
    written = csv.writer(sys.stdout, lineterminator="\n")
    written.writerow((*COLUMNS, *(f"features.{name}" for name in features)))
    for row in rows:
        cells = row["features"]
        written.writerow((*(_cell(row[name]) for name in COLUMNS), *(_cell(cells.get(name)) for name in features)))


def _cell(value: object) -> object:
    """Return a value as a cell: what JSON writes with brackets is written as JSON, and so are true and false."""
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    if isinstance(value, bool | dict | list):
        return msgspec.json.encode(value).decode()
    return "" if value is None else value


@click.command(
    "verify",
    short_help=words("Whether a book is whole", "台帳が壊れていないか確かめる"),
    help=words(
        """Read a whole book, and say whether every chunk is whole and every request can be found by its id.

    Exit code: 0 whole, 1 not, 2 wrong use, 3 could not be read.

    \b
    Example:
      sekisho ledger verify --ledger predictions.sqlite
    """,
        """台帳をすべて読み、どの記録も壊れていないか、どのリクエストも ID で見つかるかを確かめます。

    終了コード: 0 正常、1 異常あり、2 使い方の誤り、3 読めず。

    \b
    例:
      sekisho ledger verify --ledger predictions.sqlite
    """,
    ),
)
@book_options
def verify(project: Path, ledger: str | None, *, as_json: bool) -> None:
    """Read a whole book."""
    with meant(project, ledger).open() as book:
        found = wholeness(book)
    if as_json:
        print_json({"whole": not found.faults, **{name: getattr(found, name) for name in found.__slots__}})
    else:
        for fault in found.faults:
            click.echo(fault)
        click.echo(
            Text(
                en=f"{found.rows:,} predictions in {found.chunks:,} chunks, {len(found.faults)} faults; "
                f"{found.repeated_ids:,} request ids were used more than once",
                ja=f"予測 {found.rows:,} 件 ({found.chunks:,} 塊)、異常 {len(found.faults)} 件、"
                f"複数回使われたリクエスト ID {found.repeated_ids:,} 個",
            )
        )
    if found.faults:
        sys.exit(1)
