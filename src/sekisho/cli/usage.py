"""What the CLI library says of a command that cannot be, as one of our errors: one line, both languages.

The library words its errors in English only. What it knows as data (the option, the nearest names) is taken from there;
the sentences of its types are matched and said again, and one that is not known is kept as it is.
"""

from __future__ import annotations

import re
from typing import Final

import click

from sekisho.contract.nearest import nearest
from sekisho.errors import WrongUse
from sekisho.text import Text, verbatim

_KINDS: Final = {
    "File": "ファイル",
    "Directory": "フォルダー",
    "Path": "パス",
    "integer": "整数",
    "float": "数値",
    "boolean": "真偽値 (true / false)",
    "integer range": "整数",
    "float range": "数値",
}
_SENTENCES: Final = (
    (r"(File|Directory|Path) '(.*)' does not exist\.", "{0} {1} が見つかりません"),
    (r"(File|Directory|Path) '(.*)' is a file\.", "{1} はフォルダーではなくファイルです"),
    (r"(File|Directory|Path) '(.*)' is a directory\.", "{1} はファイルではなくフォルダーです"),
    (r"(File|Directory|Path) '(.*)' is not readable\.", "{0} {1} を読む権限がありません"),
    (r"(File|Directory|Path) '(.*)' is not writable\.", "{0} {1} に書く権限がありません"),
    (r"(File|Directory|Path) '(.*)' is not executable\.", "{0} {1} を実行する権限がありません"),
    (r"'(.*)' is not a valid (.*)\.", "{0} は{1}ではありません"),
    (r"(.*) is not in the range (.*)\.", "{0} は範囲 {1} の外です"),
    (r"'(.*)' is not one of (.*)\.", "{0} は使えません。次から選んでください: {1}"),
    (r"'(.*)' is not (?!one of )('.*')\.", "{0} は使えません。使えるのは {1} です"),
    (r"Option '(.*)' does not take a value\.", "オプション {0} は値を取りません"),
    (r"Option '(.*)' requires an argument\.", "オプション {0} には値が必要です"),
    (r"Option '(.*)' requires (\d+) arguments\.", "オプション {0} には値が {1} 個必要です"),
    (r"Got unexpected extra arguments? \((.*)\)", "余分な引数があります: {0}"),
    (r"Missing command\.", "コマンドが足りません"),
    (r"Argument '(.*)' takes (\d+) values\.", "引数 {0} には値が {1} 個必要です"),
)


def usage_error(error: click.ClickException) -> WrongUse:
    """Return ``error`` of the CLI library as one of ours."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    return WrongUse(_what(error, context), _remedy(error, context))


def _what(error: click.ClickException, context: click.Context | None) -> Text:
    if isinstance(error, click.NoSuchOption):
        return Text(en=f"there is no option {error.option_name}", ja=f"オプション {error.option_name} はありません")
    name = _command_name(error)
    if name is not None:
        return Text(en=f"there is no command {name}", ja=f"コマンド {name} はありません")
    if isinstance(error, click.MissingParameter):
        hint = _hint(error, context)
        return Text(en=f"{hint} is missing", ja=f"{hint} が指定されていません")
    said = Text(en=error.message.rstrip("."), ja=_in_japanese(error.message))
    if isinstance(error, click.BadParameter):
        hint = _hint(error, context)
        return Text(en=f"{hint}: {said.en}", ja=f"{hint}: {said.ja}")
    return said


def _remedy(error: click.ClickException, context: click.Context | None) -> Text:
    close: str | None = None
    if isinstance(error, click.NoSuchOption):
        close = nearest(error.option_name, error.possibilities or ())
    name = _command_name(error)
    if name is not None and context is not None and isinstance(context.command, click.Group):
        close = nearest(name, context.command.list_commands(context))
    if close is not None:
        return Text(en=f"did you mean {close}?", ja=f"{close} のことですか?")
    path = context.command_path if context is not None else "sekisho"
    return Text(en=f"see {path} --help", ja=f"{path} --help をご覧ください")


def _command_name(error: click.ClickException) -> str | None:
    said = re.fullmatch(r"No such command '(.*)'\.", error.message, re.DOTALL)
    return said[1] if said else None


def _hint(error: click.BadParameter, context: click.Context | None) -> str:
    if error.param_hint is not None:
        return error.param_hint if isinstance(error.param_hint, str) else " / ".join(error.param_hint)
    if error.param is None:
        return verbatim("?").en
    if isinstance(error.param, click.Option):
        return " / ".join(error.param.opts)
    return error.param.make_metavar(context) if context is not None else error.param.human_readable_name


def _in_japanese(sentence: str) -> str:
    for pattern, words in _SENTENCES:
        found = re.fullmatch(pattern, sentence.strip(), re.DOTALL)
        if found:
            return words.format(*(_KINDS.get(part, part) for part in found.groups()))
    return sentence.rstrip(".")
