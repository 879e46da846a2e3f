"""What can go wrong with a request, as problem details (RFC 9457).

Each problem has a stable code and a fixed status. Its words say what was expected, and never hold what was sent, the text of an
exception, or a path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from sekisho.text import Language, Text

if TYPE_CHECKING:
    from sekisho.errors import InvalidInput, ModelFailed

MEDIA_TYPE: Final = b"application/problem+json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of problem.

    Attributes:
        code: Its stable name.
        status: The HTTP status.
        title: What it is.

    """

    code: str
    status: int
    title: Text


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What went wrong with one request.

    Attributes:
        kind: Its kind.
        detail: What is wrong here.
        expected: What to send or do instead.
        row: The index of the row.
        field: The name of the feature.
        fields: Header fields of the answer, such as ``Retry-After``.

    """

    kind: Kind
    detail: Text | None = None
    expected: Text | None = None
    row: int | None = None
    field: str | None = None
    fields: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.kind.status


KINDS: Final[dict[str, Kind]] = {}
"""Every kind of problem, by code."""


def _kind(code: str, status: int, en: str, ja: str) -> Kind:
    return KINDS.setdefault(code, Kind(code=code, status=status, title=Text(en=en, ja=ja)))


# The request as HTTP sees it.
MALFORMED_HTTP = _kind(
    "malformed_http", 400, "The request is not valid HTTP/1.1", "HTTP/1.1 として正しくないリクエストです"
)
INVALID_HOST = _kind(
    "invalid_host", 400, "The Host header is missing or not accepted", "Host ヘッダーがないか、受け付けられません"
)
INCOMPLETE_BODY = _kind("incomplete_body", 400, "The body ended early", "本文が途中で終わりました")
KEY_MISSING = _kind("key_missing", 401, "An API key or a token is needed", "API キーまたはトークンが必要です")
KEY_UNKNOWN = _kind("key_unknown", 401, "The API key is not accepted", "API キーが認められません")
TOKEN_INVALID = _kind("token_invalid", 401, "The token is not accepted", "トークンが認められません")
SCOPE_MISSING = _kind(
    "scope_missing", 403, "The key or token may not do this", "このキーまたはトークンにはその権限がありません"
)
INVALID_DEADLINE = _kind(
    "invalid_deadline",
    400,
    "The time that the caller waits is not a number of milliseconds",
    "待ち時間の指定が正しくありません",
)
NOT_FOUND = _kind("not_found", 404, "There is no such route", "そのようなルートはありません")
UNKNOWN_REQUEST = _kind(
    "unknown_request",
    404,
    "There is no such request in the book of predictions",
    "そのリクエストは予測台帳にありません",
)
UNKNOWN_ROW = _kind("unknown_row", 404, "The request had no such row", "リクエストにその行はありません")
NO_SUCH_VERSION = _kind(
    "no_such_version", 404, "There is no such version of the model", "そのバージョンのモデルはありません"
)
METHOD_NOT_ALLOWED = _kind(
    "method_not_allowed", 405, "The route does not take this method", "このルートでは使えないメソッドです"
)
NOT_ACCEPTABLE = _kind(
    "not_acceptable", 406, "The answer cannot be what is asked for", "求められた形式では応答できません"
)
REQUEST_TIMEOUT = _kind(
    "request_timeout", 408, "The request took too long to arrive", "リクエストの受信に時間がかかりすぎました"
)
NO_LEDGER = _kind(
    "no_ledger", 409, "The service keeps no book of predictions", "このサービスは予測台帳を記録していません"
)
CHANGE_REFUSED = _kind(
    "change_refused",
    409,
    "The version must not answer; the one before serves on",
    "このバージョンには切り替えられません。現在のバージョンが提供を続けます",
)
BODY_TOO_LARGE = _kind("body_too_large", 413, "The body is too large", "本文が大きすぎます")
TOO_MANY_ROWS = _kind("too_many_rows", 413, "The request has too many rows", "行数が多すぎます")
TARGET_TOO_LONG = _kind("target_too_long", 414, "The request target is too long", "リクエスト先が長すぎます")
UNSUPPORTED_MEDIA_TYPE = _kind(
    "unsupported_media_type", 415, "The media type is not accepted", "受け付けられないメディアタイプです"
)
UNSUPPORTED_ENCODING = _kind(
    "unsupported_encoding", 415, "The body is compressed in a way that is not accepted", "受け付けられない圧縮形式です"
)
EXPECTATION_FAILED = _kind("expectation_failed", 417, "The expectation cannot be met", "Expect の条件を満たせません")
RATE_LIMITED = _kind("rate_limited", 429, "Too many requests", "リクエストが多すぎます")
TOO_MANY_GUESSES = _kind(
    "too_many_guesses", 429, "Too many wrong keys from this address", "誤ったキーの試行が多すぎます"
)
HEAD_TOO_LARGE = _kind("head_too_large", 431, "The header fields are too large", "ヘッダーが大きすぎます")
INTERNAL = _kind("internal_error", 500, "The service failed", "サービス内部で問題が起きました")
UNKNOWN_METHOD = _kind("unknown_method", 501, "The method is not known", "未知のメソッドです")
NOT_READY = _kind("not_ready", 503, "The model is not ready", "モデルの準備ができていません")
TOKENS_UNREADABLE = _kind(
    "tokens_unreadable", 503, "Tokens cannot be checked at the moment", "今はトークンを検証できません"
)
LIMITS_UNKNOWN = _kind(
    "limits_unknown", 503, "Limits cannot be looked up at the moment", "今はレート制限を確認できません"
)
LEDGER_UNAVAILABLE = _kind(
    "ledger_unavailable",
    503,
    "The book of predictions cannot be written at the moment",
    "今は予測台帳に書き込めません",
)
CHANGE_INTERRUPTED = _kind(
    "change_interrupted",
    503,
    "The change was interrupted; ask again",
    "切り替えが中断されました。もう一度試してください",
)
OVERLOADED = _kind("overloaded", 503, "The service is overloaded", "サービスが混み合っています")
DRAINING = _kind("draining", 503, "The service is shutting down", "サービスは終了処理中です")
VERSION_NOT_SUPPORTED = _kind(
    "version_not_supported", 505, "The HTTP version is not supported", "対応していない HTTP バージョンです"
)

# What the body says.
MALFORMED_JSON = _kind("malformed_json", 400, "The body is not JSON in UTF-8", "本文が UTF-8 の JSON ではありません")
MALFORMED_CSV = _kind("malformed_csv", 400, "The body is not CSV in UTF-8", "本文が UTF-8 の CSV ではありません")
MALFORMED_TABLE = _kind(
    "malformed_table", 400, "The body is not a table of the stated format", "本文が指定の形式の表ではありません"
)
MALFORMED_TENSOR = _kind(
    "malformed_tensor", 400, "A tensor does not hold what it says", "テンソルの内容が宣言と一致しません"
)
MALFORMED_ENCODING = _kind("malformed_encoding", 400, "The body cannot be unpacked", "圧縮された本文を展開できません")
DUPLICATE_KEY = _kind(
    "duplicate_key", 400, "A JSON object names a key twice", "JSON オブジェクトのキーが重複しています"
)
_INPUT: Final = {
    "wrong_type": Text(en="A value has the wrong type", ja="値の型が違います"),
    "missing_field": Text(en="A field is missing", ja="項目が足りません"),
    "unknown_field": Text(en="A field is not known", ja="未知の項目があります"),
    "missing_feature": Text(en="A feature is missing", ja="特徴量が足りません"),
    "unknown_feature": Text(en="A feature is not known", ja="未知の特徴量があります"),
    "wrong_count": Text(en="The number of values is wrong", ja="値の個数が違います"),
    "no_rows": Text(en="The request has no rows", ja="行がありません"),
    "null_not_allowed": Text(en="A value is null that may not be", ja="null にできない値が null です"),
    "not_finite": Text(en="A number is too large", ja="数値が大きすぎます"),
    "not_exact": Text(en="A number cannot be represented exactly", ja="正確に表現できない数値があります"),
    "too_long": Text(en="A string is too long", ja="文字列が長すぎます"),
    "invalid_datetime": Text(en="A date-time does not exist", ja="存在しない日時です"),
    "out_of_range": Text(en="A value is outside the range of training", ja="学習時の範囲の外の値です"),
    "unseen_category": Text(en="A category was never seen in training", ja="学習時に現れなかったカテゴリです"),
    "unknown_class": Text(en="The outcome is not one of the classes", ja="結果がクラスのどれでもありません"),
}
for _code, _title in _INPUT.items():
    _kind(_code, 422, _title.en, _title.ja)
INPUT_CODES: Final = tuple(_INPUT)
"""The codes of rows that do not fit the signature."""

# What the model did.
MODEL_FAILED = _kind("model_failed", 500, "The model failed", "モデルが失敗しました")
INVALID_OUTPUT = _kind(
    "invalid_output", 500, "The model gave an answer that cannot be", "モデルがあり得ない答えを返しました"
)
MODEL_DIED = _kind("model_died", 503, "The process of the model died", "モデルのプロセスが落ちました")
ROWS_QUARANTINED = _kind(
    "rows_quarantined",
    503,
    "These rows have ended the process of the model again and again",
    "この行はモデルのプロセスを繰り返し落としています",
)
DEADLINE_EXCEEDED = _kind(
    "deadline_exceeded", 504, "The model did not answer in time", "モデルが時間内に応答しませんでした"
)


def of_input(error: InvalidInput) -> Problem:
    """Return the problem of rows that do not fit."""
    return Problem(kind=KINDS[error.code], detail=error.what, expected=error.remedy, row=error.row, field=error.field)


def of_model(error: ModelFailed) -> Problem:
    """Return the problem of a model that failed; of what it said, nothing leaves the service."""
    kind = KINDS.get(error.code, MODEL_FAILED)
    return Problem(kind=kind, fields=retry_after(1) if kind.status == 503 else ())


def retry_after(seconds: int) -> tuple[tuple[bytes, bytes], ...]:
    """Return the header field that says when to try again."""
    return ((b"retry-after", str(max(1, seconds)).encode()),)


def encode(problem: Problem, *, language: Language, request_id: str) -> bytes:
    """Return the body of the answer."""
    return msgspec.json.encode(_members(problem, language, request_id))


def encode_open_inference(problem: Problem, *, language: Language, request_id: str) -> bytes:
    """Return the body of the answer as the Open Inference Protocol has it: the same, with a sentence as ``error``."""
    said = [text.of(language) for text in (problem.detail or problem.kind.title, problem.expected) if text is not None]
    if problem.field is not None:
        said[0] = f"{problem.field}: {said[0]}"
    return msgspec.json.encode({"error": " → ".join(said), **_members(problem, language, request_id)})


def _members(problem: Problem, language: Language, request_id: str) -> dict[str, object]:
    members: dict[str, object] = {
        "type": f"/docs#{problem.kind.code}",
        "title": problem.kind.title.of(language),
        "status": problem.kind.status,
        "code": problem.kind.code,
        "request_id": request_id,
    }
    if problem.detail is not None:
        members["detail"] = problem.detail.of(language)
    if problem.expected is not None:
        members["expected"] = problem.expected.of(language)
    if problem.row is not None:
        members["row"] = problem.row
    if problem.field is not None:
        members["field"] = problem.field
    return members
