"""The alert rules of a model's service: which metrics mean trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sekisho.serving.metrics.catalogue import LATENCY_BUCKETS
from sekisho.targets.parts.monitoring.promql import selector
from sekisho.targets.parts.monitoring.rules import AlertRule, Trial
from sekisho.text import Text

if TYPE_CHECKING:
    from sekisho.targets.interface import Plan

ERROR_RATIO: Final = 0.01
"""More failed predictions than this, of all, call somebody."""
REJECTED_RATIO: Final = 0.2
UNKNOWN_RATIO: Final = 0.2
"""More predictions than this, of all, with a value that training did not have."""
SILENCE_MINUTES: Final = 30
WATCHER_SECONDS: Final = 600
MOST_RESTARTS: Final = 2
CERTIFICATE_DAYS: Final = 14


def notes(plan: Plan) -> dict[str, str]:
    """Return what every alert says besides its own words: who is called, and where to read on."""
    contract = plan.project.contract
    said = {
        "model": contract.model.name,
        "on_call": contract.monitoring.on_call,
        "troubleshooting": contract.documents.troubleshooting,
    }
    return {name: words for name, words in said.items() if words}


def latency_objective(plan: Plan) -> float:
    """Return the p99 that is promised, in seconds: the contract's, else half of the deadline."""
    serving = plan.project.contract.serving
    stated = serving.latency_p99_ms or serving.deadline_ms / 2
    return min(stated / 1_000, LATENCY_BUCKETS[-1])


def rules(plan: Plan) -> tuple[AlertRule, ...]:
    """Return every rule for the service of ``plan``."""
    job = plan.project.contract.model.name
    return (
        *_availability(job),
        _silence(job),
        _errors(job),
        _latency(job, latency_objective(plan)),
        _rejections(job),
        _unknown_values(job),
        *_drift(job),
        *_records(job, plan),
        _certificate(job),
    )


def _where(job: str) -> dict[str, str]:
    """Return what Prometheus adds to every series of a trial."""
    return {"job": job, "instance": "model:8080"}


def _availability(job: str) -> tuple[AlertRule, ...]:
    up = selector("up", job=job)
    ready = selector("ml_worker_ready", job=job)
    where = _where(job)
    return (
        AlertRule(
            name="ModelServiceDown",
            expression=f"{up} == 0 or absent({up})",
            holds=60,
            severity="critical",
            summary=Text(en="Prometheus cannot reach the service", ja="Prometheus がサービスに到達できません"),
            runbook=Text(
                en="Is the container running (docker compose ps)? Read its last log lines. Is the metrics key the one that the service knows?",
                ja="コンテナが動いているか（docker compose ps）、直前のログ、メトリクス用キーがサービスの鍵ファイルと一致しているかを確認してください。",
            ),
            trial=Trial(series={selector("up", **where): "1x9 0x9 1x20"}, quiet=(5, 10, 25), firing=15, labels=where),
        ),
        AlertRule(
            name="ModelNotReady",
            expression=f"sum by (job) ({ready}) == 0",
            holds=120,
            severity="critical",
            summary=Text(en="No worker is ready to answer", ja="応答できるワーカーがありません"),
            runbook=Text(
                en="GET /health/ready says why. A model that does not load, or whose golden answers differ, never becomes ready: roll back.",
                ja="GET /health/ready が理由を返します。モデルを読み込めない、または既知の正解と一致しない場合は準備完了になりません。前の版に戻してください。",
            ),
            trial=Trial(
                series={selector("ml_worker_ready", **where): "2x9 0x9 2x20"},
                quiet=(5, 11, 25),
                firing=15,
                labels={"job": job},
            ),
        ),
    )


