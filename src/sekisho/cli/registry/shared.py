"""What the verbs of ``sekisho registry`` share: their options, and how a moment and an event read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from sekisho.cli.options import json_option, project_option
from sekisho.cli.registries import registry_options
from sekisho.text import Text, verbatim

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.artifact.registry.events import Event
    from sekisho.contract.project import Project

FunctionT = TypeVar("FunctionT", bound="Callable[..., Any]")


def words(en: str, ja: str) -> str:
    """Return a sentence in the language in use."""
    return str(Text(en=en, ja=ja))


def place_options(function: FunctionT) -> FunctionT:
    """Add the options that say which registry is meant, and ``--json``."""
    return project_option(registry_options(json_option(function)))


def decision_options(function: FunctionT) -> FunctionT:
    """Add who and why, which go into the history."""
    by = click.option(
        "--by",
        metavar="WHO",
        help=words("Who decides [default: your account]", "決めた人 [既定値: 実行中のアカウント]"),
    )
    reason = click.option("--reason", default="", metavar="TEXT", help=words("Why, in one line", "理由 (1行)"))
    return by(reason(function))


def alias_option(function: FunctionT) -> FunctionT:
    """Add which alias is meant."""
    which = words("Which alias [default: that of the contract, champion]", "エイリアス [既定値: 契約の指定 (champion)]")
    return click.option("--alias", metavar="ALIAS", help=which)(function)


def usual_alias(project: Project | None) -> str:
    """Return the alias that stands for what is live."""
    return "champion" if project is None else project.contract.registry.alias


def told(event: Event) -> Text:
    """Return what happened in a few words."""
    version, before = event.version, event.before or "-"
    match event.deed:
        case "published":
            return Text(en=f"{version} published", ja=f"{version} を登録")
        case "signed":
            return Text(en=f"{version} signed", ja=f"{version} に署名を追加")
        case "promoted":
            return verbatim(f"{event.alias}: {before} → {version}")
        case "rolled back":
            return Text(
                en=f"{event.alias}: {before} → {version} (rolled back)",
                ja=f"{event.alias}: {before} → {version}（差し戻し）",
            )


def moment(at: str) -> str:
    """Return a moment as tables show it."""
    return at[:19].replace("T", " ") + "Z"
