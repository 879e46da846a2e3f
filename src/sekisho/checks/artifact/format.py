"""artifact/format: the model is in a format that runs no code when it is read, whole, and answers as it did."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sekisho.gate.check import check
from sekisho.gate.verdict import Finding, Verdict, holds, verdict
from sekisho.probes.artifact.model_format import FileLook, Loading, ModelFormat, PickleInside
from sekisho.text import Text

NOTES: Final = {
    "external-data-outside": Text(
        en="keeps tensors in files outside the folder of the model",
        ja="テンソルの一部がモデルのフォルダー外に置かれています",
    ),
    "external-data-missing": Text(en="keeps tensors in a file that is missing", ja="テンソルのファイルがありません"),
    "git-lfs-pointer": Text(
        en="is a Git LFS pointer: the model itself was never fetched",
        ja="Git LFS のポインターで、モデル本体が取得されていません",
    ),
    "web-page": Text(en="is a web page, such as a failed download leaves", ja="Web ページです（ダウンロードの失敗）"),
}
"""What makes a file unusable, beside its format."""


# The box


@check(
    "artifact/format",
    title=Text(en="Right format", ja="適切な形式"),
    why=Text(
        en="A pickle is a program: whoever can change the file runs code on every server that loads it. A file that is cut off or "
        "holds something other than its name says fails at the moment of deployment.",
        ja="pickle はプログラムそのものです。ファイルを書き換えられる人は、読み込むすべてのサーバーで任意のコードを実行できます。"
        "途中で切れたファイルや、名前と中身の違うファイルは、デプロイの瞬間に失敗します。",
    ),
    remedy=Text(
        en="pack the model again (sekisho pack writes skops and ONNX) and ship the whole folder",
        ja="モデルをパックし直し（sekisho pack は skops と ONNX を書き出します）、フォルダーごと配布してください",
    ),
)
def model_format(found: ModelFormat) -> Verdict:
    """Judge every file by its content, the model by whether it loads, and its answers by the golden rows."""
    findings = [_runs_code(file) for file in found.files if file.runs_code]
    findings += [_wrong_name(file) for file in found.files if file.as_promised is False and not file.runs_code]
    findings += [_not_whole(file) for file in found.files if file.whole is False]
    findings += [_note(file, note) for file in found.files for note in file.notes if note in NOTES]
    findings += [_link(name) for name in found.links]
    findings += [_sum(words) for words in found.broken_sums]
    findings += [_loading(each) for each in found.loading if each.loads is not True]
    findings.append(_accepted(found))
    if found.golden_rows is not None:
        findings.append(_golden(found.golden_rows, found.golden_wrong or 0))
    models = _models(found)
    pickles = [pickle for file in found.files for pickle in file.pickles]
    return verdict(
        *findings,
        formats=", ".join(dict.fromkeys(file.content for file in models)) or None,
        files=len(found.files),
        runs_code=sum(file.runs_code for file in found.files),
        imports=", ".join(dict.fromkeys(name for pickle in pickles for name in pickle.imports))[:300] or None,
        golden_rows=found.golden_rows,
        golden_wrong=found.golden_wrong,
    )


def _runs_code(file: FileLook) -> Finding:
    imports = list(dict.fromkeys(name for pickle in file.pickles for name in pickle.imports))
    if file.strange_types:
        names = ", ".join(file.strange_types[:5])
        words = Text(
            en=f"{file.name} holds types that nobody here trusts: {names}",
            ja=f"{file.name} に信頼されていない型が含まれています: {names}",
        )
    elif "cannot-look-inside" in file.notes:
        words = Text(
            en=f"{file.name} is compressed so that nobody here can look inside, as joblib compresses pickles",
            ja=f"{file.name} は中身を確認できない圧縮形式です（joblib が pickle に使う形式）",
        )
    else:
        names = f" ({', '.join(imports[:5])})" if imports else ""
        words = Text(
            en=f"{file.name} ({file.content}) runs code when it is read{names}",
            ja=f"{file.name}（{file.content}）は、読み込むだけでコードが実行されます{names}",
        )
    return holds(not file.runs_code, words)


def _wrong_name(file: FileLook) -> Finding:
    if file.content == "unknown":
        words = Text(
            en=f"{file.name} is not whole, or not what its name says",
            ja=f"{file.name} は途中で切れているか、名前と中身が違います",
        )
    else:
        words = Text(
            en=f"{file.name} is not what its name says: its content is {file.content}",
            ja=f"{file.name} の中身は名前と違い、{file.content} です",
        )
    return holds(file.as_promised, words)


def _not_whole(file: FileLook) -> Finding:
    return holds(
        file.whole,
        Text(
            en=f"{file.name} ({file.content}, {file.size:,} bytes) is damaged or cut off",
            ja=f"{file.name}（{file.content}、{file.size:,} バイト）は壊れているか、途中で切れています",
        ),
    )


def _note(file: FileLook, note: str) -> Finding:
    words = NOTES[note]
    return holds(note not in NOTES, Text(en=f"{file.name} {words.en}", ja=f"{file.name}: {words.ja}"))


def _link(name: str) -> Finding:
    return holds(
        not name,
        Text(
            en=f"{name} is a link, whose target can change without the artifact changing",
            ja=f"{name} はリンクで、成果物を変えずに中身を差し替えられてしまいます",
        ),
    )


def _sum(words: str) -> Finding:
    return holds(
        not words,
        Text(
            en=f"the bytes are not what the manifest says: {words}",
            ja=f"ファイルの内容がマニフェストと一致しません: {words}",
        ),
    )


def _loading(each: Loading) -> Finding:
    if each.loads is None:
        words = Text(
            en=f"no library here reads {each.name}, so nobody has seen it load",
            ja=f"{each.name} を読めるライブラリーがなく、読み込みを確認できません",
        )
    else:
        words = Text(
            en=f"{each.name} does not load in a process of its own: {each.fault}",
            ja=f"{each.name} を別プロセスで読み込めません: {each.fault}",
        )
    return holds(each.loads, words)


def _accepted(found: ModelFormat) -> Finding:
    models = _models(found)
    if models:
        names = ", ".join(f"{file.name} ({file.content})" for file in models)
        words = Text(
            en=f"{names}: no code runs when it is read",
            ja=f"{names}: 読み込み時にコードを実行しない形式です",
        )
    else:
        contents = ", ".join(f"{file.name} ({file.content})" for file in found.files[:5])
        words = Text(
            en=f"there is no model in a format that runs no code: {contents}",
            ja=f"コードを実行しない形式のモデルがありません: {contents}",
        )
    return holds(bool(models), words)


def _models(found: ModelFormat) -> list[FileLook]:
    """Return the files that hold a model: plain arrays only where nothing else does, and never a reference set."""
    accepted = [file for file in found.files if file.accepted and not file.runs_code]
    others = [file for file in accepted if file.content != "NumPy arrays"]
    return others or [file for file in accepted if not file.name.startswith("reference")]


def _golden(rows: int, wrong: int) -> Finding:
    if wrong:
        words = Text(
            en=f"{wrong} of {rows} golden rows are answered otherwise than when the model was packed",
            ja=f"ゴールデン行 {rows} 件のうち {wrong} 件で、パック時と答えが違います",
        )
    else:
        words = Text(
            en=f"all {rows} golden rows are answered as when it was packed",
            ja=f"ゴールデン行 {rows} 件すべてで、パック時と同じ答えになります",
        )
    return holds(wrong == 0, words)


# How it looks


def _file(
    name: str, content: str, *, runs_code: bool = False, as_promised: bool = True, whole: bool = True
) -> FileLook:
    return FileLook(
        name=name,
        size=48_211,
        content=content,
        accepted=content in {"ONNX", "skops"},
        as_promised=as_promised,
        runs_code=runs_code,
        whole=whole,
        pickles=(),
        strange_types=(),
        notes=(),
    )


def _folder(*files: FileLook, golden_wrong: int = 0, broken_sums: tuple[str, ...] = ()) -> ModelFormat:
    safe = all(file.accepted for file in files)
    return ModelFormat(
        files=files,
        links=(),
        broken_sums=broken_sums,
        summed=True,
        loading=(Loading(name="artifact", loads=True, fault=None),) if safe else (),
        golden_rows=64 if safe else None,
        golden_wrong=golden_wrong if safe else None,
        digest="0" * 64,
    )


_HOSTILE = PickleInside(place="", imports=("posix.system",), calls=1, opcodes=9)

model_format.passes(_folder(_file("model.onnx", "ONNX"), _file("model.skops", "skops")))
model_format.fails(_folder(replace(_file("model.pkl", "pickle", runs_code=True), pickles=(_HOSTILE,))))
model_format.fails(_folder(replace(_file("model.onnx", "pickle", runs_code=True, as_promised=False))))
model_format.fails(_folder(_file("model.onnx", "unknown", as_promised=False)))
model_format.fails(_folder(_file("model.onnx", "ONNX"), broken_sums=("model.onnx: its digest is another one",)))
model_format.fails(_folder(_file("model.onnx", "ONNX"), golden_wrong=3))