def _silence(job: str) -> AlertRule:
    total = selector("ml_predictions_total", job=job)
    where = _where(job)
    return AlertRule(
        name="ModelSilent",
        expression=f"sum by (job) (increase({total}[{SILENCE_MINUTES}m])) == 0",
        holds=300,
        severity="warning",
        summary=Text(
            en=f"No prediction was asked for in {SILENCE_MINUTES} minutes",
            ja=f"{SILENCE_MINUTES} 分間、予測のリクエストがありません",
        ),
        runbook=Text(
            en="Are the callers running, and do they still point here? Look at the proxy, the DNS and refused requests (ml_http_requests_total).",
            ja="呼び出し元が動いているか、接続先が変わっていないかを確認し、プロキシ・DNS・拒否されたリクエスト（ml_http_requests_total）を調べてください。",
        ),
        trial=Trial(
            series={selector("ml_predictions_total", status="success", **where): "0+60x20 1200x60 1260+60x60"},
            quiet=(15, 45, 100),
            firing=70,
            labels={"job": job},
        ),
    )


def _errors(job: str) -> AlertRule:
    failed = selector("ml_predictions_total", job=job, status="error")
    total = selector("ml_predictions_total", job=job)
    where = _where(job)
    return AlertRule(
        name="ModelErrorRatio",
        expression=f"sum by (job) (rate({failed}[5m])) / sum by (job) (rate({total}[5m])) > {ERROR_RATIO}",
        holds=120,
        severity="critical",
        summary=Text(
            en=f"More than {ERROR_RATIO:.0%} of predictions fail",
            ja=f"予測の {ERROR_RATIO:.0%} 以上が失敗しています",
        ),
        runbook=Text(
            en="ml_problems_total says what fails. Did it begin with a release? Then roll back. Else read the log for that code.",
            ja="ml_problems_total で失敗の種類がわかります。リリース直後に始まったなら前の版に戻し、そうでなければその種類のログを確認してください。",
        ),
        trial=Trial(
            series={
                selector("ml_predictions_total", status="success", **where): "0+60x80",
                selector("ml_predictions_total", status="error", **where): "0x20 0+3x20 60x40",
            },
            quiet=(15, 22, 60),
            firing=35,
            labels={"job": job},
        ),
    )


def _latency(job: str, objective: float) -> AlertRule:
    buckets = selector("ml_prediction_latency_seconds_bucket", job=job)
    where = _where(job)
    slow = next((edge for edge in LATENCY_BUCKETS if edge > objective), None)
    below = max((edge for edge in LATENCY_BUCKETS if edge <= objective), default=0.0)
    edge = "+Inf" if slow is None else f"{slow:g}"
    comparison = ">=" if slow is None else ">"
    return AlertRule(
        name="ModelLatencyHigh",
        expression=f"histogram_quantile(0.99, sum by (job, le) (rate({buckets}[5m]))) {comparison} {objective:g}",
        holds=120,
        severity="critical",
        summary=Text(
            en=f"The 99th percentile of answers takes longer than {objective:g} s",
            ja=f"応答時間の 99 パーセンタイルが {objective:g} 秒を超えています",
        ),
        runbook=Text(
            en="Compare ml_requests_waiting and processor time with the traffic: more replicas, or smaller batches. Slow at low traffic means the model or the machine.",
            ja="ml_requests_waiting と CPU 時間を流量と比べてください。流量が多いなら複製を増やすかバッチを小さくし、少ないのに遅ければモデルかマシンの問題です。",
        ),
        trial=Trial(
            series={
                selector(
                    "ml_prediction_latency_seconds_bucket", le=f"{below:g}", **where
                ): "0+60x20 1200x20 1260+60x40",
                selector("ml_prediction_latency_seconds_bucket", le=edge, **where): "0+60x80",
                **(
                    {}
                    if edge == "+Inf"
                    else {selector("ml_prediction_latency_seconds_bucket", le="+Inf", **where): "0+60x80"}
                ),
            },
            quiet=(15, 21, 60),
            firing=35,
            labels={"job": job},
        ),
    )


