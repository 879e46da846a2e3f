"""``sekisho ledger``: the book of predictions."""

from __future__ import annotations

import click

from sekisho.cli.ledger.changing import erase, key, retain_
from sekisho.cli.ledger.reading import export, stats, verify
from sekisho.text import Text

HELP = Text(
    en="""The book of predictions: what was asked, what was answered, and what came true.

    It is that of the project in this folder, or the one that --ledger names: a file, or postgresql://user@host:5432/database. The password of a
    database is taken from SEKISHO_LEDGER_PASSWORD, or from the file that SEKISHO_LEDGER_PASSWORD_FILE names.

    \b
    Example:
      sekisho ledger stats
      sekisho ledger export --since 2026-11-01 > predictions.jsonl
      sekisho ledger erase --subject customer-117
      sekisho ledger retain --days 90
      sekisho ledger verify""",
    ja="""予測台帳。何を聞かれ、何と答え、実際はどうだったかの記録です。

    このフォルダーのプロジェクトの台帳か、--ledger で指定した台帳 (ファイルまたは postgresql://user@host:5432/database) を扱います。
    データベースのパスワードは SEKISHO_LEDGER_PASSWORD か、SEKISHO_LEDGER_PASSWORD_FILE のファイルから読みます。

    \b
    例:
      sekisho ledger stats
      sekisho ledger export --since 2026-11-01 > predictions.jsonl
      sekisho ledger erase --subject customer-117
      sekisho ledger retain --days 90
      sekisho ledger verify""",
)


@click.group(help=str(HELP))
def command() -> None:
    """Read and prune a book of predictions."""


for _verb in (stats, export, erase, retain_, verify, key):
    command.add_command(_verb)
