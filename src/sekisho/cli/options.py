"""What several verbs share: options, and how a result is shown.

A person at a terminal sees tables and progress bars; a pipe or a log gets plain lines; a program asks for ``--json``.
Results go to standard output and everything about the way there to standard error.
"""

from __future__ import annotations

import math
import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

PASSPHRASE_VARIABLE: Final = "SEKISHO_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable

FunctionT = TypeVar("FunctionT", bound="Callable[..., Any]")


class FiniteRange(click.FloatRange):
    """A number in a range; what is no number, or infinite, is in none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return ``value`` as a number.

        Raises:
            click.BadParameter: It is not one, not finite, or out of the range.

        """
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(str(Text(en="this is not a finite number", ja="有限の数値ではありません")), param, ctx)
        return number


def json_option(function: FunctionT) -> FunctionT:
    """Add ``--json``, passed on as ``as_json: bool``."""
    words = Text(en="Print JSON for programs", ja="プログラム向けに JSON で出力する")
    return click.option("--json", "as_json", is_flag=True, help=str(words))(function)


def project_option(function: FunctionT) -> FunctionT:
    """Add ``-C/--project DIR``, passed on as ``project: Path``: a folder with a contract, or the contract itself."""
    words = Text(
        en="The folder that holds sekisho.toml, or the file itself",
        ja="sekisho.toml のあるフォルダー、またはそのファイル",
    )
    return click.option(
        "-C",
        "--project",
        type=click.Path(path_type=Path),
        default=Path(),
        metavar="DIR",
        help=str(words),
    )(function)


def trust_options(function: FunctionT) -> FunctionT:
    """Add ``--trust`` and ``--trust-type``, passed on as ``trust: bool`` and ``trusted_types: tuple[str, ...]``."""
    words = Text(
        en="Read formats that can run code on load (pickle). Only for files that you made yourself",
        ja="読み込み時にコードが動き得る形式 (pickle) も読む。自分で作ったファイルに限ること",
    )
    types = Text(
        en="A type that a skops file may hold beyond the curated list; may be given several times",
        ja="標準の一覧にない型のうち、skops ファイルに許すもの。複数指定可",
    )
    function = click.option("--trust-type", "trusted_types", metavar="NAME", multiple=True, help=str(types))(function)
    return click.option("--trust", is_flag=True, help=str(words))(function)


def passphrase_option(function: FunctionT) -> FunctionT:
    """Add ``--passphrase-file``, passed on as ``passphrase: bytes | None``; the environment may hold the passphrase instead."""
    words = Text(
        en=f"File that holds the passphrase of the private key; else the variable {PASSPHRASE_VARIABLE} is read",
        ja=f"秘密鍵のパスフレーズを入れたファイル。省略時は環境変数 {PASSPHRASE_VARIABLE} を使う",
    )
    return click.option(
        "--passphrase-file",
        "passphrase",
        type=click.Path(path_type=Path),
        metavar="FILE",
        callback=_passphrase,
        help=str(words),
    )(function)


def _passphrase(context: click.Context, parameter: click.Parameter, path: Path | None) -> bytes | None:
    """Return the passphrase: the first line of the file, or what the environment holds."""
    if path is None:
        said = os.environ.get(PASSPHRASE_VARIABLE)
        return said.encode() if said else None
    if not path.is_file():
        raise click.BadParameter(
            str(Text(en="there is no such file", ja="ファイルがありません")), ctx=context, param=parameter
        )
    with path.open("rb") as stream:
        passphrase = stream.readline(4096).rstrip(b"\r\n")
    if not passphrase.decode("utf-8", "replace").replace("\ufffd", "\0").isprintable():
        raise click.BadParameter(
            str(Text(en="its first line is not text", ja="1行目がテキストではありません")), ctx=context, param=parameter
        )
    return passphrase


def print_json(value: object) -> None:
    """Print ``value`` (builtins, structs, dataclasses, dates, paths) as JSON with two blanks of indentation.

    Numbers that JSON does not know (NaN and the infinities) become ``null``.
    """
    encoded = msgspec.json.encode(value, enc_hook=str)
    click.echo(msgspec.json.format(encoded, indent=2).decode())


def print_table(headings: Sequence[Text], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: drawn on a terminal, one line of tab-separated values a row elsewhere."""
    cells = [[_plain(str(cell)) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for line in ([str(heading) for heading in headings], *cells):
            click.echo("\t".join(" ".join(cell.split()) for cell in line))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text as Words

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(str(heading), overflow="fold")
    for line in cells:
        table.add_row(*(Words(cell) for cell in line))
    Console().print(table)


def _plain(words: str) -> str:
    """Return ``words`` without what would steer a terminal: names in an artifact may hold anything."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in words)


@contextmanager
def progress_bar(title: Text) -> Iterator[Callable[[float], None]]:
    """Show how far something is, on standard error: a bar on a terminal, one line elsewhere.

    Yields:
        A function that takes the fraction done, from 0 to 1.

    """
    if not sys.stderr.isatty():
        click.echo(f"{title} …", err=True)
        yield lambda fraction: None  # noqa: ARG005
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(str(title), total=1.0)
        yield lambda fraction: bars.update(task, completed=fraction)
