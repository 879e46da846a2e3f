"""``sekisho verify``: whether an artifact is whole, signed, and answers as it did; or whether a pass is signed, and what it says."""

from __future__ import annotations

from pathlib import Path

import click

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.keys import TrustedKeys
from sekisho.cli.options import json_option, print_json, progress_bar
from sekisho.cli.registries import keys_option, local_artifact, registry_options
from sekisho.contract.loader import load_project
from sekisho.gate.passes import Pass, read_pass
from sekisho.predict.fence import Fence, FencedRuntime
from sekisho.serving.model import prove_fenced
from sekisho.text import Text

HELP = Text(
    en="""Verify SUBJECT, an artifact (a folder, or NAME@VERSION or NAME@ALIAS of the registry): every file against the manifest, the manifest
    against its signatures, and the model against its golden rows, which it answers in a child process with limits on memory and time.

    With --key, or -C and a contract that asks for it, one of the trusted keys must have signed. SUBJECT may also be a signed pass (the file
    that `sekisho check --sign` writes): then its signature is verified, and what it says is shown.

    Exit code: 0 all holds, 1 the pass says not passed, 2 wrong use, 3 something does not hold.

    \b
    Example:
      sekisho verify artifact
      sekisho verify artifact --key release.key.pub
      sekisho verify pass.dsse.json --key gate.key.pub --artifact artifact""",
    ja="""成果物 SUBJECT (フォルダー、またはレジストリの NAME@VERSION や NAME@ALIAS) を検証します。全ファイルをマニフェストと、マニフェストを
    署名と、モデルをゴールデン行と照合します。モデルは、メモリーと時間を制限した子プロセスで答えます。

    --key を付けるか、-C の契約が求める場合は、信頼する鍵の署名が必要です。SUBJECT には署名付きの通行証 (`sekisho check --sign` が書き出す
    ファイル) も指定できます。その場合は署名を検証し、内容を表示します。

    終了コード: 0 すべて正しい、1 通行証の判定が不合格、2 使い方の誤り、3 正しくないものがある。

    \b
    例:
      sekisho verify artifact
      sekisho verify artifact --key release.key.pub
      sekisho verify pass.dsse.json --key gate.key.pub --artifact artifact""",
)
PROJECT = Text(
    en="The folder that holds sekisho.toml, for its trusted keys", ja="sekisho.toml のあるフォルダー。信頼する鍵に使う"
)
OF = Text(en="The artifact that the pass must speak of", ja="通行証が対象としているはずの成果物")
SECONDS = Text(en="How long the model may take", ja="モデルに許す時間 (秒)")


@click.command("verify", help=str(HELP))
@click.argument("subject")
@keys_option
@click.option("-C", "--project", type=click.Path(path_type=Path), metavar="DIR", help=str(PROJECT))
@click.option("--artifact", type=click.Path(path_type=Path), metavar="DIR", help=str(OF))
@click.option("--seconds", type=click.IntRange(1, 3_600), default=60, show_default=True, help=str(SECONDS))
@registry_options
@json_option
def command(
    subject: str,
    keys: tuple[Path, ...],
    project: Path | None,
    artifact: Path | None,
    seconds: int,
    registry: str | None,
    endpoint_url: str | None,
    *,
    as_json: bool,
) -> None:
    """Verify an artifact or a pass."""
    required = bool(keys)
    if project is not None:
        opened = load_project(project)
        security = opened.contract.security
        keys = (*keys, *(opened.path(name) for name in security.trusted_keys))
        required = required or security.require_signature
    trusted = TrustedKeys.read(keys)
    if Path(subject).is_file():
        of = None if artifact is None else ModelArtifact.load(artifact).digest
        _tell(read_pass(Path(subject), trusted, artifact=of), as_json=as_json)
    else:
        folder = local_artifact(subject, project or Path(), registry, endpoint_url)
        verify(folder, trusted, required=required, seconds=seconds, as_json=as_json)


def verify(folder: Path, keys: TrustedKeys, *, required: bool, seconds: int, as_json: bool) -> None:
    """Verify an artifact, and say what was found."""
    loaded = ModelArtifact.load(folder, keys=keys, require_signature=required)
    assert loaded.folder is not None
    fence = Fence(start_seconds=seconds, digest=loaded.digest)
    with progress_bar(Text(en="Asking the golden rows", ja="ゴールデン行を確かめています")):
        prove_fenced(loaded, FencedRuntime(loaded.folder, fence), seconds=seconds)
    rows = len(loaded.golden.rows)
    if as_json:
        print_json(
            {
                "artifact": loaded.digest,
                "name": loaded.name,
                "version": loaded.version,
                "files": len(loaded.manifest.files),
                "golden_rows": rows,
                "signed_by": loaded.signers,
            }
        )
        return
    click.echo(f"{folder}  {loaded.name} {loaded.version}  sha256:{loaded.digest}")
    words = Text(
        en=f"{len(loaded.manifest.files)} files are what the manifest says; {rows} golden rows are answered as they were",
        ja=f"{len(loaded.manifest.files)} ファイルがマニフェストと一致。ゴールデン行 {rows} 件の答えも一致しました",
    )
    click.echo(str(words))
    click.echo(str(_signed(loaded.signers)))


def _signed(signers: tuple[str, ...]) -> Text:
    if not signers:
        return Text(en="Signed by no key that was given", ja="指定された鍵による署名はありません")
    listed = ", ".join(signers)
    return Text(en=f"Signed by {listed}", ja=f"署名: {listed}")


def _tell(said: Pass, *, as_json: bool) -> None:
    if as_json:
        print_json(said)
    else:
        verdict = Text(en="passed", ja="合格") if said.passed else Text(en="not passed", ja="不合格")
        click.echo(f"{said.model}  sha256:{said.artifact}  {verdict}")
        click.echo(str(_signed(said.signed_by)))
    click.get_current_context().exit(0 if said.passed else 1)
