"""``sekisho demo``: the whole road on real data."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import click

from sekisho.cli.judging import shown_progress
from sekisho.cli.options import progress_bar
from sekisho.examples.road import walk
from sekisho.gate.listener import Listener
from sekisho.text import Text, language

HELP = Text(
    en="""Walk the whole road once: lay a project, train a model on census data, pack it, pass it through the checkpoint,
    serve it, and watch it drift. DIR is the folder for the project.

    \b
    Example:
      sekisho demo my-first-deployment""",
    ja="""国勢調査の実データで全工程を一度に体験します。プロジェクトの作成、学習、成果物の作成、判定、推論サービス、
    ドリフトの監視までを行います。DIR はプロジェクトを作るフォルダーです。

    \b
    例:
      sekisho demo my-first-deployment""",
)


@click.command("demo", help=str(HELP))
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), default=Path("sekisho-demo"))
def command(folder: Path) -> None:
    """Walk the road and tell of it on the terminal."""
    walk(folder, Telling(), language())


class Telling:
    """Tells the traveller on the terminal: steps on standard error, what was seen on standard output."""

    def step(self, title: Text) -> AbstractContextManager[Callable[[float], None]]:
        """Show a bar for one step."""
        return progress_bar(title)

    def say(self, text: Text) -> None:
        """Print one line."""
        click.echo(f"  {text}" if str(text) else "")

    def listener(self) -> Listener:
        """Show the probes of the checkpoint."""
        return shown_progress()
