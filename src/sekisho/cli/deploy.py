"""``sekisho deploy``: bring the artifact to a target, one sub-command a target."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sekisho.cli.options import json_option, print_json, print_table, project_option
from sekisho.cli.settings import given_settings, setting_options
from sekisho.shelf import units
from sekisho.targets.interface import Deployer, Step
from sekisho.targets.parts.generation import plan_of
from sekisho.text import Text

HELP = Text(
    en="""Bring the project's artifact to a target and prove that it answers rightly there; without a target, list them.

    \b
    Example:
      sekisho deploy
      sekisho deploy sagemaker --bucket models --role arn:aws:iam::…:role/endpoint --image ….dkr.ecr.….amazonaws.com/model:1 --dry-run""",
    ja="""プロジェクトの成果物をデプロイ先へ届け、正しく応答することを確かめます。デプロイ先を省くと一覧を表示します。

    \b
    例:
      sekisho deploy
      sekisho deploy sagemaker --bucket models --role arn:aws:iam::…:role/endpoint --image ….dkr.ecr.….amazonaws.com/model:1 --dry-run""",
)
DRY_RUN = Text(
    en="Show the requests, checked against the service's own description, and send none",
    ja="送信せずに、サービスの仕様に照らして検証したリクエストだけを表示する",
)
REMOVE = Text(en="Take away what an earlier deployment made", ja="以前のデプロイで作ったものを取り除く")
HEADINGS = (Text(en="Target", ja="デプロイ先"), Text(en="Where", ja="内容"))


@click.group(invoke_without_command=True, help=str(HELP))
@click.pass_context
def command(context: click.Context) -> None:
    """List the targets, unless one was typed."""
    if context.invoked_subcommand is None:
        print_table(HEADINGS, [(target.id, target.title) for target in units("sekisho.targets", Deployer).values()])


def _target(deployer: Deployer) -> click.Command:
    @click.command(deployer.id, help=str(_help(deployer)), short_help=str(deployer.title))
    @project_option
    @setting_options(deployer.settings)
    @click.option("--dry-run", is_flag=True, help=str(DRY_RUN))
    @click.option("--remove", is_flag=True, help=str(REMOVE))
    @json_option
    def run(project: Path, *, dry_run: bool, remove: bool, as_json: bool, **given: Any) -> None:
        plan = plan_of(project, deployer.settings, given_settings(given))
        if dry_run:
            steps = tuple(deployer.plan(plan))
            if as_json:
                print_json(steps)
            else:
                for step in steps:
                    _show(step)
        elif remove:
            deployer.remove(plan, _say)
        else:
            deployer.deploy(plan, _say)
            click.echo(Text(en="deployed, and it answers rightly", ja="デプロイ完了。正しく応答しています"))

    return run


def _help(deployer: Deployer) -> Text:
    example = f"sekisho deploy {deployer.id}" + "".join(
        f" --{setting.name} …" for setting in deployer.settings if setting.required
    )
    return Text(
        en=f"{deployer.title.en}.\n\n\b\nExample:\n  {example}", ja=f"{deployer.title.ja}。\n\n\b\n例:\n  {example}"
    )


def _show(step: Step) -> None:
    click.echo(f"{step.service} {step.operation}")
    print_json(step.parameters)


def _say(words: Text) -> None:
    click.echo(words, err=True)


for _deployer in units("sekisho.targets", Deployer).values():
    command.add_command(_target(_deployer))
