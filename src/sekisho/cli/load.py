"""``sekisho load``: a load that does not wait for answers, on any address."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import click

from sekisho.cli.options import FiniteRange, json_option, print_json, print_table, progress_bar
from sekisho.errors import NotFound, SekishoError, WrongUse
from sekisho.probes.inference.latency import CONFIDENCE, Latency, summary_of
from sekisho.probes.statistics.quantiles import values_needed
from sekisho.probes.testing.baseline import read_record, write_record
from sekisho.probes.wire.client import run
from sekisho.probes.wire.load import Load, fire, timetable
from sekisho.probes.wire.message import JSON, Request
from sekisho.probes.wire.ramp import Ramp, climb
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sekisho.probes.statistics.intervals import Interval

INTERRUPTED: Final = 130
LARGEST_BODY: Final = 64 * 1024 * 1024
LATE: Final = 0.1
"""The part of the highest percentile by which the generator may be late before it is said."""
HELP = Text(
    en="""Send requests to URL at a constant rate, whatever becomes of those before.

    Latency counts from the moment a request was due, so that a stall shows as long as it lasts; percentiles come with their 95 % intervals.
    Without --body it is a GET. When the generator, and not the service, was the limit, it says so.

    With --to the rate rises step by step, each for --seconds, until --p99 is no longer met: the largest rate that holds is shown.
    Ctrl-C ends it and shows what was measured so far.

    Exit code: 0 every request succeeded (and --p99 was met), 1 not, 2 wrong use, 3 nobody answered, 130 (Ctrl-C).

    \b
    Example:
      sekisho load http://127.0.0.1:8000/predict --rate 200 --seconds 30 --body rows.jsonl --header "X-API-Key: $KEY"
      sekisho load https://example.com/predict --body '{"features": [1, 2]}' --p99 100 --save load.json
      sekisho load http://127.0.0.1:8000/predict --body rows.jsonl --rate 50 --to 2000 --seconds 5 --p99 50""",
    ja="""URL へ一定の頻度でリクエストを送り続けます（前の応答を待ちません）。

    応答時間は送信予定時刻から数えるため、停滞はその長さのまま現れます。百分位数には95%信頼区間を付けます。--body がなければ GET です。
    サービスではなく負荷生成側が限界だったときは、その旨を表示します。

    --to を付けると、--p99 を満たさなくなるまで、--seconds 秒ずつ頻度を段階的に上げ、維持できた最大の頻度を示します。
    Ctrl-C で中断すると、そこまでの測定結果を表示します。

    終了コード: 0 全件成功 (--p99 も達成)、1 未達、2 使い方の誤り、3 応答なし、130 (Ctrl-C)。

    \b
    例:
      sekisho load http://127.0.0.1:8000/predict --rate 200 --seconds 30 --body rows.jsonl --header "X-API-Key: $KEY"
      sekisho load https://example.com/predict --body '{"features": [1, 2]}' --p99 100 --save load.json
      sekisho load http://127.0.0.1:8000/predict --body rows.jsonl --rate 50 --to 2000 --seconds 5 --p99 50""",
)


