"""``sekisho sign``: a signature of an artifact."""

from __future__ import annotations

from pathlib import Path

import click

from sekisho.artifact.signing import sign_folder
from sekisho.cli.options import json_option, passphrase_option, print_json
from sekisho.text import Text

HELP = Text(
    en="""Sign ARTIFACT with a private key. Every file is verified first; signatures of others stay.

    The signature stands in manifest.dsse.json beside the manifest: a DSSE envelope around an in-toto statement that names every file.

    Exit code: 0 signed, 2 wrong use, 3 the artifact is not whole.

    \b
    Example:
      sekisho sign artifact --key release.key""",
    ja="""ARTIFACT に秘密鍵で署名します。先に全ファイルを照合します。他の人の署名は残ります。

    署名はマニフェストの隣の manifest.dsse.json に置かれます。全ファイルを挙げた in-toto の文を DSSE の封筒に入れたものです。

    終了コード: 0 署名した、2 使い方の誤り、3 成果物が完全でない。

    \b
    例:
      sekisho sign artifact --key release.key""",
)
KEY = Text(en="The private key (sekisho keys new makes one)", ja="秘密鍵 (sekisho keys new で作成)")


@click.command("sign", help=str(HELP))
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), required=True, metavar="FILE", help=str(KEY))
@passphrase_option
@json_option
def command(artifact: Path, key: Path, passphrase: bytes | None, *, as_json: bool) -> None:
    """Sign an artifact."""
    signer = sign_folder(artifact, key, passphrase)
    if as_json:
        print_json({"artifact": artifact, "key": signer})
    else:
        click.echo(str(Text(en=f"{artifact}: signed by {signer}", ja=f"{artifact}: {signer} で署名しました")))
