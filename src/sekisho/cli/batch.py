"""``sekisho batch``: the answers to a table of any size."""

from __future__ import annotations

import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.keys import TrustedKeys
from sekisho.cli.options import print_json, trust_options
from sekisho.cli.registries import keys_option, local_artifact, opened_project, registry_options
from sekisho.errors import SekishoError, WrongUse
from sekisho.predict.fence import Fence
from sekisho.predict.policies import apply_policies
from sekisho.scoring.inputs import STANDARD
from sekisho.scoring.score import score_file
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sekisho.contract.project import Project
    from sekisho.scoring.score import Summary

FORMATS: Final = ("csv", "jsonl", "parquet", "arrow")
SECONDS_BETWEEN_LINES: Final = 10.0
HELP = Text(
    en="""Answer every row of IN with ARTIFACT (a folder, or NAME@VERSION or NAME@ALIAS of the registry), into OUT.

    IN is a table (.csv, .jsonl, both also .gz, .parquet, .arrow), a folder or a quoted pattern of such, or - for standard input. OUT is a file
    of one of these formats, or -. Columns are found by name. Memory stays the same however many rows there are.

    OUT appears when it is whole. Until then rows lie in OUT.partial; after Ctrl-C, a full disk or a kill, --resume goes on from there.
    Rows are judged as the service judges them. The first one that does not fit stops the run, unless --bad-rows sets such rows aside.

    Exit code: 0 done, 2 wrong use or a row that does not fit, 3 could not run, 130 (Ctrl-C).

    \b
    Example:
      sekisho batch artifact customers.parquet scores.parquet --keep customer_id
      sekisho batch churn@champion 'parts/*.csv.gz' scores.csv --keep-all --bad-rows bad.jsonl --resume
      cat rows.jsonl | sekisho batch artifact - - --input-format jsonl --format csv""",
    ja="""IN の全行を ARTIFACT (フォルダー、またはレジストリの NAME@VERSION・NAME@ALIAS) で推論し、OUT に書きます。

    IN は表 (.csv、.jsonl、それぞれの .gz、.parquet、.arrow)、そのフォルダー、引用符で囲んだパターン、または - (標準入力) です。
    OUT は同じ形式のファイル、または - です。列は名前で対応づけます。行数によらずメモリ使用量は一定です。

    OUT は全行がそろった時点で現れます。それまでは OUT.partial に置かれ、Ctrl-C・ディスクの満杯・強制終了の後は --resume で続きから
    再開できます。行の検査はサービスと同じです。合わない行があれば停止しますが、--bad-rows を指定すると別ファイルに分けて続けます。

    終了コード: 0 完了、2 使い方の誤り、または合わない行、3 実行できず、130 (Ctrl-C)。

    \b
    例:
      sekisho batch artifact customers.parquet scores.parquet --keep customer_id
      sekisho batch churn@champion 'parts/*.csv.gz' scores.csv --keep-all --bad-rows bad.jsonl --resume
      cat rows.jsonl | sekisho batch artifact - - --input-format jsonl --format csv""",
)
KEEP = Text(
    en="Pass this column through, such as an identifier; may be repeated",
    ja="識別子などの列を出力に引き継ぐ。複数指定可",
)
KEEP_ALL = Text(en="Pass all columns through", ja="全列を出力に引き継ぐ")
IGNORE = Text(en="Leave out columns that are no features, in silence", ja="特徴量でない列を無視する")
HEADER = Text(
    en="Whether CSV begins with a line of names [default: look and see]",
    ja="CSV の先頭行が列名かどうか [既定値: 自動判別]",
)
INPUT_FORMAT = Text(en="Format of IN [default: by its suffix]", ja="IN の形式 [既定値: 拡張子による]")
OUTPUT_FORMAT = Text(en="Format of OUT [default: by its suffix]", ja="OUT の形式 [既定値: 拡張子による]")
BAD_ROWS = Text(
    en="Write rows that cannot be answered to this file, each with the reason, and go on",
    ja="推論できない行を理由とともにこのファイルへ書き、処理を続ける",
)
MAX_BAD = Text(
    en="Stop when more rows than this cannot be answered (with --bad-rows)",
    ja="推論できない行がこの数を超えたら停止する (--bad-rows と併用)",
)
RESUME = Text(
    en="Go on where an earlier run was interrupted; begin if there was none",
    ja="中断した処理の続きから再開する。なければ最初から始める",
)
OVERWRITE = Text(
    en="Replace OUT, and forget work that was begun on it", ja="既存の OUT を置き換え、中断した処理は破棄する"
)
WORKERS = Text(
    en="Threads that score; of a native model, processes [default: one a core]",
    ja="推論するスレッド数。ネイティブ形式のモデルではプロセス数 [既定値: コア数]",
)
PROJECT = Text(
    en="Judge rows by the policies of the contract in this folder",
    ja="このフォルダーの契約 (sekisho.toml) の方針で行を検査する",
)
AS_JSON = Text(
    en="Print a summary as JSON (on standard error if OUT is -)",
    ja="要約を JSON で出力する (OUT が - なら標準エラーへ)",
)


