"""``sekisho pack``: an artifact from a saved model and its data."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.imports.interface import Found
from sekisho.artifact.imports.source import read_source
from sekisho.artifact.packing import pack
from sekisho.artifact.signature import Note
from sekisho.artifact.table import read_table
from sekisho.cli.options import json_option, print_json, progress_bar
from sekisho.cli.registries import opened_project, opened_registry, registry_options
from sekisho.contract.loader import load_project
from sekisho.errors import WrongUse
from sekisho.text import Text

HELP = Text(
    en="""Make an artifact of MODEL: a file of skops, ONNX, XGBoost (UBJ, JSON), LightGBM (text) or CatBoost (cbm), told by its content; a folder
    with a model file and metadata.json; a folder that MLflow wrote; mlflow:RUN_ID or mlflow:models:/NAME/VERSION. A pickle or joblib file runs code when it is read, so it is read only with
    --trust, in a process without network or files of yours, and saved anew in a safe format.

    The reference set is the table that the model was trained on (.csv, .csv.gz, .parquet), all of it: the signature, the drift reference
    and the proof that the compiled model gives the same answers come from there.

    Exit code: 0 packed, 2 wrong use, 3 could not pack.

    \b
    Example:
      sekisho pack model.skops --reference data/training.csv --target churn --out artifact --name churn
      sekisho pack mlflow:models:/churn/3 --reference data/training.csv --target churn""",
    ja="""MODEL から成果物を作ります。MODEL は skops、ONNX、XGBoost (UBJ・JSON)、LightGBM (テキスト)、CatBoost (cbm) のファイル
    (名前ではなく中身で判別)、モデルと metadata.json のある
    フォルダー、MLflow のモデルフォルダー、mlflow:RUN_ID、mlflow:models:/NAME/VERSION のいずれかです。pickle や joblib は読むだけで
    コードが動くため、--trust を付けたときだけ、ネットワークにも手元のファイルにも触れられないプロセスで読み、安全な形式に保存し直します。

    参照データは、学習に使った表 (.csv、.csv.gz、.parquet) の全行です。入力仕様、ドリフト基準、コンパイル後のモデルの答えが
    同じであることの証明は、すべてここから作ります。

    終了コード: 0 作成した、2 使い方の誤り、3 作成できず。

    \b
    例:
      sekisho pack model.skops --reference data/training.csv --target churn --out artifact --name churn
      sekisho pack mlflow:models:/churn/3 --reference data/training.csv --target churn""",
)


_FEW_ROWS = Text(
    en="No reference set was given: ranges, categories and the drift reference were learned from the few rows that were logged with it",
    ja="参照データの指定がないため、範囲・カテゴリー・ドリフト基準は、モデルと一緒に記録されたわずかな入力例から決めました",
)


def _help(en: str, ja: str) -> str:
    return str(Text(en=en, ja=ja))


@click.command("pack", help=str(HELP))
@click.argument("model")
@click.option(
    "--reference",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=_help(
        "The table that the model was trained on; needed unless example rows were logged with it",
        "学習に使った表 (モデルと一緒に入力例が記録されていなければ必須)",
    ),
)
@click.option(
    "--target",
    metavar="COLUMN",
    multiple=True,
    help=_help(
        "The column of true answers in it; once for each where there are several", "正解の列（複数あれば列ごとに指定）"
    ),
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("artifact"),
    show_default=True,
    metavar="DIR",
    help=_help("Where the artifact goes", "成果物の出力先"),
)
@click.option(
    "--name",
    metavar="NAME",
    help=_help("The model's name [default: that of its file]", "モデル名 [既定値: ファイル名]"),
)
@click.option(
    "--version",
    metavar="VERSION",
    help=_help("The model's version [default: 1.0.0]", "モデルのバージョン [既定値: 1.0.0]"),
)
@click.option("--description", metavar="TEXT", help=_help("What the model is for", "モデルの用途"))
@click.option("--owner", metavar="TEXT", help=_help("Who answers for it", "責任者"))
@click.option(
    "--training-command",
    metavar="COMMAND",
    help=_help("The command that trains it again, in quotes", "再学習のコマンド (引用符で囲む)"),
)
@click.option(
    "--training-date", metavar="DATE", help=_help("When it was trained, YYYY-MM-DD", "学習した日 (YYYY-MM-DD)")
)
@click.option("--seed", type=int, metavar="N", help=_help("The seed it was trained with", "学習時の乱数シード"))
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help=_help("A file it was trained from; may be repeated", "学習に使ったファイル (複数指定可)"),
)
@click.option(
    "--datetime",
    "datetimes",
    multiple=True,
    metavar="COLUMN",
    help=_help("A column of a CSV file that holds moments; may be repeated", "日時として読む CSV の列 (複数指定可)"),
)
@click.option(
    "--personal",
    multiple=True,
    metavar="COLUMN",
    help=_help("A feature that can identify a person; may be repeated", "個人を特定しうる特徴量 (複数指定可)"),
)
@click.option(
    "--sensitive",
    multiple=True,
    metavar="COLUMN",
    help=_help("A feature whose groups must be treated alike; may be repeated", "公平に扱うべき属性 (複数指定可)"),
)
@click.option(
    "--project",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR",
    help=_help(
        "The project whose contract describes the features: units, meaning, what is done with values nobody has seen",
        "契約の [[features]] から単位・意味・未知の値の扱いを読むプロジェクト",
    ),
)
@click.option(
    "--trust", is_flag=True, help=_help("Read MODEL even if that runs its code", "コードが動く形式でも MODEL を読む")
)
@click.option(
    "--trust-type",
    "trusted_types",
    multiple=True,
    metavar="TYPE",
    help=_help("A type of your own that skops may hold; may be repeated", "skops に含めてよい自作の型 (複数指定可)"),
)
@click.option("--no-lock", is_flag=True, help=_help("Do not lock the requirements", "依存ライブラリを固定しない"))
@click.option("--push", is_flag=True, help=_help("Publish it in the registry as well", "レジストリにも登録する"))
@registry_options
@click.option("--overwrite", is_flag=True, help=_help("Replace an artifact that is there", "既存の成果物を置き換える"))
@json_option
def command(
    model: str,
    reference: Path | None,
    target: tuple[str, ...],
    out: Path,
    name: str | None,
    version: str | None,
    description: str | None,
    owner: str | None,
    datetimes: tuple[str, ...],
    personal: tuple[str, ...],
    sensitive: tuple[str, ...],
    project: Path | None,
    trust: bool,
    trusted_types: tuple[str, ...],
    no_lock: bool,
    overwrite: bool,
    push: bool,
    registry: str | None,
    endpoint_url: str | None,
    as_json: bool,
    **training: Any,
) -> None:
    """Pack a saved model."""
    with progress_bar(Text(en="Packing", ja="パックしています")) as bar:
        found = read_source(model, trust=trust, trusted_types=trusted_types)
        artifact = pack(
            found.model,
            _reference(reference, found, datetimes),
            target[0] if len(target) == 1 else list(target) or None,
            folder=out,
            name=name or found.name or Path(model).stem,
            version=version or found.version or "1.0.0",
            metadata=_stated(found.metadata, description=description, owner=owner),
            training={"date": None, **_stated(found.training, **_training(**training))},
            notes=_notes(found, personal, sensitive, project),
            trusted_types=trusted_types,
            lock=not no_lock,
            overwrite=overwrite,
            listener=lambda fraction, _: bar(fraction),
        )
    remarks = [*found.remarks, *([_FEW_ROWS] if reference is None else [])]
    if push:
        opened_registry(opened_project(Path()), registry, endpoint_url).push(out)
    if as_json:
        print_json(
            {"folder": out, "digest": artifact.digest, "runtime": artifact.runtime_name, "parity": artifact.parity}
        )
    else:
        _show(artifact, out)
        for remark in remarks:
            click.echo(str(remark))


def _reference(reference: Path | None, found: Found, datetimes: tuple[str, ...]) -> Any:
    if reference is not None:
        return read_table(reference, datetimes=datetimes)
    if found.example is not None:
        return found.example
    raise WrongUse(
        Text(en="no reference set is given", ja="参照データが指定されていません"),
        Text(
            en="name the table that the model was trained on: --reference FILE",
            ja="学習に使った表を --reference FILE で指定してください",
        ),
    )


def _stated(found: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Return what was found with the model, and over it what was said here."""
    return {**found, **{key: value for key, value in given.items() if value not in (None, [], ())}}


