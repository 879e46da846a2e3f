"""``sekisho keys``: the keys that sign artifacts."""

from __future__ import annotations

from pathlib import Path

import click

from sekisho.artifact.keys import PUBLIC_ENDING, TrustedKeys
from sekisho.artifact.private_keys import new_key
from sekisho.cli.options import json_option, passphrase_option, print_json, print_table
from sekisho.text import Text

HELP = Text(
    en="""Make the keys that sign artifacts, and see which are trusted.

    \b
    Example:
      sekisho keys new release.key
      sekisho keys show release.key.pub""",
    ja="""成果物に署名する鍵を作り、信頼する鍵を確認します。

    \b
    例:
      sekisho keys new release.key
      sekisho keys show release.key.pub""",
)
NEW = Text(
    en="""Make an Ed25519 key: the private half in FILE, which only its owner may read, and the public half in FILE.pub. Nothing is overwritten.

    Keep the private half where only the publisher reaches it; name the public half in security.trusted_keys of the contract.

    Exit code: 0 made, 2 wrong use, 3 could not be written.

    \b
    Example:
      sekisho keys new release.key
      sekisho keys new release.key --passphrase-file passphrase""",
    ja="""Ed25519 の鍵を作ります。秘密鍵は FILE に (本人だけが読める権限で)、公開鍵は FILE.pub に書き出します。既存のファイルは上書きしません。

    秘密鍵は配布担当者だけが使える場所に置き、公開鍵は契約の security.trusted_keys に書いてください。

    終了コード: 0 作成した、2 使い方の誤り、3 書き込めず。

    \b
    例:
      sekisho keys new release.key
      sekisho keys new release.key --passphrase-file passphrase""",
)
SHOW = Text(
    en="""Show the public keys in files: PEM, or lists in TOML with validity and revocation.

    \b
    A list:
      [[keys]]
      public = "release.key.pub"     # from the folder of the list
      not_before = 2027-01-01
      not_after = 2027-12-31
      revoked = "the laptop was lost"

    \b
    Example:
      sekisho keys show keys.toml""",
    ja="""ファイルの公開鍵を表示します。PEM か、有効期間と失効を書いた TOML の一覧です。

    \b
    一覧の例:
      [[keys]]
      public = "release.key.pub"     # 一覧のあるフォルダーが起点
      not_before = 2027-01-01
      not_after = 2027-12-31
      revoked = "PC を紛失"

    \b
    例:
      sekisho keys show keys.toml""",
)
SHORT_NEW = Text(en="Make a key", ja="鍵を作る")
SHORT_SHOW = Text(en="Show public keys", ja="公開鍵を表示する")


@click.group("keys", help=str(HELP))
def command() -> None:
    """Keys that sign artifacts."""


@command.command("new", help=str(NEW), short_help=str(SHORT_NEW))
@click.argument("file", type=click.Path(path_type=Path))
@passphrase_option
@json_option
def new(file: Path, passphrase: bytes | None, *, as_json: bool) -> None:
    """Make a key."""
    public = new_key(file, passphrase)
    made = TrustedKeys.read([public]).keys[0]
    if as_json:
        print_json({"private": file, "public": public, "id": made.id})
        return
    click.echo(f"{public}  {made.id}")
    words = Text(
        en=f"The private half is in {file}: guard it. The public half ends in {PUBLIC_ENDING}.",
        ja=f"秘密鍵は {file} です。厳重に保管してください。公開鍵の名前は {PUBLIC_ENDING} で終わります。",
    )
    click.echo(str(words), err=True)


@command.command("show", help=str(SHOW), short_help=str(SHORT_SHOW))
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@json_option
def show(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Show public keys."""
    keys = TrustedKeys.read(files).keys
    if as_json:
        print_json([{name: getattr(key, name) for name in _SHOWN} for key in keys])
        return
    headings = (
        Text(en="Name", ja="名前"),
        Text(en="Id", ja="ID"),
        Text(en="Not before", ja="開始"),
        Text(en="Not after", ja="終了"),
        Text(en="Revoked", ja="失効"),
    )
    print_table(
        headings, ((key.name, key.id, key.not_before or "", key.not_after or "", key.revoked or "") for key in keys)
    )


_SHOWN = ("id", "name", "not_before", "not_after", "revoked")
