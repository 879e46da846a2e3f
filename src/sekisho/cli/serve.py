"""``sekisho serve``: the inference service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sekisho.artifact.registry.names import looks_like_reference
from sekisho.artifact.registry.opening import location_of
from sekisho.cli.options import FiniteRange, trust_options
from sekisho.cli.registries import opened_project, registry_options
from sekisho.contract.loader import load_project
from sekisho.contract.sections import Monitoring
from sekisho.errors import WrongUse
from sekisho.ledger.address import is_url, without_password
from sekisho.serving.contracted import artifacts as served
from sekisho.serving.contracted import contracted
from sekisho.serving.guards.interface import SCOPES, Scope
from sekisho.serving.guards.keys import new_key
from sekisho.serving.settings import settings_of
from sekisho.serving.supervisor import serve
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.serving.sources import Given

HELP = Text(
    en="""Serve artifacts over HTTP: folders, or versions NAME@VERSION or NAME@ALIAS of the registry.

    Several are served side by side; NAME=ARTIFACT says what callers call each, and the first answers where no name is said. Without
    ARTIFACT, what is served and the settings are those of the contract (sekisho.toml) in this folder or in -C; options given here come
    first. Without a key file only this machine can ask. The log goes to standard output, one JSON object a line.

    The live version of a model can be changed while it is served: --follow, a call with a key of scope admin, or SIGHUP, which looks anew
    where each ARTIFACT leads. No request is lost, and a version that is broken is refused.

    \b
    Routes: /predict /predict/batch /invocations /feedback /model/info
            /health /health/live /health/ready /ping /v2/... /metrics /docs /openapi.json
            /models /models/NAME/predict /models/NAME/versions/VERSION/predict ...
            /models/NAME/activate /models/NAME/rollback /models/NAME/reload

    \b
    Example:
      sekisho serve artifact
      sekisho serve churn@champion --follow --key-file keys
      sekisho serve fraud=artifacts/fraud churn=churn@champion
      sekisho serve --new-key my-app >> keys
      sekisho serve artifact --host 0.0.0.0 --key-file keys --workers 4 --ledger predictions.sqlite

    Exit codes: 0 ended as told (SIGTERM), 130 (Ctrl-C), 2 wrong use, 3 could not run.
    """,
    ja="""成果物を HTTP で提供します。フォルダー、またはレジストリの NAME@VERSION・NAME@ALIAS を指定します。

    複数を同時に提供できます。NAME=ARTIFACT で呼び出し名を付けられ、名前のない要求には先頭のものが応答します。ARTIFACT を省略すると、
    このフォルダー (または -C) の契約 (sekisho.toml) にある成果物と設定を使います。ここで指定したオプションが優先されます。鍵ファイルが
    なければ、このマシンからしか利用できません。ログは標準出力に1行1つの JSON で出ます。

    提供したままバージョンを切り替えられます。--follow、スコープ admin の鍵による呼び出し、または SIGHUP (各 ARTIFACT の指す先を
    見直す) を使います。リクエストは1つも失われず、壊れたバージョンは拒否されます。

    \b
    ルート: /predict /predict/batch /invocations /feedback /model/info
            /health /health/live /health/ready /ping /v2/... /metrics /docs /openapi.json
            /models /models/NAME/predict /models/NAME/versions/VERSION/predict ...
            /models/NAME/activate /models/NAME/rollback /models/NAME/reload

    \b
    例:
      sekisho serve artifact
      sekisho serve churn@champion --follow --key-file keys
      sekisho serve fraud=artifacts/fraud churn=churn@champion
      sekisho serve --new-key my-app >> keys
      sekisho serve artifact --host 0.0.0.0 --key-file keys --workers 4 --ledger predictions.sqlite

    終了コード: 0 指示どおり終了 (SIGTERM)、130 (Ctrl-C)、2 使い方の誤り、3 実行できず。
    """,
)
PROJECT = Text(
    en="The folder that holds sekisho.toml, or the file itself: its settings, and its artifact if there is no ARTIFACT",
    ja="sekisho.toml のあるフォルダー、またはそのファイル。設定と、ARTIFACT を省略したときの成果物に使う",
)
HOST = Text(en="Address to listen on [default: 127.0.0.1]", ja="待ち受けるアドレス [既定値: 127.0.0.1]")
PORT = Text(
    en="Port to listen on, 0 for a free one [default: 8000]", ja="待ち受けるポート。0 なら空きポート [既定値: 8000]"
)
GRPC_PORT = Text(
    en="Port for the Open Inference Protocol over gRPC [default: none]",
    ja="gRPC (Open Inference Protocol) のポート [既定値: なし]",
)
CERTIFICATE = Text(
    en="Certificate chain in PEM: speak TLS, 1.2 or newer", ja="証明書チェーン (PEM)。TLS 1.2 以上で通信する"
)
PRIVATE_KEY = Text(en="Its private key in PEM", ja="その秘密鍵 (PEM)")
AUTHORITY = Text(
    en="Authority that must have signed the callers' certificates (mutual TLS)",
    ja="呼び出し元の証明書に署名する認証局 (相互 TLS)",
)
NO_TLS = Text(
    en="Speak plain HTTP although the contract names a certificate", ja="契約に証明書があっても平文の HTTP で通信する"
)
NO_TOKENS = Text(
    en="Ask for no tokens although the contract names their issuer: a platform has authenticated the callers",
    ja="契約に発行者があってもトークンを求めない。プラットフォームが認証を済ませている場合に使う",
)
WORKERS = Text(en="Processes that answer [default: 1]", ja="応答するプロセスの数 [既定値: 1]")
KEY_FILE = Text(en="File of API keys, read again when it changes", ja="API キーのファイル。変更すると読み直す")
TOKEN_KEYS = Text(
    en="Take bearer tokens: the public keys of whoever issues them, a JWK set as a file or an https address",
    ja="ベアラートークンも受け付ける。発行者の公開鍵 (JWK セット) のファイルまたは https の URL",
)
TOKEN_ISSUER = Text(en="Who must have issued a token (iss)", ja="トークンの発行者 (iss)")
TOKEN_AUDIENCE = Text(en="Whom a token must be for (aud)", ja="トークンの宛先 (aud)")
PROXY = Text(
    en="Network of a proxy before the service, which is believed about its callers' addresses; may be given several times",
    ja="サービスの手前にあるプロキシのネットワーク。呼び出し元アドレスの申告を信用する。複数指定可",
)
OPEN = Text(
    en="Let everybody who reaches the port ask: callers are authenticated before they get here",
    ja="ポートに届く全員に応答する。呼び出し元の認証を手前で済ませている場合に使う",
)
LEDGER = Text(
    en="SQLite file, or postgresql:// database, to write predictions to",
    ja="予測を記録する SQLite ファイル、または postgresql:// の URL",
)
DURABILITY = Text(
    en="Answer at once, and lose at most 0.2 s of predictions when killed; or answer once they are written [default: window]",
    ja="すぐ応答するか (強制終了時に最大0.2秒分を失う)、記録し終えてから応答するか [既定値: window]",
)
BOOK_DOWN = Text(
    en="Go on answering while predictions cannot be written, or refuse [default: serve]",
    ja="予測を記録できない間、応答を続けるか断るか [既定値: serve]",
)
RATE = Text(
    en="Requests per second and key, over all workers; ten rows of a batch count as one more",
    ja="キーごとの毎秒リクエスト数 (全ワーカー合計)。バッチは10行ごとに1件と数える",
)
BURST = Text(en="Requests that one key may send at once", ja="1つのキーが一度に送れるリクエスト数")
STORE = Text(
    en="Redis (redis://, rediss://) that keeps these limits over several machines",
    ja="複数のマシンにまたがって上限を保つ Redis (redis://、rediss://)",
)
DEADLINE = Text(en="How long a request may take, in milliseconds", ja="1リクエストの制限時間 (ミリ秒)")
KEYS = Text(
    en="A public key, or a list of them, whose signature of the artifact counts; may be given several times",
    ja="成果物の署名を信頼する公開鍵、またはその一覧。複数指定可",
)
REQUIRED = Text(
    en="Serve only an artifact that one of these keys has signed", ja="これらの鍵で署名された成果物だけを提供する"
)
PASS_REQUIRED = Text(
    en="Serve only an artifact that the checkpoint has let through, with a pass that one of these keys has signed",
    ja="関所を通過し、これらの鍵で署名された通行証のある成果物だけを提供する",
)
PASSES = Text(
    en="A pass, or a folder that holds passes; may be given several times",
    ja="通行証、またはそのフォルダー。複数指定可",
)
DEFAULT = Text(
    en="The model that answers where no name is said [default: the first]",
    ja="名前のない要求に応答するモデル [既定値: 先頭のもの]",
)
FOLLOW = Text(
    en="Follow the aliases of the registry: where one moves, the version that it stands for takes over",
    ja="レジストリのエイリアスに追従する。移った先のバージョンに、稼働したまま切り替える",
)
MISMATCH = Text(
    en="What to do with a model that other versions of its libraries have saved [default: refuse]",
    ja="保存時とライブラリのバージョンが異なるモデルの扱い [既定値: refuse]",
)
NO_WATCH = Text(en="Do not watch the predictions for drift", ja="予測のドリフトを監視しない")
NEW_KEY = Text(
    en="Make an API key called ID: its line for the key file goes to standard output, the key itself to standard error; then end",
    ja="ID という名前の API キーを作る。鍵ファイル用の行を標準出力に、キー本体を標準エラーに出して終了する",
)
SCOPE = Text(
    en="What the new key may do; may be given several times [default: predict]",
    ja="新しいキーに許すこと。複数指定可 [既定値: predict]",
)
KEEP = Text(
    en="Keep this key; it is shown once and stored nowhere:",
    ja="このキーは今だけ表示され、どこにも保存されません。控えてください:",
)
SERVING = Text(en="Serving at {}  (Ctrl-C ends)", ja="{} で提供中です (Ctrl-C で終了)")


@click.command(help=str(HELP))
@click.argument("artifacts", metavar="[[NAME=]ARTIFACT]...", nargs=-1)
@click.option("-C", "--project", type=click.Path(path_type=Path), metavar="DIR", help=str(PROJECT))
@registry_options
@click.option("--default", "default_model", metavar="NAME", help=str(DEFAULT))
@click.option("--follow", is_flag=True, default=None, help=str(FOLLOW))
@click.option("--host", metavar="ADDRESS", help=str(HOST))
@click.option("--port", type=click.IntRange(0, 65_535), help=str(PORT))
@click.option("--grpc-port", type=click.IntRange(1, 65_535), help=str(GRPC_PORT))
@click.option("--certificate", type=click.Path(path_type=Path), metavar="FILE", help=str(CERTIFICATE))
@click.option("--private-key", type=click.Path(path_type=Path), metavar="FILE", help=str(PRIVATE_KEY))
@click.option("--client-authority", type=click.Path(path_type=Path), metavar="FILE", help=str(AUTHORITY))
@click.option("--no-tls", is_flag=True, help=str(NO_TLS))
@click.option("--workers", type=click.IntRange(1, 256), help=str(WORKERS))
@click.option("--key-file", type=click.Path(path_type=Path), metavar="FILE", help=str(KEY_FILE))
@click.option("--token-keys", metavar="FILE|URL", help=str(TOKEN_KEYS))
@click.option("--token-issuer", metavar="NAME", help=str(TOKEN_ISSUER))
@click.option("--token-audience", metavar="NAME", help=str(TOKEN_AUDIENCE))
@click.option("--no-tokens", is_flag=True, help=str(NO_TOKENS))
@click.option("--trusted-proxy", "trusted_proxies", metavar="NETWORK", multiple=True, help=str(PROXY))
@click.option("--open", is_flag=True, default=None, help=str(OPEN))
@click.option("--ledger", metavar="FILE|URL", help=str(LEDGER))
@click.option("--ledger-durability", type=click.Choice(["window", "durable"]), help=str(DURABILITY))
@click.option("--ledger-down", type=click.Choice(["serve", "refuse"]), help=str(BOOK_DOWN))
@click.option("--rate-limit", type=FiniteRange(min=0, min_open=True), metavar="N", help=str(RATE))
@click.option("--burst", type=click.IntRange(min=1), metavar="N", help=str(BURST))
@click.option("--rate-store", metavar="URL", help=str(STORE))
@click.option("--deadline-ms", type=click.IntRange(1, 600_000), metavar="N", help=str(DEADLINE))
@trust_options
@click.option(
    "--trusted-key",
    "trusted_keys",
    type=click.Path(path_type=Path),
    metavar="FILE",
    multiple=True,
    help=str(KEYS),
)
@click.option("--require-signature", is_flag=True, default=None, help=str(REQUIRED))
@click.option("--require-pass", is_flag=True, default=None, help=str(PASS_REQUIRED))
@click.option("--pass", "passes", type=click.Path(path_type=Path), metavar="PATH", multiple=True, help=str(PASSES))
@click.option("--library-mismatch", type=click.Choice(["refuse", "warn"]), help=str(MISMATCH))
@click.option("--no-watch", is_flag=True, help=str(NO_WATCH))
@click.option("--new-key", "key_id", metavar="ID", help=str(NEW_KEY))
@click.option("--scope", "scopes", type=click.Choice(SCOPES), multiple=True, help=str(SCOPE))
def command(
    artifacts: tuple[str, ...],
    project: Path | None,
    registry: str | None,
    endpoint_url: str | None,
    *,
    no_tls: bool,
    no_tokens: bool,
    no_watch: bool,
    key_id: str | None,
    scopes: tuple[Scope, ...],
    **given: Any,
) -> None:
    """Serve an artifact, or make a key."""
    if key_id is not None:
        print_key(key_id, scopes or ("predict",))
        return
    stated: dict[str, Any] = from_registry(artifacts, project, registry)
    monitoring = Monitoring()
    if not artifacts or project is not None:
        opened = load_project(project or Path())
        artifacts = artifacts or tuple(f"{name}={place}" if name else place for name, place in served(opened).items())
        stated |= contracted(opened)
        monitoring = opened.contract.monitoring
    if no_tls:
        stated |= dict.fromkeys(("certificate", "private_key", "client_authority"))
    if no_tokens:
        stated |= dict.fromkeys(("token_keys", "token_issuer", "token_audience"))
    named = {name: value for name, value in given.items() if value not in (None, ())}
    if not no_watch:
        stated["watcher"] = watcher_of(named.get("ledger") or stated.get("ledger"), monitoring)
    settings = settings_of(**stated | named, registry_endpoint=endpoint_url)
    serve(artifacts_of(artifacts), settings, on_ready=announce)


def print_key(key_id: str, scopes: tuple[Scope, ...]) -> None:
    """Make a key; its line goes to standard output, so that it can be appended to a key file."""
    secret, line = new_key(key_id, scopes)
    click.echo(line)
    click.echo(f"{KEEP} {secret}", err=True)


def from_registry(artifacts: Sequence[str], project: Path | None, registry: str | None) -> dict[str, Any]:
    """Return where versions come from, and whose signatures the contract here asks for, if any of them is to come from a registry."""
    here = opened_project(project or Path())
    stated: dict[str, Any] = {"registry": location_of(here, registry)}
    if here is not None and any(looks_like_reference(word.partition("=")[2] or word) for word in artifacts):
        security = here.contract.security
        stated["trusted_keys"] = tuple(here.path(name) for name in security.trusted_keys)
        stated["require_signature"] = security.require_signature
    return stated


def artifacts_of(words: Sequence[str]) -> list[Given] | dict[str, Given]:
    """Return what is to be served: as it is called, or by the names that are given as ``NAME=ARTIFACT``.

    Raises:
        WrongUse: Some have names and others have not, or a name stands twice.

    """
    parts = [("", word) if Path(word).exists() else _parted(word) for word in words]
    names = [name for name, _ in parts if name]
    if not names:
        return [place for _, place in parts]
    if len(set(names)) < len(parts):
        raise WrongUse(
            Text(
                en="either every artifact has a name of its own, or none has",
                ja="名前は、すべての成果物に別々に付けるか、どれにも付けないでください",
            ),
            Text(en="write NAME=ARTIFACT for each", ja="それぞれ 名前=成果物 の形で指定してください"),
        )
    return dict(parts)


def _parted(word: str) -> tuple[str, Given]:
    name, given, place = word.partition("=")
    return (name, place) if given else ("", word)


def watcher_of(ledger: Path | str | None, monitoring: Monitoring) -> tuple[str, ...]:
    """Return the command that watches the predictions of a model for drift; none without a book. It finds a password in its environment."""
    if ledger is None:
        return ()
    if is_url(ledger):
        ledger, _ = without_password(str(ledger))
    return (
        *(sys.executable, "-P", "-m", "sekisho.watch.live", "--ledger", str(ledger)),
        *("--window-rows", str(monitoring.window_rows), "--smallest-effect", str(monitoring.smallest_effect)),
        *("--false-alarms-per-30-days", str(monitoring.false_alarms_per_30_days)),
        *(word for name in sorted(monitoring.redacted) for word in ("--ignore", name)),
    )


def announce(url: str) -> None:
    """Tell a person at a terminal where the service is."""
    if sys.stderr.isatty():
        click.echo(str(SERVING).format(url), err=True)
