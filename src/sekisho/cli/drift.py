"""``sekisho drift``: one drift report on two tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.table import Table, read_table
from sekisho.cli.options import FiniteRange, json_option, print_json, print_table
from sekisho.contract.sections import Monitoring
from sekisho.documents.drift_report import write_html
from sekisho.text import Text
from sekisho.watch.drift.correction import alpha_per_look
from sekisho.watch.drift.detector import DriftDetector
from sekisho.watch.drift.lines import HEADINGS, lines

if TYPE_CHECKING:
    from sekisho.watch.drift.report import DriftReport

USUAL = Monitoring()
HELP = Text(
    en="""Compare the rows of CURRENT with those of REFERENCE.

    A column drifts when its change is both certain, corrected for all columns together, and large enough. REFERENCE is a table (.csv, .csv.gz,
    .parquet) or the folder of an artifact, which carries its own reference; CURRENT is a table.

    Exit code: 0 no drift, 1 drift, 2 wrong use, 3 could not run.

    \b
    Example:
      sekisho drift data/training.csv data/production.csv --html drift.html
      sekisho drift artifact yesterday.parquet --json""",
    ja="""CURRENT の行を REFERENCE の行と比べます。

    変化が確か (全列をまとめて補正) で、かつ十分に大きい列をドリフトと判定します。REFERENCE は表 (.csv、.csv.gz、.parquet)、
    または基準データを内蔵する成果物のフォルダー、CURRENT は表です。

    終了コード: 0 ドリフトなし、1 ドリフトあり、2 使い方の誤り、3 実行できず。

    \b
    例:
      sekisho drift data/training.csv data/production.csv --html drift.html
      sekisho drift artifact yesterday.parquet --json""",
)


@click.command("drift", help=str(HELP))
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("current", type=click.Path(path_type=Path))
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=str(Text(en="Write a page with pictures of every column", ja="全列の図を載せた HTML を書き出す")),
)
@click.option(
    "--smallest-effect",
    type=FiniteRange(0.0, 1.0),
    default=USUAL.smallest_effect,
    show_default=True,
    help=str(
        Text(
            en="Changes below it are no drift: about the share of rows that moved",
            ja="これより小さな変化はドリフトとみなさない (およそ変化した行の割合)",
        )
    ),
)
@click.option(
    "--alarms-per-30-days",
    type=FiniteRange(0.0, min_open=True),
    default=USUAL.false_alarms_per_30_days,
    show_default=True,
    help=str(Text(en="False alarms that are acceptable in 30 days", ja="30 日間に許容する誤報の回数")),
)
@click.option(
    "--windows-per-day",
    type=FiniteRange(0.0, min_open=True),
    default=USUAL.windows_per_day,
    show_default=True,
    help=str(Text(en="How often such a report is made", ja="1 日にこのレポートを作る回数")),
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="COLUMN",
    help=str(Text(en="A column that is not judged; may be repeated", ja="判定しない列 (複数指定可)")),
)
@json_option
def command(
    reference: Path,
    current: Path,
    html: Path | None,
    smallest_effect: float,
    alarms_per_30_days: float,
    windows_per_day: float,
    ignore: tuple[str, ...],
    as_json: bool,
) -> None:
    """Report the drift between two tables."""
    basis = ModelArtifact.load(reference) if reference.is_dir() else _table(reference, ignore)
    texts = basis.signature.texts if isinstance(basis, ModelArtifact) else ()
    detector = DriftDetector(basis, smallest_effect=smallest_effect)
    judged = [name for name in detector.kinds if name not in ignore]
    alpha = alpha_per_look(alarms_per_30_days, windows_per_day)
    report = detector.detect_drift(_table(current, ignore, texts), alpha, columns=judged)
    if html is not None:
        write_html(report, html, reference=reference.name, current=current.name)
    if as_json:
        print_json(report.as_dict())
    else:
        _show(report, html)
    sys.exit(1 if report.detected else 0)


def _table(path: Path, ignored: tuple[str, ...], texts: tuple[str, ...] = ()) -> Table:
    return read_table(path, texts=texts).without(ignored)


def _show(report: DriftReport, html: Path | None) -> None:
    print_table(HEADINGS, lines(report))
    counted = Text(
        en=f"{report.verdict.en} ({report.rows_current:,} rows against {report.rows_reference:,})",
        ja=f"{report.verdict.ja} (基準 {report.rows_reference:,} 行に対して {report.rows_current:,} 行)",
    )
    click.echo(str(counted))
    if html is not None:
        click.echo(str(Text(en=f"Page: {html}", ja=f"レポート: {html}")))
