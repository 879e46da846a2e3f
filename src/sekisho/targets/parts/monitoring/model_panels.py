"""The pictures of a model's service, from what callers see down to the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.serving.metrics.catalogue import class_labels
from sekisho.targets.parts.monitoring.dashboard import Panel, Query
from sekisho.targets.parts.monitoring.model_rules import ERROR_RATIO, latency_objective
from sekisho.targets.parts.monitoring.promql import selector
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan

_WINDOW: Final = "$__rate_interval"


def panels(plan: Plan) -> tuple[Panel, ...]:
    """Return every picture for the service of ``plan``."""
    job = plan.project.contract.model.name
    return (
        *_overview(job, plan),
        *_traffic(job, plan),
        *_answers(job, plan),
        *_drift(job),
        *_machine(job),
        *_records(job),
    )


def _overview(job: str, plan: Plan) -> tuple[Panel, ...]:
    total = selector("ml_predictions_total", job=job)
    failed = selector("ml_predictions_total", job=job, status="error")
    return (
        Panel(
            title=Text(en="Ready workers", ja="応答可能なワーカー"),
            description=Text(
                en="Workers that have loaded the model and compared a golden answer.",
                ja="モデルを読み込み、既知の正解と照合を終えたワーカーの数。",
            ),
            queries=(Query(expression=f"sum({selector('ml_worker_ready', job=job)})"),),
            shape="stat",
            width=6,
        ),
        Panel(
            title=Text(en="Predictions a second", ja="毎秒の予測数"),
            description=Text(en="All predictions, over the last five minutes.", ja="直近5分間の全予測。"),
            queries=(Query(expression=f"sum(rate({total}[5m]))"),),
            unit="reqps",
            shape="stat",
            width=6,
        ),
        Panel(
            title=Text(en="Failed predictions", ja="失敗した予測の割合"),
            description=Text(
                en="Of all, over the last five minutes; refused input is not counted.",
                ja="直近5分間。入力の不備で拒否したものは含みません。",
            ),
            queries=(Query(expression=f"sum(rate({failed}[5m])) / sum(rate({total}[5m]))"),),
            unit="percentunit",
            shape="stat",
            threshold=ERROR_RATIO,
            width=6,
        ),
        Panel(
            title=Text(en="99th percentile of latency", ja="応答時間の 99 パーセンタイル"),
            description=Text(
                en="Over the last five minutes; red beyond the objective.", ja="直近5分間。目標を超えると赤になります。"
            ),
            queries=(Query(expression=_quantile(job, 0.99, "5m")),),
            unit="s",
            shape="stat",
            threshold=latency_objective(plan),
            width=6,
        ),
    )


def _traffic(job: str, plan: Plan) -> tuple[Panel, ...]:
    return (
        Panel(
            title=Text(en="Predictions by outcome", ja="結果別の予測数"),
            description=Text(
                en="Answered, refused for what was sent, failed here.",
                ja="応答・入力の不備による拒否・サービス側の失敗。",
            ),
            queries=(Query(expression=_rate("ml_predictions_total", job, "status"), legend="{{status}}"),),
            unit="reqps",
        ),
        Panel(
            title=Text(en="Latency", ja="応答時間"),
            description=Text(
                en="From the first byte of the request to the answer; the line is the objective for the 99th percentile.",
                ja="リクエストの最初のバイトから応答まで。線は 99 パーセンタイルの目標値です。",
            ),
            queries=tuple(
                Query(expression=_quantile(job, quantile, _WINDOW), legend=f"p{quantile * 100:g}")
                for quantile in (0.5, 0.95, 0.99)
            ),
            unit="s",
            threshold=latency_objective(plan),
        ),
        Panel(
            title=Text(en="Requests by HTTP status", ja="HTTP ステータス別のリクエスト"),
            description=Text(en="All routes together.", ja="全ルートの合計。"),
            queries=(Query(expression=f"{_rate('ml_http_requests_total', job, 'status')} > 0", legend="{{status}}"),),
            unit="reqps",
        ),
        Panel(
            title=Text(en="Problems by code", ja="種類別の問題"),
            description=Text(
                en="The codes are those of the problem details that callers get.",
                ja="種類は、呼び出し元に返す problem details の code です。",
            ),
            queries=(Query(expression=f"{_rate('ml_problems_total', job, 'code')} > 0", legend="{{code}}"),),
            unit="reqps",
        ),
    )


def _answers(job: str, plan: Plan) -> tuple[Panel, ...]:
    values = selector("ml_prediction_value_bucket", job=job)
    histogram = Panel(
        title=Text(en="What is predicted", ja="予測値の分布"),
        description=Text(
            en="The value, or for a classifier the probability, of each prediction.",
            ja="各予測の値。分類モデルでは確率です。",
        ),
        queries=(Query(expression=f"sum by (le) (increase({values}[{_WINDOW}]))", legend="{{le}}"),),
        shape="heatmap",
    )
    flags = Panel(
        title=Text(en="Values never seen in training", ja="学習時になかった値"),
        description=Text(
            en="By feature: out of range, or an unseen category.", ja="特徴量別。範囲外、または未知のカテゴリ。"
        ),
        queries=(
            Query(
                expression=f"{_rate('ml_prediction_flags_total', job, 'feature', 'flag')} > 0",
                legend="{{feature}} {{flag}}",
            ),
        ),
        unit="cps",
    )
    if not class_labels(plan.artifact.signature):
        return (histogram, flags)
    classes = Panel(
        title=Text(en="Share of each class", ja="クラス別の割合"),
        description=Text(
            en="A share that moves without a reason is often the first sign of trouble.",
            ja="理由なく割合が動くのは、問題の最初の兆候であることが多いです。",
        ),
        queries=(
            Query(
                expression=f"{_rate('ml_predictions_by_class_total', job, 'class')} / ignoring (class) group_left () sum({_series_rate('ml_predictions_by_class_total', job)})",
                legend="{{class}}",
            ),
        ),
        unit="percentunit",
    )
    return (histogram, classes, flags)


def _drift(job: str) -> tuple[Panel, ...]:
    return (
        Panel(
            title=Text(en="Drift by feature", ja="特徴量別のドリフト"),
            description=Text(
                en="How far the last rows are from the reference: 0 the same, 1 nothing in common.",
                ja="直近の行と参照データの隔たり。0 は同じ、1 は共通部分なし。",
            ),
            queries=(
                Query(expression=f"max by (feature) ({selector('ml_drift_effect', job=job)})", legend="{{feature}}"),
            ),
        ),
        Panel(
            title=Text(en="Features that drifted", ja="ドリフトした特徴量の数"),
            description=Text(
                en="Certain and large enough to matter.", ja="統計的に確かで、かつ無視できない大きさのもの。"
            ),
            queries=(Query(expression=f"max({selector('ml_drift_columns_drifted', job=job)})"),),
            threshold=1,
            width=6,
        ),
        Panel(
            title=Text(en="Rows judged", ja="判定した行数"),
            description=Text(en="In the window that was judged last.", ja="最後に判定したウィンドウの行数。"),
            queries=(Query(expression=f"max({selector('ml_drift_window_rows', job=job)})"),),
            width=6,
        ),
    )


def _machine(job: str) -> tuple[Panel, ...]:
    return (
        Panel(
            title=Text(en="Waiting requests and connections", ja="待機中のリクエストと接続"),
            description=Text(
                en="Requests that wait for the model, and open connections.",
                ja="モデルを待つリクエストと、開いている接続。",
            ),
            queries=(
                Query(
                    expression=f"sum({selector('ml_requests_waiting', job=job)})",
                    legend=str(Text(en="waiting", ja="待機中")),
                ),
                Query(
                    expression=f"sum({selector('ml_connections', job=job)})",
                    legend=str(Text(en="connections", ja="接続")),
                ),
            ),
            width=8,
        ),
        Panel(
            title=Text(en="Processor", ja="CPU"),
            description=Text(en="Cores that the workers use.", ja="ワーカーが使っているコア数。"),
            queries=(Query(expression=f"sum({_series_rate('ml_cpu_seconds_total', job)})"),),
            width=8,
        ),
        Panel(
            title=Text(en="Memory", ja="メモリ"),
            description=Text(en="Resident memory of the workers.", ja="ワーカーの常駐メモリ。"),
            queries=(Query(expression=f"sum({selector('ml_worker_resident_memory_bytes', job=job)})"),),
            unit="bytes",
            width=8,
        ),
    )


def _records(job: str) -> tuple[Panel, ...]:
    return (
        Panel(
            title=Text(en="Book of predictions", ja="予測台帳"),
            description=Text(
                en="Predictions written, and those that could not be.", ja="記録した予測と、記録できなかった予測。"
            ),
            queries=(
                Query(
                    expression=f"sum({_series_rate('ml_ledger_written_total', job)})",
                    legend=str(Text(en="written", ja="記録")),
                ),
                Query(
                    expression=f"sum({_series_rate('ml_ledger_dropped_total', job)})",
                    legend=str(Text(en="dropped", ja="欠落")),
                ),
            ),
            unit="cps",
        ),
        Panel(
            title=Text(en="Restarts", ja="再起動"),
            description=Text(
                en="Processes that were started again in the last hour.", ja="直近1時間に再起動したプロセス。"
            ),
            queries=(
                Query(
                    expression=f"sum(increase({selector('ml_model_restarts_total', job=job)}[1h]))",
                    legend=str(Text(en="model", ja="モデル")),
                ),
                Query(
                    expression=f"sum(increase({selector('ml_worker_starts_total', job=job)}[1h]))",
                    legend=str(Text(en="worker", ja="ワーカー")),
                ),
            ),
        ),
    )


def _series_rate(metric: str, job: str) -> str:
    return f"rate({selector(metric, job=job)}[{_WINDOW}])"


def _rate(metric: str, job: str, *labels: str) -> str:
    return f"sum by ({', '.join(labels)}) ({_series_rate(metric, job)})"


def _quantile(job: str, quantile: float, window: str) -> str:
    buckets = selector("ml_prediction_latency_seconds_bucket", job=job)
    return f"histogram_quantile({quantile:g}, sum by (le) (rate({buckets}[{window}])))"
