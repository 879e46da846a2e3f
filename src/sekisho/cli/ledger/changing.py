"""The verbs that take something out of a book, ``erase`` and ``retain``; and ``key``, which makes what it is protected with."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from sekisho.cli.ledger.shared import book_options, key_option, meant, now, words
from sekisho.cli.options import FiniteRange, print_json
from sekisho.errors import WrongUse
from sekisho.ledger.erasure import erase_request, erase_subject
from sekisho.ledger.keys import new_key
from sekisho.ledger.retention import clock, retain
from sekisho.text import Text


@click.command(
    "erase",
    short_help=words("Erase a person, or one request", "本人または1つのリクエストの記録を消去する"),
    help=words(
        """Erase every row that is about a person, or one request, and leave a record of that without the data: from the predictions,
    their index, the outcomes, the free space of the file and its log.

    Who a row is about is what the feature or the header named in ledger.subject or ledger.subject_header says. The file is written anew; while
    that lasts, a service waits with writing. Erasing again changes nothing. --subject - reads from standard input.

    \b
    Example:
      sekisho ledger erase --subject customer-117
      sekisho ledger erase --request 5f0c6a2b91-3e
    """,
        """ある人についての行、または1つのリクエストを消去し、内容を含まない消去の記録を残します。予測、索引、結果、ファイルの空き領域とログの
    すべてから消えます。

    誰についての行かは、契約の ledger.subject の特徴量または ledger.subject_header のヘッダーで決まります。ファイルを書き直す間、
    サービスの書き込みは待たされます。もう一度消去しても何も変わりません。--subject - で標準入力から読みます。

    \b
    例:
      sekisho ledger erase --subject customer-117
      sekisho ledger erase --request 5f0c6a2b91-3e
    """,
    ),
)
@click.option("--subject", metavar="WHO", help=words("The person", "本人"))
@click.option("--request", "request_id", metavar="ID", help=words("The request", "リクエスト ID"))
@click.option(
    "--feature",
    metavar="NAME",
    help=words(
        "The feature that names the person [default: ledger.subject]", "本人を表す特徴量 [既定値: ledger.subject]"
    ),
)
@click.option(
    "--by", metavar="WHO", help=words("Who asks for it [default: your account]", "依頼者 [既定値: 実行中のアカウント]")
)
@key_option
@book_options
def erase(
    project: Path,
    ledger: str | None,
    subject: str | None,
    request_id: str | None,
    feature: str | None,
    by: str | None,
    key_file: Path | None,
    *,
    as_json: bool,
) -> None:
    """Erase a person or a request."""
    if (subject is None) == (request_id is None):
        raise WrongUse(
            Text(en="whom or what to erase is not clear", ja="消去する対象がはっきりしません"),
            Text(en="give --subject or --request", ja="--subject か --request のどちらかを指定してください"),
        )
    which = meant(project, ledger)
    by = by or getpass.getuser()
    if request_id is not None:
        with which.open() as book:
            done = erase_request(book, request_id, at=now(), by_whom=by)
    else:
        keys = which.keys(key_file)
        if keys is None:
            raise WrongUse(
                Text(en="people are found by keyed hashes, and there is no key", ja="本人の検索に使う鍵がありません"),
                Text(
                    en="give --key-file, or name it in ledger.key_file",
                    ja="--key-file か ledger.key_file で指定してください",
                ),
            )
        person = sys.stdin.readline().rstrip("\r\n") if subject == "-" else subject or ""
        if feature is None and which.project is not None:
            feature = which.project.contract.ledger.subject
        with which.open() as book:
            done = erase_subject(book, person, keys, feature=feature, at=now(), by_whom=by)
    if as_json:
        print_json(done)
        return
    click.echo(
        Text(
            en=f"{done.rows:,} rows of {done.requests:,} requests and {done.outcomes:,} outcomes erased at {done.at}: {done.digest}",
            ja=f"{done.at} に {done.requests:,} リクエストの {done.rows:,} 行と結果 {done.outcomes:,} 件を消去: {done.digest}",
        )
    )


@click.command(
    "retain",
    short_help=words("Erase what is too old", "保存期間を過ぎた予測を消去する"),
    help=words(
        """Erase what is older than so many days, by default monitoring.retention_days of the contract. A service does so by itself.

    After the clock of the machine has jumped, nothing is erased for a day, unless --believe-clock says that it is right.

    Exit code: 0 done, 1 the clock is in doubt and nothing was erased, 2 wrong use, 3 could not be done.

    \b
    Example:
      sekisho ledger retain --days 90
    """,
        """指定した日数より古い予測を消去します。既定値は契約の monitoring.retention_days です。サービスは自動で行います。

    マシンの時計が飛んだ後は、--believe-clock で正しいと示さない限り、1日の間は何も消去しません。

    終了コード: 0 実行した、1 時計が疑わしく何も消去していない、2 使い方の誤り、3 実行できず。

    \b
    例:
      sekisho ledger retain --days 90
    """,
    ),
)
@click.option("--days", type=FiniteRange(0.0, 36_500.0), metavar="N", help=words("How many days", "日数"))
@click.option("--believe-clock", is_flag=True, help=words("The clock is right", "時計は正しい"))
@book_options
def retain_(project: Path, ledger: str | None, days: float | None, *, believe_clock: bool, as_json: bool) -> None:
    """Erase what is too old."""
    which = meant(project, ledger)
    if days is None and which.project is not None:
        days = which.project.contract.monitoring.retention_days
    if days is None:
        raise WrongUse(
            Text(en="how long predictions are kept is not said", ja="保存日数の指定がありません"),
            Text(en="give --days N", ja="--days N を指定してください"),
        )
    with which.open() as book:
        done = retain(book, days, clock(), attended=True, believe=believe_clock)
    if as_json:
        print_json(done)
    elif done.doubted:
        click.echo(
            Text(
                en="nothing was erased: the clock has jumped, or everything would go; if it is right, say --believe-clock",
                ja="何も消去していません。時計が飛んだか、すべてが消える指定です。時計が正しければ --believe-clock を付けてください",
            )
        )
    else:
        click.echo(
            Text(
                en=f"{done.rows:,} predictions from before {done.before} erased",
                ja=f"{done.before} より前の予測 {done.rows:,} 件を消去しました",
            )
        )
    if done.doubted:
        sys.exit(1)


@click.command(
    "key",
    short_help=words("Make a secret key for a book", "台帳の秘密鍵を作る"),
    help=words(
        """Print the line of a new secret key called ID, for the key file of a book. Whoever has it can tell who is in the book.

    Put it first to use it from now on, and keep the old ones below: with them, older values are read and people found.

    \b
    Example:
      umask 077
      sekisho ledger key 2026-11 > ledger.keys
    """,
        """台帳の鍵ファイルに書く、ID という名前の新しい秘密鍵の行を出力します。これを持つ人は、台帳の中の誰かを特定できます。

    先頭に置くと以後の記録に使われます。古い鍵は下に残してください。過去の値の復号と本人の検索に使います。

    \b
    例:
      umask 077
      sekisho ledger key 2026-11 > ledger.keys
    """,
    ),
)
@click.argument("name", metavar="ID")
def key(name: str) -> None:
    """Make a key."""
    click.echo(new_key(name))