def _notes(
    found: Found, personal: tuple[str, ...], sensitive: tuple[str, ...], project: Path | None
) -> dict[str, Note]:
    """Return what is known of features: by the model's source, over it by the contract, over that by the command."""
    notes = dict(found.notes)
    for terms in load_project(project).contract.features if project is not None else ():
        said = {key: value for key, value in msgspec.structs.asdict(terms).items() if key != "name"}
        known = {key: value for key, value in said.items() if value is not None}
        notes[terms.name] = msgspec.structs.replace(notes.get(terms.name, Note()), **known)
    for column in (*personal, *sensitive):
        marked = notes.get(column, Note())
        marks = {
            "personal": marked.personal or column in personal,
            "sensitive": marked.sensitive or column in sensitive,
        }
        notes[column] = msgspec.structs.replace(notes.get(column, Note()), **marks)
    return notes


def _training(
    *, training_command: str | None, training_date: str | None, seed: int | None, data: tuple[Path, ...]
) -> dict[str, Any]:
    """Return what was said of the training; no date is made up for a model that was trained some other day."""
    return {
        "command": _words(training_command or ""),
        "date": training_date,
        "seed": seed,
        "data": list(data),
    }


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        raise WrongUse(
            Text(
                en="--training-command: a quotation mark is not closed", ja="--training-command: 引用符が閉じていません"
            ),
            Text(en="close it, or take it away", ja="引用符を閉じるか、取り除いてください"),
        ) from None


def _show(artifact: ModelArtifact, out: Path) -> None:
    click.echo(f"{out}  {artifact.name} {artifact.version}  sha256:{artifact.digest}")
    parity = artifact.parity
    if parity.proven:
        rows = sum(parity.attempts[-1].rows.values())
        words = Text(
            en=f"ONNX answers: the same answers were proven on {rows:,} rows",
            ja=f"ONNX で推論します（{rows:,} 行で答えの一致を確認済み）",
        )
    else:
        because = parity.reason or Text(en="", ja="")
        words = Text(en=f"{parity.runtime} answers: {because.en}", ja=f"{parity.runtime} で推論します: {because.ja}")
    click.echo(str(words))
    if artifact.metadata.lock_missing is not None:
        missing = artifact.metadata.lock_missing
        click.echo(str(Text(en=f"No lock: {missing.en}", ja=f"ロックなし: {missing.ja}")))
    nothing = artifact.metadata.missing()
    if nothing:
        click.echo(str(Text(en=f"Not stated: {', '.join(nothing)}", ja=f"未記入: {', '.join(nothing)}")))