@click.command("load", help=str(HELP))
@click.argument("url")
@click.option(
    "--rate",
    type=FiniteRange(0.0, 50_000.0, min_open=True),
    default=50.0,
    show_default=True,
    help=str(Text(en="Requests a second", ja="1秒あたりのリクエスト数")),
)
@click.option(
    "--seconds",
    type=FiniteRange(0.0, 86_400.0, min_open=True),
    default=10.0,
    show_default=True,
    help=str(Text(en="How long, after the warm-up", ja="測定する秒数（準備運転の後）")),
)
@click.option(
    "--warm-up",
    type=FiniteRange(0.0, 3_600.0),
    default=1.0,
    show_default=True,
    help=str(Text(en="Seconds at the same rate that do not count", ja="測定前に同じ頻度で送る秒数")),
)
@click.option(
    "--body",
    metavar="JSON|FILE",
    help=str(
        Text(
            en="What is posted: JSON itself, a file, or a .jsonl file of which each line is one request, sent in turn",
            ja="POST する内容。JSON そのもの、ファイル、または1行1リクエストの .jsonl（順に送信）",
        )
    ),
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    metavar="'NAME: VALUE'",
    help=str(Text(en="A header; may be repeated", ja="ヘッダー (複数指定可)")),
)
@click.option(
    "--p99",
    type=FiniteRange(0.0, min_open=True),
    metavar="MS",
    help=str(
        Text(en="What the 99th percentile must surely stay below", ja="99パーセンタイルの上限 (信頼区間の上端で判定)")
    ),
)
@click.option(
    "--to",
    type=FiniteRange(0.0, 50_000.0, min_open=True),
    metavar="RATE",
    help=str(
        Text(
            en="Raise the rate from --rate up to RATE, and show the largest that holds --p99",
            ja="--rate から RATE まで頻度を上げ、--p99 を満たす最大の頻度を示す",
        )
    ),
)
@click.option(
    "--save",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=str(Text(en="Keep scenario, histogram and machine", ja="シナリオ・ヒストグラム・マシン情報を保存する")),
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help=str(Text(en="Show an earlier --save beside it", ja="以前の --save の結果を並べて表示する")),
)
@json_option
def command(
    url: str,
    rate: float,
    seconds: float,
    warm_up: float,
    body: str | None,
    headers: tuple[str, ...],
    p99: float | None,
    to: float | None,
    save: Path | None,
    against: Path | None,
    as_json: bool,
) -> None:
    """Run one load and show what became of it."""
    address, requests = _requests(url, body, headers)
    last = None if against is None else read_record(against, where=str(against))
    with _stopping() as stopped:
        if to is not None:
            _raise(_Target(address, requests, url, stopped), (rate, to), seconds, p99, as_json=as_json)
        moments = timetable(rate, warm_up + seconds)
        with progress_bar(Text(en=f"{len(moments):,} requests", ja=f"{len(moments):,} 件のリクエスト")) as on_way:
            load = run(fire(address, requests, moments, on_way=on_way, stop=stopped.is_set))
    counted = load.due >= warm_up
    if stopped.is_set() and not counted.any():
        raise KeyboardInterrupt
    if not load.status.any():
        raise Silent(url)
    lasted = float(load.due[-1]) + 1 / rate - warm_up if stopped.is_set() else seconds
    found = summary_of(load, counted=counted, rate=rate, seconds=round(lasted, 3))
    if save is not None:
        write_record(save, found)
    if as_json:
        print_json(found)
    else:
        _show(found, {} if last is None else last.percentiles, save)
    if stopped.is_set():
        sys.exit(INTERRUPTED)
    sys.exit(0 if not found.unexpected and _met(found, p99) else 1)


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C sets; a second Ctrl-C ends the program at once."""
    stopped = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True, slots=True)
class _Target:
    """What is asked, and when to stop asking."""

    address: str
    requests: list[Request]
    url: str
    stopped: threading.Event


def _raise(target: _Target, rates: tuple[float, float], seconds: float, p99: float | None, *, as_json: bool) -> None:
    """Raise the rate until it does not hold, show what was found, and end."""
    if p99 is None or rates[1] < rates[0]:
        raise WrongUse(
            Text(
                en="a rate that rises needs a limit that it must hold, and an end above its beginning",
                ja="頻度を上げるには、守るべき上限と、開始より大きい終点が必要です",
            ),
            Text(en="set --p99, and --to not below --rate", ja="--p99 と、--rate 以上の --to を指定してください"),
        )
    heard = []

    def send(rate: float) -> Load:
        label = Text(en=f"{rate:g} requests/s", ja=f"毎秒 {rate:g} 件")
        with progress_bar(label) as on_way:
            moments = timetable(rate, seconds)
            load = run(fire(target.address, target.requests, moments, on_way=on_way, stop=target.stopped.is_set))
        heard.append(bool(load.status.any()))
        return load

    send(rates[0])  # warms up
    if not any(heard) and not target.stopped.is_set():
        raise Silent(target.url)
    ramp = climb(send, *rates, p99, target.stopped.is_set)
    if as_json:
        print_json(ramp)
    else:
        _show_ramp(ramp)
    sys.exit(INTERRUPTED if target.stopped.is_set() else 0 if ramp.sustained else 1)


def _show_ramp(ramp: Ramp) -> None:
    print_table(
        [
            Text(en="Requests/s", ja="毎秒の件数"),
            Text(en="Succeeded", ja="成功"),
            Text(en="p50 ms (95 % interval)", ja="p50 ミリ秒 (95%区間)"),
            Text(en="p99 ms (95 % interval)", ja="p99 ミリ秒 (95%区間)"),
            Text(en="Generator late ms", ja="生成側の遅れ ミリ秒"),
            Text(en="Held", ja="維持"),
        ],
        [
            [
                f"{step.rate:g}",
                f"{step.succeeded}/{step.sent}",
                step.p50 or "–",
                step.p99 or "–",
                f"{step.lag_p99_ms:.3g}",
                "✓" if step.held else "✗",
            ]
            for step in ramp.steps
        ],
    )
    why = {
        "service": Text(
            en="beyond that the service was late or failed", ja="それ以上ではサービスが遅れるか失敗しました"
        ),
        "generator": Text(
            en="beyond that the generator itself was late: the service bears at least that",
            ja="それ以上では負荷生成側が遅れました。サービスは少なくともこの頻度に耐えます",
        ),
        "end": Text(en="nothing higher was tried (--to)", ja="これより上は試していません (--to)"),
        "stopped": Text(en="stopped there (Ctrl-C)", ja="中断しました (Ctrl-C)"),
    }[ramp.bound]
    click.echo(
        str(
            Text(
                en=f"Largest rate with p99 below {ramp.limit_ms:g} ms: {ramp.sustained:g}/s; {why.en}",
                ja=f"p99 が {ramp.limit_ms:g} ミリ秒以内の最大の頻度: 毎秒 {ramp.sustained:g} 件。{why.ja}",
            )
        )
    )


class Silent(SekishoError):
    """Nobody answered a single request."""

    def __init__(self, url: str) -> None:
        super().__init__(
            Text(en="nobody answered", ja="応答がありません"),
            Text(en="check the address, and that the service runs", ja="アドレスと、サービスの起動を確認してください"),
            where=urlsplit(url).netloc,
        )


def _requests(url: str, body: str | None, headers: Sequence[str]) -> tuple[str, list[Request]]:
    """Return the address, and the requests in turn."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise WrongUse(
            Text(en="URL is no web address", ja="URL が Web アドレスではありません"),
            Text(en="write it as http://host:port/path", ja="http://host:port/path の形で書いてください"),
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    given = tuple(_header(line) for line in headers)
    if body is None:
        return f"{parts.scheme}://{parts.netloc}", [Request(target=target, headers=given)]
    if not any(name.lower() == "content-type" for name, _ in given):
        given = (("Content-Type", JSON), *given)
    bodies = _bodies(body)
    return f"{parts.scheme}://{parts.netloc}", [
        Request(method="POST", target=target, body=each, headers=given) for each in bodies
    ]


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name.strip() or any(character in line for character in "\r\n\0"):
        raise WrongUse(
            Text(en="a header is not NAME: VALUE", ja="ヘッダーが NAME: VALUE の形ではありません"),
            Text(en='write it as --header "X-API-Key: …"', ja='--header "X-API-Key: …" の形で書いてください'),
        )
    return name.strip(), value.strip()


