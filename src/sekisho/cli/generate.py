"""``sekisho generate``: the files of a target, one sub-command a kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sekisho.cli.options import json_option, print_json, print_table, project_option
from sekisho.cli.settings import given_settings, setting_options
from sekisho.shelf import units
from sekisho.targets.interface import Generator
from sekisho.targets.parts.generation import Generation, generate, plan_of
from sekisho.text import Text, verbatim

HELP = Text(
    en="""Write deployment files for the project's artifact; without a kind, list the kinds.

    Every file says which artifact it speaks for. Files that were edited by hand are left alone unless --force is given.

    \b
    Example:
      sekisho generate
      sekisho generate compose
      sekisho generate tests --out tests/service""",
    ja="""プロジェクトの成果物のためのデプロイ用ファイルを書き出します。種類を省くと一覧を表示します。

    各ファイルには、どの成果物のためのものかが書かれます。手で編集したファイルは、--force がない限り上書きしません。

    \b
    例:
      sekisho generate
      sekisho generate compose
      sekisho generate tests --out tests/service""",
)
OUT = Text(
    en="The folder to write to, inside the project [default: {folder}]",
    ja="出力先フォルダー（プロジェクト内）[既定値: {folder}]",
)
FORCE = Text(en="Write over files that were edited by hand", ja="手で編集したファイルも上書きする")
HEADINGS = (Text(en="Kind", ja="種類"), Text(en="What it writes", ja="内容"))
VALID = {
    "valid": Text(en="valid", ja="正しい"),
    "invalid": Text(en="NOT VALID", ja="誤りあり"),
    "unknown": Text(en="not validated: the tool is not installed", ja="未確認: ツールがインストールされていません"),
}
WHAT_HAPPENED = (
    ("created", Text(en="written", ja="作成")),
    ("updated", Text(en="updated", ja="更新")),
    ("removed", Text(en="removed", ja="削除")),
)


@click.group(invoke_without_command=True, help=str(HELP))
@click.pass_context
def command(context: click.Context) -> None:
    """List the kinds, unless one was typed."""
    if context.invoked_subcommand is None:
        print_table(HEADINGS, [(kind.id, kind.title) for kind in units("sekisho.targets", Generator).values()])


def _kind(generator: Generator) -> click.Command:
    @click.command(generator.id, help=str(_help(generator)), short_help=str(generator.title))
    @project_option
    @click.option(
        "--out", metavar="DIR", type=click.Path(path_type=Path), help=str(OUT).format(folder=generator.folder)
    )
    @click.option("--force", is_flag=True, help=str(FORCE))
    @setting_options(generator.settings)
    @json_option
    def run(project: Path, out: Path | None, *, force: bool, as_json: bool, **given: Any) -> None:
        plan = plan_of(project, generator.settings, given_settings(given))
        done = generate(generator, plan, out=out, force=force)
        if as_json:
            print_json(done)
        else:
            _tell(generator, done, plan.project.root)
        invalid = any(validation.result == "invalid" for validation in done.validations)
        click.get_current_context().exit(1 if invalid else 0)

    return run


def _help(generator: Generator) -> Text:
    example = f"sekisho generate {generator.id}" + "".join(
        f" --{setting.name} …" for setting in generator.settings if setting.required
    )
    return Text(
        en=f"{generator.title.en}.\n\n\b\nExample:\n  {example}", ja=f"{generator.title.ja}。\n\n\b\n例:\n  {example}"
    )


def _tell(generator: Generator, done: Generation, root: Path) -> None:
    folder = done.folder.relative_to(root)
    for name, words in WHAT_HAPPENED:
        for path in getattr(done.outcome, name):
            click.echo(f"{words}\t{folder / path}")
    if done.outcome.unchanged:
        count = len(done.outcome.unchanged)
        click.echo(Text(en=f"{count} files unchanged", ja=f"{count} ファイルは変更なし"))
    for validation in done.validations:
        click.echo(f"{VALID[validation.result]}\t{' '.join(validation.command)}")
        if validation.words:
            click.echo(validation.words, err=True)
    following = verbatim(str(generator.following).replace("{folder}", str(folder)))
    click.echo(Text(en=f"Next: {following.en}", ja=f"次の手順: {following.ja}"))


for _generator in units("sekisho.targets", Generator).values():
    command.add_command(_kind(_generator))