def _rejections(job: str) -> AlertRule:
    rejected = selector("ml_predictions_total", job=job, status="rejected")
    total = selector("ml_predictions_total", job=job)
    where = _where(job)
    return AlertRule(
        name="ModelInputsRejected",
        expression=f"sum by (job) (rate({rejected}[15m])) / sum by (job) (rate({total}[15m])) > {REJECTED_RATIO}",
        holds=300,
        severity="warning",
        summary=Text(
            en=f"More than {REJECTED_RATIO:.0%} of requests do not fit the model's signature",
            ja=f"リクエストの {REJECTED_RATIO:.0%} 以上がモデルの入力仕様に合っていません",
        ),
        runbook=Text(
            en="A caller has changed what it sends, or the model has changed what it takes. ml_problems_total says which fault; compare /model/info.",
            ja="呼び出し元が送る内容か、モデルの入力仕様が変わっています。ml_problems_total で種類を調べ、/model/info と比べてください。",
        ),
        trial=Trial(
            series={
                selector("ml_predictions_total", status="success", **where): "0+60x120",
                selector("ml_predictions_total", status="rejected", **where): "0x20 0+60x40 2400x60",
            },
            quiet=(15, 24, 100),
            firing=50,
            labels={"job": job},
        ),
    )


def _unknown_values(job: str) -> AlertRule:
    answered = selector("ml_predictions_total", job=job, status="success")
    flags = selector("ml_prediction_flags_total", job=job)
    where = _where(job)
    return AlertRule(
        name="ModelUnknownValues",
        expression=(
            f"sum by (job, feature, flag) (rate({flags}[15m]))"
            f" / on (job) group_left () sum by (job) (rate({answered}[15m])) > {UNKNOWN_RATIO}"
        ),
        holds=300,
        severity="warning",
        summary=Text(
            en="Many values of {{ $labels.feature }} were never seen in training",
            ja="{{ $labels.feature }} に、学習時になかった値が多く届いています",
        ),
        runbook=Text(
            en="Ask whoever supplies the feature what has changed (a unit, a new category). Predictions on such rows are guesses.",
            ja="この特徴量の提供元に、単位やカテゴリの変更がないか確認してください。このような行への予測は当てになりません。",
        ),
        trial=Trial(
            series={
                selector("ml_predictions_total", status="success", **where): "0+60x120",
                selector(
                    "ml_prediction_flags_total", feature="age", flag="out_of_range", **where
                ): "0x20 0+30x40 1200x60",
            },
            quiet=(15, 26, 100),
            firing=50,
            labels={"job": job, "feature": "age", "flag": "out_of_range"},
        ),
    )


def _drift(job: str) -> tuple[AlertRule, ...]:
    detected = selector("ml_drift_detected", job=job)
    judged = selector("ml_drift_last_evaluated_timestamp_seconds", job=job)
    where = _where(job)
    return (
        AlertRule(
            name="ModelDrift",
            expression=f"max by (job, feature) ({detected}) == 1",
            holds=300,
            severity="warning",
            summary=Text(
                en="{{ $labels.feature }} no longer looks as it did in training",
                ja="{{ $labels.feature }} の分布が学習時から変わっています",
            ),
            runbook=Text(
                en="See how much (ml_drift_effect) and since when. A change of the source: mend it. A change of the world: measure quality on recent labels, and retrain.",
                ja="ml_drift_effect で大きさと始まった時期を確認してください。データ源の変更なら直し、実世界の変化なら最近の正解で品質を測って再学習を検討してください。",
            ),
            trial=Trial(
                series={selector("ml_drift_detected", feature="age", **where): "0x9 1x19 0x20"},
                quiet=(5, 14, 35),
                firing=20,
                labels={"job": job, "feature": "age"},
            ),
        ),
        AlertRule(
            name="ModelDriftNotWatched",
            expression=f"time() - max by (job) ({judged}) > {WATCHER_SECONDS}",
            holds=60,
            severity="warning",
            summary=Text(
                en=f"Drift has not been judged for {WATCHER_SECONDS // 60} minutes",
                ja=f"{WATCHER_SECONDS // 60} 分間、ドリフトが判定されていません",
            ),
            runbook=Text(
                en="The watcher beside the workers has ended or cannot read the book of predictions: look for sekisho.watch in the log.",
                ja="ワーカーの横で動く監視プロセスが終了したか、予測台帳を読めていません。ログの sekisho.watch の行を確認してください。",
            ),
            trial=Trial(
                series={selector("ml_drift_last_evaluated_timestamp_seconds", **where): "0+60x20 1200x19 2400+60x40"},
                quiet=(15, 30, 60),
                firing=35,
                labels={"job": job},
            ),
        ),
    )


