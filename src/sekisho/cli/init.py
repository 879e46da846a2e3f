"""``sekisho init``: a deployment project with a commented contract."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click

from sekisho.contract.writing import write_contract
from sekisho.text import Text, language

HELP = Text(
    en="""Write a commented sekisho.toml into DIR (here, if it is not given), with a schema for editors.

    Every key stands there with its words and its default; take the # away from what you want to set.
    The words are in the language of --lang.

    \b
    Example:
      sekisho init credit --name credit-risk
      sekisho init credit --lang ja --force
    """,
    ja="""DIR (省略時は現在のフォルダー) に、コメント付きの sekisho.toml と、エディター用のスキーマを書き出します。

    すべてのキーが説明と既定値つきで並びます。設定したいキーの行頭の # を外してください。
    説明の言語は --lang に従います。

    \b
    例:
      sekisho init credit --name credit-risk
      sekisho init credit --lang en --force
    """,
)
NEXT = Text(
    en="""\
Next:
  1. put the model and its tables into the folder: sekisho.pack(...) at the end of train.py, or `sekisho pack`
  2. name them in {path}, under [model] and [data]
  3. sekisho check -C {folder}""",
    ja="""\
次の手順:
  1. モデルと表をフォルダーに置く: train.py の最後で sekisho.pack(...)、または `sekisho pack`
  2. それらを {path} の [model] と [data] に書く
  3. sekisho check -C {folder}""",
)


@click.command(help=str(HELP))
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path(), required=False)
@click.option(
    "--name", help=str(Text(en="The name of the model [default: that of DIR]", ja="モデルの名前 [既定値: DIR の名前]"))
)
@click.option(
    "--force", is_flag=True, help=str(Text(en="Replace a contract that is there", ja="既存の契約ファイルを置き換える"))
)
def command(folder: Path, name: str | None, *, force: bool) -> None:
    """Write a contract."""
    path = write_contract(folder, {"model": {"name": name or _name_of(folder)}}, language(), replace=force)
    click.echo(path)
    click.echo(str(NEXT).format(path=path, folder=shlex.quote(str(folder))))


def _name_of(folder: Path) -> str:
    """Return a name for the model that is like the name of the folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", folder.absolute().name).strip("._-")[:100] or "model"
