"""The command as a whole: languages, exit codes, one line an error, signals."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import types
from typing import TYPE_CHECKING

import click
import pytest

from sekisho.cli import main as entry
from sekisho.cli.main import VERBS, global_options, run
from sekisho.errors import ContractError, MissingExtra, NotFound, SekishoError, WrongUse
from sekisho.text import Text, set_language, verbatim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEKISHO = [sys.executable, "-m", "sekisho.cli.main"]


@pytest.fixture(autouse=True)
def language_is_restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SEKISHO_LANG", "en")
    yield
    set_language(None)


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch) -> Callable[[click.Command], None]:
    """Let a command stand among the verbs as ``scratch``."""

    def stand(command: click.Command) -> None:
        module = types.ModuleType("sekisho.cli.scratch")
        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "sekisho.cli.scratch", module)
        monkeypatch.setitem(VERBS, "scratch", verbatim("scratch"))

    return stand


def raising(error: BaseException) -> click.Command:
    @click.command
    def command() -> None:
        raise error

    return command


def environment(**changes: str) -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "SEKISHO", "PYTHON"))
    }
    return kept | changes


# --- languages ---


@pytest.mark.parametrize(
    "arguments",
    [["--lang", "ja", "--help"], ["--help", "--lang=ja"], ["--help", "--lang", "en", "--lang", "ja"]],
)
def test_the_language_is_found_wherever_it_stands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("使い方: sekisho")
    assert "コマンド:" in shown
    assert "このヘルプを表示して終了する" in shown


def test_help_lists_every_verb_in_the_order_of_the_road(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    listed = [line.split()[0] for line in shown.partition("Commands:\n")[2].splitlines()]
    assert listed == list(VERBS)
    assert "Example:" in shown


def test_what_stands_after_two_dashes_is_not_ours() -> None:
    assert global_options(["x", "--debug", "--", "--lang", "zz", "--debug"]) == (
        None,
        True,
        ["x", "--", "--lang", "zz", "--debug"],
    )


@pytest.mark.parametrize("arguments", [["--lang"], ["--lang", "jp"], ["--lang=", "--help"], ["--lang", "JA"]])
def test_an_unknown_language_is_wrong_use(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert "--lang" in captured.err


def test_children_and_threads_speak_the_language_that_was_asked_for(
    verb: Callable[[click.Command], None], capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command
    def command() -> None:
        click.echo(os.environ["SEKISHO_LANG"])

    verb(command)
    assert run(["scratch", "--lang", "ja"]) == 0
    assert capsys.readouterr().out == "ja\n"


# --- errors: one line, the right exit code ---

USAGE_MISTAKES = [
    (["scratch", "--nmae", "x"], "there is no option --nmae → did you mean --name?", "--name のことですか?"),
    (["scratch"], "COUNT is missing", "COUNT が指定されていません"),
    (["scratch", "many"], "COUNT: 'many' is not a valid integer", "COUNT: many は整数ではありません"),
    (["scratch", "9"], "COUNT: 9 is not in the range 1<=x<=5", "COUNT: 9 は範囲 1<=x<=5 の外です"),
    (["scratch", "1", "2"], "Got unexpected extra argument (2)", "余分な引数があります: 2"),
    (["scratch", "1", "--name"], "Option '--name' requires an argument", "オプション --name には値が必要です"),
    (
        ["scratch", "1", "--file", "/no/such"],
        "--file: File '/no/such' does not exist",
        "ファイル /no/such が見つかりません",
    ),
    (["scratch", "1", "--mode", "z"], "--mode: 'z' is not one of", "--mode: z は使えません"),
    (["scratch", "1", "--flag=x"], "does not take a value", "オプション --flag は値を取りません"),
    (["scrach"], "there is no command scrach → did you mean scratch?", "scratch のことですか?"),
    (["zzzzz"], "there is no command zzzzz → see sekisho --help", "sekisho --help をご覧ください"),
    (["--verison"], "there is no option --verison → did you mean --version?", "--version のことですか?"),
]


@pytest.mark.parametrize(("arguments", "english", "japanese"), USAGE_MISTAKES)
def test_a_mistyped_command_is_one_line_in_the_language_in_use(
    arguments: list[str],
    english: str,
    japanese: str,
    verb: Callable[[click.Command], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    @click.command
    @click.argument("count", type=click.IntRange(1, 5))
    @click.option("--name")
    @click.option("--flag", is_flag=True)
    @click.option("--mode", type=click.Choice(["a", "b"]))
    @click.option("--file", type=click.Path(exists=True, dir_okay=False))
    def command(**given: object) -> None:
        raise AssertionError(given)

    verb(command)
    for language, words in (("en", english), ("ja", japanese)):
        assert run(["--lang", language, *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert words in captured.err
        assert captured.err.count("\n") == 1


def test_a_mistyped_sub_command_names_the_nearest(
    verb: Callable[[click.Command], None], capsys: pytest.CaptureFixture[str]
) -> None:
    @click.group
    def command() -> None: ...

    command.command("docker")(lambda: None)
    verb(command)
    assert run(["scratch", "dokcer"]) == 2
    assert capsys.readouterr().err == "there is no command dokcer → did you mean docker?\n"
    assert run(["scratch", "--help", "--lang", "ja"]) == 0
    assert "コマンド:\n  docker" in capsys.readouterr().out


WORDS = verbatim("x")


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        (SekishoError(WORDS, WORDS), 3, ["x → x"]),
        (
            NotFound(Text(en="no model", ja="無"), Text(en="make it", ja="作"), where="a\nb"),
            2,
            ["a b: no model → make it"],
        ),
        (
            ContractError([WrongUse(WORDS, WORDS, where="f:1"), WrongUse(WORDS, WORDS, where="f:2")]),
            2,
            ["f:1: x → x", "f:2: x → x"],
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "/srv/x"),
            3,
            ["/srv/x: permission denied → choose another place, or ask for the right to use this one"],
        ),
        (
            OSError(errno.ENOSPC, "No space left on device"),
            3,
            ["no space left on the disk → free some space and run it again"],
        ),
        (
            OSError(errno.EPROTO, "Protocol error"),
            3,
            ["the system refused: protocol error → mend this and run it again"],
        ),
        (
            ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib.pyplot"),
            3,
            [str(MissingExtra("matplotlib", "check"))],
        ),
        (ModuleNotFoundError("No module named 'boto3'", name="boto3"), 3, [str(MissingExtra("boto3", "s3"))]),
        (
            ValueError("two\nlines \x1b[31m"),
            3,
            [
                r"unexpected error: ValueError: two lines \x1b[31m → run it again with --debug to see where, and report it"
            ],
        ),
        (RuntimeError(), 3, ["unexpected error: RuntimeError → run it again with --debug to see where, and report it"]),
        (
            ConnectionResetError(errno.ECONNRESET, "reset"),
            3,
            ["the system refused: reset → mend this and run it again"],
        ),
        (
            BrokenPipeError(errno.EPIPE, "Broken pipe"),
            3,
            ["the system refused: broken pipe → mend this and run it again"],
        ),
        (KeyboardInterrupt(), 130, []),
        (click.Abort(), 130, []),
        (click.exceptions.Exit(1), 1, []),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_ends_in_its_lines_and_code(
    error: BaseException,
    code: int,
    lines: list[str],
    verb: Callable[[click.Command], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    verb(raising(error))
    assert run(["scratch"]) == code
    captured = capsys.readouterr()
    assert captured.err.splitlines() == lines
    assert captured.out == ""


def test_debug_shows_where_an_error_came_from(
    verb: Callable[[click.Command], None], capsys: pytest.CaptureFixture[str]
) -> None:
    verb(raising(ValueError("x")))
    assert run(["scratch", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_verb_may_end_the_process_itself(verb: Callable[[click.Command], None]) -> None:
    verb(raising(SystemExit(1)))
    with pytest.raises(SystemExit) as ended:
        run(["scratch"])
    assert ended.value.code == 1


def test_nothing_typed_shows_the_help_and_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    assert capsys.readouterr().err.startswith("Usage: sekisho")


# --- the process ---


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "light = {name.partition('.')[0] for name in sys.modules} | {'click', 'sekisho'}\n"  # what the environment itself loads
        "from sekisho.cli.main import run\n"
        "run(['--help'])\n"
        "from importlib.metadata import packages_distributions as installed\n"
        "print(sorted((set(installed()) & {name.partition('.')[0] for name in sys.modules}) - light))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("locale", ["C", "POSIX", "ja_JP.eucJP", "nonsense"])
def test_output_is_utf8_in_any_locale(locale: str) -> None:
    ended = subprocess.run(
        [*SEKISHO, "--help", "--lang", "ja"], capture_output=True, check=True, env=environment(LC_ALL=locale)
    )
    assert "使い方" in ended.stdout.decode()
    assert ended.stderr == b""


def test_the_locale_chooses_the_language() -> None:
    for locale, words in (("ja_JP.UTF-8", "使い方"), ("fr_FR.UTF-8", "Usage")):
        ended = subprocess.run([*SEKISHO, "--help"], capture_output=True, check=True, env=environment(LANG=locale))
        assert ended.stdout.decode().startswith(words)


def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ended = subprocess.run([*SEKISHO, "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 3
    assert ended.stderr.decode() == "no space left on the disk → free some space and run it again\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([*SEKISHO, "--help"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (entry.OUTPUT_GONE, b"")


WAITING_VERB = """
import signal, sys, time, types
import click
from sekisho.cli import main
from sekisho.text import verbatim

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # whoever runs the tests may ignore some of them
    signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

@click.command
def command():
    try:
        print("ready", flush=True)
        time.sleep(60)
    finally:
        print("cleaned", flush=True)

module = types.ModuleType("sekisho.cli.scratch")
module.command = command
sys.modules["sekisho.cli.scratch"] = module
main.VERBS["scratch"] = verbatim("scratch")
sys.argv = ["sekisho", "scratch"]
main.main()
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["INT", "TERM", "HUP"]
)
def test_a_signal_ends_in_order_and_quietly(number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WAITING_VERB], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "cleaned\n", "")
