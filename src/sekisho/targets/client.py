"""Target: clients of the service that run as they are, with a row that this very model takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from sekisho.serving.open_inference.datatypes import BF16, BYTES, DTYPES, usual
from sekisho.serving.schema import example_row
from sekisho.targets.interface import GeneratedFile, Generator
from sekisho.targets.parts.header import header
from sekisho.targets.parts.templates import Comment, fill
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.artifact.column import Scalar
    from sekisho.artifact.signature import Feature
    from sekisho.targets.interface import Plan

_PYTHON: Final = Text(
    en="A client of the service that needs nothing but Python.\n\n    SEKISHO_KEY=… SEKISHO_URL={url} python client.py",
    ja="Python だけで動くクライアントです。\n\n    SEKISHO_KEY=… SEKISHO_URL={url} python client.py",
)
_SHELL: Final = Text(
    en="The service asked with curl.\n\n    SEKISHO_KEY=… SEKISHO_URL={url} sh client.sh",
    ja="curl で問い合わせる例です。\n\n    SEKISHO_KEY=… SEKISHO_URL={url} sh client.sh",
)
_OIP: Final = Text(
    en="The Open Inference Protocol over {transport}, by Triton's client: pip install 'tritonclient[{transport}]'\n\n"
    "    SEKISHO_KEY=… {variable}={address} python {name}",
    ja="Triton のクライアントによる Open Inference Protocol ({transport}) の例です: pip install 'tritonclient[{transport}]'\n\n"
    "    SEKISHO_KEY=… {variable}={address} python {name}",
)
_ROW: Final = Text(
    en="A row that the model takes: what it was trained on is like this.", ja="モデルが受け付ける行の例です。"
)
_TENSORS: Final = Text(
    en="One tensor a feature: name, datatype, dtype of NumPy, a value like those of training.",
    ja="特徴量ごとに1つのテンソル: 名前、データ型、NumPy の dtype、値の例。",
)
_ONE: Final = Text(en="One row.", ja="1行。")
_MANY: Final = Text(en="Several rows at once.", ja="複数行をまとめて。")
_REFUSED: Final = Text(
    en="The service refused: the problem says which field, which row, and what was expected.",
    ja="サービスが拒否しました。項目・行・期待される内容は problem にあります。",
)
_ASK: Final = Text(
    en="Send one request and return what came back; raises Refused.",
    ja="1件送って応答を返します。拒否されれば Refused。",
)
_PREDICT: Final = Text(
    en="Return what the model answers to one row: a mapping of features.", ja="1行 (特徴量の辞書) への答えを返します。"
)
_PREDICT_MANY: Final = Text(en="Return what it answers to several rows, in order.", ja="複数行への答えを順に返します。")
_INPUTS: Final = Text(en="Return the tensors of so many rows.", ja="指定した行数のテンソルを返します。")


def _render(plan: Plan) -> tuple[GeneratedFile, ...]:
    contract = plan.project.contract
    url = contract.serving.url or f"http://127.0.0.1:{contract.serving.port or 8000}"
    with_token = contract.security.authentication == "token"
    shared: dict[str, Any] = {
        "header": header(plan, "client"),
        "url": url,
        "key_header": "Authorization" if with_token else contract.security.key_header,
        "key_prefix": "Bearer " if with_token else "",
    }
    row = example_row(plan.artifact.signature)
    body = {"features": row}
    files = [
        GeneratedFile(path="client.py", content=_python(shared, url, row)),
        GeneratedFile(path="client.sh", content=_shell(shared, url, body), mode=0o755),
        _tensor_client(plan, shared, "http", urlsplit(url).netloc, row),
    ]
    if contract.serving.grpc_port is not None:
        address = f"{urlsplit(url).hostname}:{contract.serving.grpc_port}"
        files.append(_tensor_client(plan, shared, "grpc", address, row))
    return tuple(files)


def _python(shared: dict[str, Any], url: str, row: dict[str, Scalar]) -> bytes:
    return fill(
        "client.py.j2",
        **shared,
        how=_comment(_PYTHON, url=url),
        about_row=Comment(_ROW),
        row=row,
        docstring_refused=_docstring(_REFUSED),
        docstring_ask=_docstring(_ASK),
        docstring_predict=_docstring(_PREDICT),
        docstring_many=_docstring(_PREDICT_MANY),
    ).encode()


def _shell(shared: dict[str, Any], url: str, body: dict[str, Any]) -> bytes:
    return fill(
        "client.sh.j2",
        header=shared["header"],
        how=_comment(_SHELL, url=url),
        url=url,
        key_field=f"{shared['key_header']}: {shared['key_prefix']}",
        about_one=Comment(_ONE),
        about_many=Comment(_MANY),
        one=msgspec.json.encode(body).decode(),
        many=msgspec.json.encode([body, body]).decode(),
    ).encode()


def _tensor_client(
    plan: Plan, shared: dict[str, Any], transport: str, address: str, row: dict[str, Scalar]
) -> GeneratedFile:
    artifact = plan.artifact
    name = f"oip_{transport}.py"
    variable = f"SEKISHO_{transport.upper()}"
    each = artifact.signature.output.outputs
    # Metadata of gRPC is written in lower case.
    given = shared | {"key_header": shared["key_header"].lower() if transport == "grpc" else shared["key_header"]}
    given.pop("url")
    content = fill(
        "oip_client.py.j2",
        **given,
        how=_comment(_OIP, transport=transport, variable=variable, address=address, name=name),
        transport=_Bare(transport),
        address_variable=variable,
        address=address,
        model=artifact.name,
        about_tensors=Comment(_TENSORS),
        tensors=[_tensor(feature, row[feature.name]) for feature in artifact.signature.features],
        docstring_inputs=_docstring(_INPUTS),
        output=f"prediction_{each[0].name}" if each else "prediction",
    )
    return GeneratedFile(path=name, content=content.encode())


def _tensor(feature: Feature, cell: Scalar) -> dict[str, Any]:
    datatype = usual(feature)
    assert datatype != BF16
    value: Any = cell
    if cell is None:
        # A floating-point NaN is a null; the other datatypes have none, so something plain stands here.
        value = {"FP64": float("nan"), BYTES: "", "BOOL": False}.get(datatype, 0)
    dtype = "object_" if datatype == BYTES else "bool_" if datatype == "BOOL" else str(DTYPES[datatype].name)
    shown = _Bare('float("nan")') if value != value else value
    return {"name": feature.name, "datatype": datatype, "dtype": _Bare(dtype), "value": shown}


class _Bare(Comment):
    """A word of ours, which stands as it is."""

    def __init__(self, word: str) -> None:
        self.text = word


def _docstring(words: Text) -> _Bare:
    return _Bare(f'"""{words}"""')


def _comment(words: Text, **values: str) -> Comment:
    said = str(words)
    for name, value in values.items():
        said = said.replace(f"{{{name}}}", value)
    return Comment(said)


generator = Generator(
    id="client",
    title=Text(
        en="Clients that run: Python, curl, the Open Inference Protocol",
        ja="すぐに動くクライアント: Python、curl、Open Inference Protocol",
    ),
    folder="clients",
    render=_render,
    following=Text(
        en="python {folder}/client.py, while the service runs",
        ja="サービスの起動中に python {folder}/client.py を実行してください",
    ),
)