def _bodies(body: str) -> list[bytes]:
    if body.lstrip()[:1] in {"{", "[", '"'}:
        return [body.encode()]
    path = Path(body)
    if not path.is_file():
        raise NotFound(
            Text(en="--body is neither JSON nor a file", ja="--body が JSON でもファイルでもありません"),
            Text(en="check the path", ja="パスを確認してください"),
            where=path,
        )
    if path.stat().st_size > LARGEST_BODY:
        raise WrongUse(
            Text(en="this file is larger than 64 MiB", ja="ファイルが 64 MiB を超えています"),
            Text(en="send fewer rows", ja="行数を減らしてください"),
            where=path,
        )
    data = path.read_bytes()
    lines = [line for line in data.splitlines() if line.strip()] if path.suffix in {".jsonl", ".ndjson"} else [data]
    if not lines:
        raise WrongUse(
            Text(en="this file is empty", ja="ファイルが空です"),
            Text(en="put one request on each line", ja="1行に1リクエストを書いてください"),
            where=path,
        )
    return lines


def _met(found: Latency, p99: float | None) -> bool:
    if p99 is None:
        return True
    bound = found.percentiles.get("p99")
    return bound is not None and bound.high <= p99


def _show(found: Latency, earlier: Mapping[str, Interval], save: Path | None) -> None:
    headings = [Text(en="Percentile", ja="百分位数"), Text(en="Milliseconds (95 % interval)", ja="ミリ秒 (95%区間)")]
    headings += [Text(en="Before", ja="以前")] if earlier else []
    print_table(
        headings,
        [[name, value, *([earlier.get(name, "–")] if earlier else [])] for name, value in found.percentiles.items()],
    )
    failed = sum(found.unexpected.values())
    said = ", ".join(f"{count} × {status if status != '0' else '–'}" for status, count in found.unexpected.items())
    lines = [
        Text(
            en=f"{found.sent:,} requests at {found.rate:g}/s, the slowest {found.largest_ms:.4g} ms; {failed} failed",
            ja=f"毎秒 {found.rate:g} 件で {found.sent:,} 件、最も遅い応答 {found.largest_ms:.4g} ms、失敗 {failed} 件",
        )
    ]
    if said:
        lines.append(Text(en=f"Failures (–: no answer): {said}", ja=f"失敗の内訳 (–: 無応答): {said}"))
    if "p99" not in found.percentiles:
        needed = values_needed(0.99, CONFIDENCE) + 10
        lines.append(
            Text(
                en=f"Too few requests to bound the 99th percentile: about {needed} are needed",
                ja=f"99パーセンタイルの上限を示すには件数が足りません（約 {needed} 件必要）",
            )
        )
    highest = max((each.point for each in found.percentiles.values()), default=found.largest_ms)
    if found.lag_p99_ms > max(LATE * highest, 1.0):
        lines.append(
            Text(
                en=f"The generator itself was up to {found.lag_p99_ms:.3g} ms late: it, and not the service, may be the limit",
                ja=f"負荷生成側が最大 {found.lag_p99_ms:.3g} ms 遅れました。サービスではなく生成側が限界かもしれません",
            )
        )
    if save is not None:
        lines.append(Text(en=f"Kept in {save}", ja=f"保存先: {save}"))
    for line in lines:
        click.echo(str(line))