def _records(job: str, plan: Plan) -> tuple[AlertRule, ...]:
    dropped = selector("ml_ledger_dropped_total", job=job)
    restarts = selector("ml_model_restarts_total", job=job)
    starts = selector("ml_worker_starts_total", job=job)
    usual = plan.project.contract.serving.workers + MOST_RESTARTS
    where = _where(job)
    return (
        AlertRule(
            name="ModelLedgerDropping",
            expression=f"sum by (job) (increase({dropped}[10m])) > 0",
            holds=60,
            severity="critical",
            summary=Text(
                en="Predictions are not written to the book of predictions", ja="予測が台帳に記録されていません"
            ),
            runbook=Text(
                en="Is the volume of /var/lib/sekisho full, or read-only? Answers go on, but drift, quality and audit are blind until it is mended.",
                ja="/var/lib/sekisho のボリュームに空きがあるか、書き込めるかを確認してください。応答は続きますが、直るまでドリフト・品質・監査の記録が欠けます。",
            ),
            trial=Trial(
                series={selector("ml_ledger_dropped_total", **where): "0x10 0+5x10 50x40"},
                quiet=(8, 40),
                firing=18,
                labels={"job": job},
            ),
        ),
        AlertRule(
            name="ModelRestarting",
            expression=f"sum by (job) (increase({restarts}[15m])) + sum by (job) (increase({starts}[15m])) > {usual}",
            holds=60,
            severity="warning",
            summary=Text(
                en="Processes of the service keep being started again", ja="サービスのプロセスが何度も再起動しています"
            ),
            runbook=Text(
                en="Deadlines, memory or a crash: the log says why each process ended. Compare memory with the limit of the container.",
                ja="制限時間の超過、メモリ不足、異常終了のいずれかです。各プロセスの終了理由はログにあります。メモリをコンテナの上限と比べてください。",
            ),
            trial=Trial(
                series={
                    selector("ml_model_restarts_total", **where): f"0x20 0+{usual}x20 {usual * 20}x40",
                    selector("ml_worker_starts_total", **where): "1x80",
                },
                quiet=(15, 70),
                firing=35,
                labels={"job": job},
            ),
        ),
    )


def _certificate(job: str) -> AlertRule:
    ends = selector("ml_certificate_ends_timestamp_seconds", job=job)
    where = _where(job)
    late, soon = 86_400 * (CERTIFICATE_DAYS + 1), 86_400 * (CERTIFICATE_DAYS - 1)
    return AlertRule(
        name="ModelCertificateEnding",
        expression=f"max by (job) ({ends} > 0) - time() < {86_400 * CERTIFICATE_DAYS}",
        holds=600,
        severity="warning",
        summary=Text(
            en=f"The certificate of the service ends in less than {CERTIFICATE_DAYS} days",
            ja=f"サービスの証明書が {CERTIFICATE_DAYS} 日以内に失効します",
        ),
        runbook=Text(
            en="Renew it in place: the service takes up new files by itself. If they were renewed, read the log for why they are of no use.",
            ja="同じ場所で更新してください。サービスは新しいファイルを自動で読み直します。更新済みなら、使えない理由をログで確認してください。",
        ),
        trial=Trial(
            series={selector("ml_certificate_ends_timestamp_seconds", **where): f"{late}x20 {soon}x30 {late}x40"},
            quiet=(15, 25, 80),
            firing=40,
            labels={"job": job},
        ),
    )