@click.command("batch", help=str(HELP))
@click.argument("artifact")
@click.argument("source", metavar="IN")
@click.argument("out", metavar="OUT")
@click.option("--keep", multiple=True, metavar="COLUMN", help=str(KEEP))
@click.option("--keep-all", is_flag=True, help=str(KEEP_ALL))
@click.option("--ignore-others", is_flag=True, help=str(IGNORE))
@click.option("--header/--no-header", default=None, help=str(HEADER))
@click.option("--input-format", type=click.Choice(FORMATS), help=str(INPUT_FORMAT))
@click.option("--format", "output_format", type=click.Choice(FORMATS), help=str(OUTPUT_FORMAT))
@click.option("--bad-rows", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help=str(BAD_ROWS))
@click.option("--max-bad", type=click.IntRange(min=0), metavar="N", help=str(MAX_BAD))
@click.option("--resume", is_flag=True, help=str(RESUME))
@click.option("--overwrite", is_flag=True, help=str(OVERWRITE))
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", help=str(WORKERS))
@click.option("-C", "--project", type=click.Path(path_type=Path), metavar="DIR", help=str(PROJECT))
@trust_options
@keys_option
@registry_options
@click.option("--json", "as_json", is_flag=True, help=str(AS_JSON))
def command(
    artifact: str,
    source: str,
    out: str,
    *,
    max_bad: int | None,
    bad_rows: Path | None,
    project: Path | None,
    trust: bool,
    trusted_types: tuple[str, ...],
    keys: tuple[Path, ...],
    registry: str | None,
    endpoint_url: str | None,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Score a table."""
    if max_bad is not None and bad_rows is None:
        raise WrongUse(
            Text(en="--max-bad says nothing without --bad-rows", ja="--max-bad は --bad-rows と併せて指定します"),
            Text(en="add --bad-rows FILE", ja="--bad-rows ファイル名 を付けてください"),
        )
    opened = None if project is None else opened_project(project)
    loaded = ModelArtifact.load(
        local_artifact(artifact, project or Path(), registry, endpoint_url),
        trust=trust,
        trusted_types=trusted_types,
        keys=TrustedKeys.read(keys),
        require_signature=bool(keys),
    )
    with _how_to_go_on(out), _progress(quiet=as_json) as listener:
        done = score_file(
            loaded,
            source,
            out,
            bad_rows=bad_rows,
            max_bad=max_bad,
            signature=_signature(loaded, opened),
            fence=Fence(memory=0, trust=trust, trusted_types=trusted_types, digest=loaded.digest),
            listener=listener,
            **wishes,
        )
    _tell(done, bad_rows, as_json=as_json)


def _signature(loaded: ModelArtifact, project: Project | None) -> Any:
    """Return the signature with the policies of a contract; ``None`` leaves what the artifact states."""
    if project is None:
        return None
    security = project.contract.security
    return apply_policies(
        loaded.signature,
        # "flag" is what the contract says when it says nothing.
        out_of_range=None if security.out_of_range == "flag" else security.out_of_range,
        unseen_category=None if security.unseen_category == "flag" else security.unseen_category,
        terms=project.contract.features,
    )


@contextmanager
def _how_to_go_on(out: str) -> Iterator[None]:
    """Tell whoever interrupts how the work can be gone on with."""
    try:
        yield
    except WrongUse:
        raise  # it says itself what to do
    except (KeyboardInterrupt, SystemExit, SekishoError, OSError):
        folder = Path(f"{out}.partial")
        if out != STANDARD and folder.is_dir():
            words = Text(
                en=f"finished rows are kept in {folder}; go on with the same command and --resume",
                ja=f"処理済みの行は {folder} にあります。同じコマンドに --resume を付けると続きから再開します",
            )
            click.echo(str(words), err=True)
        raise


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, float], None] | None]:
    """Show rows, rows a second and the time that is left: a bar on a terminal, a line now and then elsewhere, nothing to programs."""
    if quiet or not sys.stderr.isatty():
        yield None if quiet else _Lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(str(Text(en="Loading the model", ja="モデルを読み込み中")), total=1.0)
        first: list[tuple[int, float]] = []

        def show(rows: int, share: float) -> None:
            if not first:
                first.append((rows, time.monotonic()))
            rate = (rows - first[0][0]) / max(time.monotonic() - first[0][1], 1e-9)
            bars.update(task, completed=share, description=str(_so_far(rows, rate)))

        yield show


class _Lines:
    """Says now and then how far the work is, one line each time."""

    def __init__(self) -> None:
        self._began = self._said = time.monotonic()
        self._first: tuple[int, float] | None = None

    def __call__(self, rows: int, share: float) -> None:
        now = time.monotonic()
        if self._first is None:  # what came before was reading the model
            self._first = (rows, share)
            self._began = self._said = now
        if now - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = now
        rate = (rows - self._first[0]) / (now - self._began)
        words = str(_so_far(rows, rate))
        done = share - self._first[1]
        if done > 0:
            left = (1.0 - share) * (now - self._began) / done
            words += str(Text(en=f", about {left:,.0f} s left", ja=f"、残り約 {left:,.0f} 秒"))
        click.echo(words, err=True)


def _so_far(rows: int, rate: float) -> Text:
    return Text(en=f"{rows:,} rows, {rate:,.0f} rows/s", ja=f"{rows:,} 行、毎秒 {rate:,.0f} 行")


def _tell(done: Summary, bad_rows: Path | None, *, as_json: bool) -> None:
    to_error = done.output == STANDARD
    if as_json and not to_error:
        print_json(done)
        return
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(done), indent=2).decode(), err=True)
        return
    words = Text(
        en=f"{done.answered:,} rows answered by {done.model} {done.model_version} in {done.seconds:,.1f} s "
        f"({done.rows_per_second:,.0f} rows/s): {done.output}",
        ja=f"{done.model} {done.model_version} が {done.answered:,} 行を {done.seconds:,.1f} 秒で推論しました"
        f" (毎秒 {done.rows_per_second:,.0f} 行): {done.output}",
    )
    click.echo(str(words), err=to_error)
    if done.bad_rows:
        aside = Text(
            en=f"{done.bad_rows:,} rows could not be answered: {bad_rows}",
            ja=f"推論できなかった行: {done.bad_rows:,} 行 ({bad_rows})",
        )
        click.echo(str(aside), err=True)
