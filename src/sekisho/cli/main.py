"""The command ``sekisho``: finds the verb, speaks the caller's language, and turns errors into one line.

A verb's module is imported only when it is typed, so that ``sekisho --help`` costs no more than the CLI library.

Exit codes: 0 passed, 1 not passed, 2 wrong use, 3 could not run; 130 and 143 after Ctrl-C and TERM, 141 when the reader
of the output has gone.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Final, NoReturn

import click

from sekisho import __version__
from sekisho.cli.failures import fault, link_loop, missing_library, system_failure
from sekisho.cli.help import HelpContext, speak
from sekisho.cli.streams import complain, let_go_of_output, reader_is_gone, show_log, speak_utf8
from sekisho.cli.usage import usage_error
from sekisho.contract.nearest import nearest
from sekisho.errors import SekishoError, WrongUse
from sekisho.text import LANGUAGES, Language, Text, set_language

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

VERBS: Final[dict[str, Text]] = {
    "demo": Text(en="The whole road on a real data set, in a few minutes", ja="実データで全工程を数分で体験する"),
    "init": Text(
        en="A new deployment project with a commented sekisho.toml",
        ja="コメント付きの sekisho.toml を持つ新しいプロジェクトを作る",
    ),
    "pack": Text(en="Make an artifact from a saved model and its data", ja="保存済みモデルとデータから成果物を作る"),
    "inspect": Text(en="What is in an artifact, without running it", ja="成果物の中身を、実行せずに表示する"),
    "keys": Text(en="Keys that sign artifacts", ja="成果物に署名する鍵"),
    "sign": Text(en="Sign an artifact", ja="成果物に署名する"),
    "verify": Text(
        en="Whether an artifact is whole, signed, and answers as it did", ja="成果物の完全性・署名・答えを確かめる"
    ),
    "registry": Text(
        en="Versions of models, which is live, and which was", ja="モデルのバージョン、本番の指定、その履歴"
    ),
    "check": Text(en="Judge the boxes of the checklist", ja="チェックリストの各項目を判定する"),
    "explain": Text(
        en="What a box wants, why, how it is measured, how it fails", ja="項目の要件・理由・測り方・失敗例を説明する"
    ),
    "serve": Text(en="The inference service", ja="推論サービスを起動する"),
    "batch": Text(en="The answers to a table of any size", ja="大きさを問わず、表の全行を推論する"),
    "load": Text(en="An open-loop load test of any address", ja="任意のアドレスに一定頻度の負荷をかける"),
    "drill": Text(
        en="Kill, damage, fill up: how a service bears it", ja="強制終了・破損・満杯などの障害訓練をサービスで行う"
    ),
    "drift": Text(en="One drift report on two tables", ja="2つの表のドリフトを報告する"),
    "watch": Text(en="Watch the book of predictions for drift", ja="予測台帳のドリフトを監視する"),
    "ledger": Text(
        en="The book of predictions: read, export, erase, verify", ja="予測台帳の参照・書き出し・消去・検証"
    ),
    "generate": Text(
        en="Deployment files, tests, dashboards and alerts",
        ja="デプロイ用ファイル、テスト、ダッシュボード、アラートを生成する",
    ),
    "deploy": Text(en="Bring the artifact to a target", ja="成果物をデプロイ先へ届ける"),
}
"""Every verb, in the order of the road; each has a module of its name in this package."""

INTERRUPTED: Final = 130
OUTPUT_GONE: Final = 141


class Verbs(click.Group):
    """The root command: lists every verb from :data:`VERBS` and imports only the one that is typed."""

    context_class = HelpContext

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return every verb, in the order of the road."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of one verb and return its command."""
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(f"sekisho.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return speak(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the verbs with their summaries, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, str(summary)) for name, summary in VERBS.items()])


def main() -> NoReturn:
    """Run the command that was typed, and end the process with its exit code."""
    speak_utf8()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _end)
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Errors become lines on standard error.

    Args:
        arguments: What was typed after ``sekisho``.

    """
    debug = "--debug" in arguments
    try:
        language, debug, rest = global_options(arguments)
        if language is not None:
            set_language(language)
            os.environ["SEKISHO_LANG"] = language  # threads and child processes speak it too
        if debug:
            show_log()
        with _root().make_context("sekisho", rest) as context:
            context.command.invoke(context)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:  # the edge: whatever comes, one line and the right exit code
        return _code_for(error, debug=debug)
    return 0


def global_options(arguments: Sequence[str]) -> tuple[Language | None, bool, list[str]]:
    """Take ``--lang`` and ``--debug`` out of ``arguments``, wherever they stand before ``--``.

    They are found before anything is parsed, because the words of the parser depend on them.

    Returns:
        The language (``None``: not given), whether ``--debug`` is there, and the other arguments.

    Raises:
        WrongUse: The language is missing or not one of ours.

    """
    language: Language | None = None
    debug = False
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            return language, debug, [*rest, argument, *waiting]
        if argument == "--debug":
            debug = True
        elif argument == "--lang" or argument.startswith("--lang="):
            language = _language(argument.partition("=")[2] if "=" in argument else next(waiting, ""))
        else:
            rest.append(argument)
    return language, debug, rest


def _language(name: str) -> Language:
    for known in LANGUAGES:
        if name == known:
            return known
    close = nearest(name, LANGUAGES) or " / ".join(LANGUAGES)
    raise WrongUse(
        Text(en=f"--lang: there is no language {name!r} here", ja=f"--lang: 言語 {name!r} には対応していません"),
        Text(en=f"use --lang {close}", ja=f"--lang {close} を指定してください"),
    )


def _root() -> click.Command:
    words = Text(
        en="""Takes a trained model to production: every box on the deployment checklist is a program that proves itself.

        \b
        Example:
          sekisho demo
          sekisho check -C demo --report report

        Exit codes: 0 passed, 1 not passed, 2 wrong use, 3 could not run.""",
        ja="""学習済みモデルを本番へ。デプロイのチェックリストの各項目を、プログラムが実測して証明します。

        \b
        例:
          sekisho demo
          sekisho check -C demo --report report

        終了コード: 0 合格、1 不合格、2 使い方の誤り、3 実行できず。""",
    )
    lang = Text(en="Language [default: that of the locale]", ja="言語 [既定値: ロケールに従う]")
    debug = Text(en="Show where an unexpected error came from", ja="予期しないエラーの発生箇所を表示する")
    root = Verbs(
        "sekisho",
        help=str(words),
        params=[
            click.Option(["--lang"], type=click.Choice(LANGUAGES), expose_value=False, help=str(lang)),
            click.Option(["--debug"], is_flag=True, expose_value=False, help=str(debug)),
        ],
    )
    return click.version_option(__version__, message="sekisho %(version)s")(root)


def _code_for(error: BaseException, *, debug: bool) -> int:
    """Say in one line what went wrong, if it is an error, and return the exit code."""
    match error:
        case click.exceptions.Exit():
            return error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return INTERRUPTED
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message(), err=True)
            return error.exit_code
    gone = isinstance(error, BrokenPipeError) and reader_is_gone()
    let_go_of_output()
    if gone:
        return OUTPUT_GONE
    if debug:
        import traceback

        traceback.print_exception(error)
    ours = _as_ours(error)
    complain(str(ours))
    return ours.exit_code


def _as_ours(error: BaseException) -> SekishoError:
    match error:
        case SekishoError():
            return error
        case click.ClickException():
            return usage_error(error)
        case OSError():
            return system_failure(error)
        case ModuleNotFoundError():
            return missing_library(error) or fault(error)
        case RuntimeError():
            return link_loop(error) or fault(error)
    return fault(error)


def _end(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    """Turn a signal into an orderly end, so that every ``finally`` runs; a second one does not cut that short."""
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
