"""``sekisho registry``: versions, aliases and their history."""

from __future__ import annotations

import click

from sekisho.cli.registry.changing import gc, promote, push, rollback
from sekisho.cli.registry.reading import fetch, history, list_, verify
from sekisho.text import Text

HELP = Text(
    en="""Models by name: versions that never change, aliases that move as one, and a history that is only ever added to.

    The registry is a folder, or s3://bucket/prefix with the extra s3.

    \b
    Example:
      sekisho registry push artifact
      sekisho registry promote churn@1.2.0 --reason "better on new customers"
      sekisho serve churn@champion
      sekisho registry history churn --at 2026-11-24T09:00Z""",
    ja="""モデルのレジストリ。登録したバージョンの内容は変わらず、エイリアスは一瞬で切り替わり、履歴は追記しかできません。

    レジストリはフォルダーか、s3://バケット名/接頭辞 (extra の s3 が必要) です。

    \b
    例:
      sekisho registry push artifact
      sekisho registry promote churn@1.2.0 --reason "新規顧客での精度が向上"
      sekisho serve churn@champion
      sekisho registry history churn --at 2026-11-24T09:00Z""",
)


@click.group(help=str(HELP))
def command() -> None:
    """Keep versions of models."""


for _verb in (push, list_, promote, rollback, history, verify, fetch, gc):
    command.add_command(_verb)
