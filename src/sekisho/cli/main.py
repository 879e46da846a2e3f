"""The command ``sekisho``: finds the verb, speaks the caller's language, and turns errors into one line.

A verb's module is imported only when it is typed, so that ``sekisho --help`` costs no more than the CLI library.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

from sekisho.text import Text

VERBS: Final[dict[str, Text]] = {
    "demo": Text(en="The whole road on a real data set, in a few minutes", ja="実データで全工程を数分で体験する"),
    "init": Text(
        en="A new deployment project with a commented sekisho.toml",
        ja="コメント付きの sekisho.toml を持つ新しいプロジェクトを作る",
    ),
    "pack": Text(en="Make an artifact from a saved model and its data", ja="保存済みモデルとデータから成果物を作る"),
    "inspect": Text(en="What is in an artifact, without running it", ja="成果物の中身を、実行せずに表示する"),
    "check": Text(en="Judge the boxes of the checklist", ja="チェックリストの各項目を判定する"),
    "explain": Text(
        en="What a box wants, why, how it is measured, how it fails", ja="項目の要件・理由・測り方・失敗例を説明する"
    ),
    "serve": Text(en="The inference service", ja="推論サービスを起動する"),
    "drift": Text(en="One drift report on two tables", ja="2つの表のドリフトを報告する"),
    "watch": Text(en="Watch the book of predictions for drift", ja="予測台帳のドリフトを監視する"),
    "generate": Text(
        en="Deployment files, tests, dashboards and alerts",
        ja="デプロイ用ファイル、テスト、ダッシュボード、アラートを生成する",
    ),
    "deploy": Text(en="Bring the artifact to a target", ja="成果物をデプロイ先へ届ける"),
}
"""Every verb, in the order of the road; each has a module of its name in this package."""


class Verbs(click.Group):
    """The root command: lists every verb from :data:`VERBS` and imports only the one that is typed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return every verb, in the order of the road."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of one verb and return its command."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"sekisho.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the verbs with their summaries, without importing them."""
        with formatter.section(str(Text(en="Commands", ja="コマンド"))):
            formatter.write_dl([(name, str(summary)) for name, summary in VERBS.items()])
