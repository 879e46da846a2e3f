"""``sekisho check``: the verdict on every box, and the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sekisho.artifact.private_keys import read_private_key
from sekisho.cli.judging import print_report, shown_progress
from sekisho.cli.options import json_option, passphrase_option, print_json, project_option
from sekisho.documents.forms.statement import statement
from sekisho.documents.report import PAGE, write_all, write_html
from sekisho.gate.graph import Units
from sekisho.gate.opening import open_project
from sekisho.gate.passes import FILE, write_pass
from sekisho.gate.runner import run_gate
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.gate.report import Report

HELP = Text(
    en="""Judge the boxes of the deployment checklist, by measuring what is there.

    ID is a box (security/rate-limiting), a section (security) or a pattern ('*/api'); without one, all boxes are judged.
    Evidence whose inputs have not changed is taken from the project's ledger; --fresh measures again.
    With --service, the key for the service is read from the environment variable that the contract names
    (security.probe_key_variable; SEKISHO_PROBE_KEY if it names none).

    \b
    Example:
      sekisho check
      sekisho check quality security/authentication
      sekisho check -C credit --service http://127.0.0.1:8000 --report out
      sekisho check --sign gate.key
      sekisho check --json | jq .verdict

    Exit codes: 0 every judged box lets through, 1 not so, 2 wrong use, 3 could not run.
    """,
    ja="""デプロイのチェックリストの各項目を、実物を測って判定します。

    ID には項目 (security/rate-limiting)、セクション (security)、パターン ('*/api') を指定できます。省略時は全項目です。
    入力が変わっていない証拠はプロジェクトの台帳から再利用します。--fresh を付けると測り直します。
    --service を使う場合、サービスのキーは契約で決めた環境変数
    (security.probe_key_variable、既定は SEKISHO_PROBE_KEY) から読みます。

    \b
    例:
      sekisho check
      sekisho check quality security/authentication
      sekisho check -C credit --service http://127.0.0.1:8000 --report out
      sekisho check --sign gate.key
      sekisho check --json | jq .verdict

    終了コード: 0 判定した全項目が通過、1 通過しない項目あり、2 使い方の誤り、3 実行できず。
    """,
)
SERVICE = Text(
    en="Judge the running service at URL instead of the one that the contract names",
    ja="契約のサービスの代わりに、URL で動いているサービスを判定する",
)
REPORT = Text(
    en="Write the report into DIR in every form: HTML, Markdown, JSON, JUnit, SARIF, in-toto",
    ja="レポートをすべての形式 (HTML、Markdown、JSON、JUnit、SARIF、in-toto) で DIR に書き出す",
)
FRESH = Text(en="Measure again what the ledger holds already", ja="台帳にある証拠を使わず、測り直す")
SIGN = Text(
    en="Sign what was said, as a pass: pass.dsse.json beside the report",
    ja="判定に署名し、通行証 pass.dsse.json をレポートの隣に書き出す",
)
WHERE = Text(en="Report", ja="レポート")


@click.command(help=str(HELP))
@click.argument("ids", metavar="[ID]...", nargs=-1)
@project_option
@click.option("--service", metavar="URL", help=str(SERVICE))
@click.option("--report", "folder", metavar="DIR", type=click.Path(path_type=Path), help=str(REPORT))
@click.option("--fresh", is_flag=True, help=str(FRESH))
@click.option("--sign", "key", metavar="KEY", type=click.Path(path_type=Path), help=str(SIGN))
@passphrase_option
@json_option
def command(
    ids: tuple[str, ...],
    project: Path,
    service: str | None,
    folder: Path | None,
    key: Path | None,
    passphrase: bytes | None,
    *,
    fresh: bool,
    as_json: bool,
) -> None:
    """Judge a project."""
    if key is not None:
        read_private_key(key, passphrase)  # a key that cannot be used is told before anything is measured
    units = Units.installed()
    opened = open_project(project, units, service=service)
    report = run_gate(opened, ids=ids, fresh=fresh, listener=shown_progress(), units=units)
    if as_json:
        print_json(report.as_json())
    else:
        print_report(report)
    page = write_html(report, opened.state / PAGE) if folder is None else write_all(report, folder)["html"]
    if key is not None:
        _sign(report, page.with_name(FILE), key, passphrase)
    if not as_json:
        click.echo(report.sentence)
        click.echo(f"{WHERE}: {page}")
    click.get_current_context().exit(0 if report.passed else 1)


def _sign(report: Report, path: Path, key: Path, passphrase: bytes | None) -> None:
    said = statement.render(report)
    if said is None:
        words = Text(
            en="No pass: there is no artifact that it could speak of", ja="成果物がないため、通行証は作りません"
        )
        click.echo(str(words), err=True)
        return
    signer = write_pass(path, said, key, passphrase)
    click.echo(str(Text(en=f"Pass: {path}, signed by {signer}", ja=f"通行証: {path} (署名: {signer})")), err=True)
