"""Settings of targets as options of the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sekisho.targets.interface import Setting


def setting_options(settings: Iterable[Setting]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add an option for each setting, in their order."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for setting in reversed(tuple(settings)):
            function = click.option(f"--{setting.name}", metavar="VALUE", help=_help(setting))(function)
        return function

    return add


def given_settings(options: Mapping[str, str | None]) -> dict[str, str | None]:
    """Return options as settings: the names as they were typed."""
    return {name.replace("_", "-"): value for name, value in options.items()}


def _help(setting: Setting) -> str:
    if setting.required:
        return f"{setting.help} {Text(en='[required]', ja='[必須]')}"
    if setting.default is not None:
        return f"{setting.help} {Text(en=f'[default: {setting.default}]', ja=f'[既定値: {setting.default}]')}"
    return str(setting.help)
