"""What each section and key of ``sekisho.toml`` means, and a value that could stand there.

The template, the JSON Schema for editors, the reference pages and the messages of the loader all take their words from
here. Names are dotted; a section has the name that it has in the file.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTION_WORDS: Final[Mapping[str, Text]] = {
    "model": Text(en="The model that is to go live.", ja="本番に出すモデル。"),
    "registry": Text(
        en="Where the versions of the model are kept, and which of them is live.",
        ja="モデルの各バージョンの保管場所と、本番で使うバージョン。",
    ),
    "data": Text(
        en="The tables that the model was trained on and is judged on: CSV or Parquet.",
        ja="モデルの学習と評価に使う表 (CSV または Parquet)。",
    ),
    "quality": Text(
        en="How good the model must be. The bound of the confidence interval must meet the threshold, not the point.",
        ja="モデルに求める品質。点推定ではなく、信頼区間の端が閾値を満たす必要があります。",
    ),
    "quality.requirements": Text(
        en="Another metric that must meet a threshold; all of them must.",
        ja="併せて基準を満たすべき指標。すべてを満たす必要があります。",
    ),
    "fairness": Text(
        en="Which groups must be treated alike, and how alike.", ja="公平に扱うべきグループと、許容できる差。"
    ),
    "serving": Text(
        en="The inference service: Sekisho's own, unless command or url names another.",
        ja="推論サービス。command または url を指定しなければ Sekisho 自身のサービスを使います。",
    ),
    "serving.mapping": Text(
        en='How to speak to a service that follows none of the known protocols (protocol = "mapping").',
        ja='既知のプロトコルに従わないサービスとの話し方 (protocol = "mapping" のとき)。',
    ),
    "serving.models": Text(
        en="Several models in one service, in place of model.artifact; the first answers where no name is said.",
        ja="1つのサービスで複数のモデルを提供するとき、model.artifact の代わりに使います。名前のない要求には先頭が応答します。",
    ),
    "infrastructure": Text(
        en="Where the service runs, and for how much traffic.", ja="サービスの稼働環境と、想定するトラフィック。"
    ),
    "security": Text(
        en="Who may ask, how often, and what is done with values that the model has never seen.",
        ja="誰が、どれだけの頻度で使えるか。モデルが見たことのない値をどう扱うか。",
    ),
    "monitoring": Text(
        en="What is written down, and when somebody is called.", ja="何を記録し、どんなときに人を呼ぶか。"
    ),
    "ledger": Text(
        en="The book of predictions: where it is, what it may lose, and what becomes of people in it.",
        ja="予測台帳。置き場所、失ってよい範囲、個人の扱い。",
    ),
    "rollout": Text(en="How a new version takes over.", ja="新しい版への切り替え方。"),
    "documents": Text(
        en="The documents that people read before and after the model goes live.", ja="公開の前後に人が読む文書。"
    ),
    "tests": Text(en="The tests of the project itself.", ja="プロジェクト自身のテスト。"),
    "quality.rules": Text(
        en="How the answer must follow, or not follow, a change of one feature.",
        ja="特徴量を1つ変えたとき、答えがどう変わるべきか、または変わってはならないか。",
    ),
    "fairness.bands": Text(
        en="Where an attribute of numbers is cut into groups; else into four of equal size.",
        ja="数値の属性をグループに分ける境界。指定がなければ人数の等しい4つに分けます。",
    ),
    "features": Text(
        en="What people know of one feature, and what is done with values of it that the model does not know.",
        ja="特徴量ごとの説明と、モデルが知らない値の扱い。",
    ),
    "sign_offs": Text(
        en="What only a person can state: for one box and one artifact, checked by somebody else, until a day.",
        ja="人にしか言えないこと。1つの項目と1つの成果物について、別の人の確認を経て、期限付きで述べます。",
    ),
    "waivers": Text(
        en="Leave to go live without one box: whose, why, and until when.",
        ja="ある項目を満たさずに公開する許可。許可した人、理由、期限を書きます。",
    ),
    "not_applicable": Text(
        en="A box that does not apply to this project, and why.",
        ja="このプロジェクトには当てはまらない項目と、その理由。",
    ),
}

KEY_WORDS: Final[Mapping[str, Text]] = {
    "format": Text(en="The version of this file's format.", ja="このファイルの書式の版。"),
    "model.name": Text(en="The name that the artifact is known by.", ja="成果物の名前。"),
    "model.artifact": Text(
        en="The folder that sekisho.pack() or `sekisho pack` wrote, or the model file of another tool.",
        ja="sekisho.pack() または `sekisho pack` が書き出したフォルダー。他のツールのモデルファイルも指定できます。",
    ),
    "model.owner": Text(en="Who answers for the model.", ja="モデルの責任者。"),
    "model.training_command": Text(
        en="The command that trains the model again, word by word; it runs in this folder.",
        ja="モデルを学習し直すコマンド。1語ずつ書きます。このフォルダーで実行します。",
    ),
    "model.training_seconds_limit": Text(
        en="How many seconds the training command may take when it is run again.",
        ja="再学習のコマンドに許す秒数。",
    ),
    "model.reproducibility": Text(
        en="How alike the model must be when it is trained again: the same bytes, the same answers, or the same quality.",
        ja="学習し直したモデルに求める一致の度合い。bitwise はバイト単位、numeric は答え、statistical は品質の一致です。",
    ),
    "registry.location": Text(
        en="A folder, from this one, or s3://bucket/prefix.",
        ja="フォルダー (このフォルダーからの相対パス)、または s3://バケット名/接頭辞。",
    ),
    "registry.alias": Text(
        en="The alias that stands for the version that is live.", ja="本番のバージョンを指すエイリアス。"
    ),
    "data.training": Text(en="The rows that the model was trained on.", ja="学習に使った行。"),
    "data.test": Text(
        en="The rows that the model is judged on; it must never have seen them.",
        ja="評価に使う行。モデルが一度も見ていないものに限ります。",
    ),
    "data.production": Text(en="A recent sample of what production sends.", ja="本番から最近得たサンプル。"),
    "data.target": Text(en="The column that holds the true answer.", ja="正解の列。"),
    "data.positive": Text(
        en="The answer that counts as positive, where there are two.", ja="二値分類で陽性とみなす値。"
    ),
    "data.identifier": Text(
        en="The column that names a row (a customer, a device); never a feature.",
        ja="行を識別する列 (顧客や機器など)。特徴量には使いません。",
    ),
    "data.time": Text(en="The column that says when a row was observed.", ja="行が観測された時刻の列。"),
    "data.group": Text(
        en="Rows with one value here belong together (one patient): none may stand on both sides of the split.",
        ja="まとめて扱うべき行を示す列 (患者や世帯など)。同じグループが学習とテストの両方に現れてはいけません。",
    ),
    "data.production_window": Text(
        en="Which rows the production sample holds and how they were drawn.",
        ja="本番サンプルがいつのどの行で、どのように抽出したものか。",
    ),
    "data.largest_age_days": Text(
        en="Days that the test set may be older than production, and production older than today.",
        ja="テストデータが本番より、また本番サンプルが今日より、何日まで古くてよいか。",
    ),
    "data.as_of": Text(
        en="The day that counts as today for the tables, where they were recorded and time has gone on.",
        ja="記録済みのデータで判定するとき、表にとっての「今日」とみなす日。",
    ),
    "data.ignored": Text(en="Columns that are no features.", ja="特徴量として使わない列。"),
    "data.unavailable": Text(
        en="Columns whose value is not known yet at the moment of prediction; no model may ask for them.",
        ja="予測の時点ではまだ値が分からない列。モデルの入力に使ってはいけません。",
    ),
    "quality.metric": Text(
        en="What is measured, such as roc_auc, accuracy, f1 or rmse.",
        ja="測る指標。roc_auc、accuracy、f1、rmse など。",
    ),
    "quality.threshold": Text(
        en="The least that will do; the most, where lower is better.",
        ja="許容できる下限。小さいほど良い指標では上限。",
    ),
    "quality.reason": Text(
        en="Why this metric and this threshold: what does a wrong answer cost?",
        ja="この指標と閾値を選んだ理由。誤答の代償は何ですか。",
    ),
    "quality.requirements.metric": Text(en="Another metric that is required too.", ja="併せて求める別の指標。"),
    "quality.requirements.threshold": Text(
        en="The least of it that will do; the most, where lower is better.",
        ja="その指標の許容できる下限。小さいほど良い指標では上限。",
    ),
    "quality.requirements.reason": Text(en="Why it is required.", ja="それを求める理由。"),
    "quality.class_minimum": Text(
        en="The least recall that every single class must surely reach.",
        ja="どのクラスの再現率も確実に上回るべき下限。",
    ),
    "quality.champion": Text(
        en="The model that is live: the folder of its artifact, or NAME@champion of the registry.",
        ja="稼働中のモデル。成果物のフォルダー、またはレジストリの NAME@champion を指定します。",
    ),
    "quality.largest_loss_to_champion": Text(
        en="How far below the champion the model may lie, as a fraction of the champion's score.",
        ja="稼働中のモデルを下回ってよい幅。そのスコアに対する割合で書きます。",
    ),
    "quality.slices": Text(
        en='Parts of the test set that must hold alone: a column ("region"), or conditions ("age < 25 and region = north").',
        ja='単独でも品質を保つべき部分集合。列 ("region") または条件 ("age < 25 and region = north") で書きます。',
    ),
    "quality.slice_minimum": Text(
        en="The least score of any slice, declared or found; the most, where lower is better.",
        ja="指定した、または見つかった部分集合のスコアの下限。小さいほど良い指標では上限。",
    ),
    "quality.largest_slice_loss": Text(
        en="How much worse than the whole test set a slice may surely be, as a fraction of the whole score.",
        ja="部分集合が全体より劣ってよい幅。全体のスコアに対する割合で書きます。",
    ),
    "quality.largest_calibration_error": Text(
        en="The largest expected distance between stated probabilities and what happens.",
        ja="予測確率と実際の頻度のずれ (期待較正誤差) の上限。",
    ),
    "quality.confidence": Text(en="The confidence level of every interval.", ja="すべての信頼区間の信頼水準。"),
    "quality.resamples": Text(
        en="Bootstrap resamples behind an interval.", ja="信頼区間を求めるブートストラップの反復回数。"
    ),
    "quality.smallest_class": Text(
        en="The fewest test rows that every class must have.", ja="各クラスに必要なテスト行数の下限。"
    ),
    "quality.largest_overlap": Text(
        en="The largest fraction of test rows that may also be training rows.",
        ja="学習データにも現れるテスト行の割合の上限。",
    ),
    "quality.largest_duplication": Text(
        en="The largest fraction of test rows that may repeat another test row.",
        ja="テストデータ内で重複する行の割合の上限。",
    ),
    "quality.examples": Text(
        en="Generated edge cases that the model must answer or refuse properly.",
        ja="自動生成するエッジケースの数。モデルは正しく答えるか、正しく断る必要があります。",
    ),
    "quality.seed": Text(
        en="The seed of everything random, so that a measurement can be repeated.",
        ja="測定を再現するための乱数シード。",
    ),
    "quality.hard_rows": Text(
        en="Rows known to be hard, with the right answers in the target column; each must be answered right.",
        ja="難しいと分かっている行の表。目的変数の列に正解を書きます。すべてに正しく答える必要があります。",
    ),
    "quality.hard_tolerance": Text(
        en="How far a number may be from the right answer of a hard row.",
        ja="難しい行で、数値の答えが正解からずれてよい大きさ。",
    ),
    "quality.rules.kind": Text(en="What kind of rule it is.", ja="規則の種類。"),
    "quality.rules.feature": Text(en="The feature that is changed.", ja="変化させる特徴量。"),
    "quality.rules.direction": Text(
        en="Where the answer must go when the feature rises (monotonic).",
        ja="特徴量を増やしたとき、答えが動くべき方向 (monotonic のとき)。",
    ),
    "quality.rules.change": Text(
        en="What is changed (invariant): the value itself, the case of its letters, or blanks around it.",
        ja="何を変えるか (invariant のとき)。値そのもの、大文字・小文字、前後の空白。",
    ),
    "quality.rules.by": Text(
        en="The factor that the feature is multiplied by (scale), or what is added to it (additive).",
        ja="特徴量に掛ける倍率 (scale) または足す量 (additive)。",
    ),
    "quality.rules.effect": Text(
        en="The factor or summand that the answer must follow by; the same as by, if not set.",
        ja="答えが従うべき倍率または増分。指定しなければ by と同じ。",
    ),
    "quality.rules.outcome": Text(
        en="The class whose probability is looked at; else the positive one.",
        ja="確率を見るクラス。指定しなければ陽性のクラス。",
    ),
    "quality.rules.tolerance": Text(
        en="How far the answer may be from what the rule says.", ja="規則からのずれを許す大きさ。"
    ),
    "quality.rules.largest_share": Text(
        en="The largest share of real rows that may break the rule; the bound of its interval must stay below.",
        ja="規則を破ってよい行の割合の上限。その信頼区間の上端がこれを下回る必要があります。",
    ),
    "fairness.bands.attribute": Text(en="The attribute that is cut.", ja="区切る属性。"),
    "fairness.bands.cuts": Text(
        en="Where each further group begins, in rising order.", ja="2つ目以降のグループが始まる値。昇順に書きます。"
    ),
    "fairness.attributes": Text(en="The columns whose groups are compared.", ja="比較するグループを定める列。"),
    "fairness.notions": Text(en="What must be alike between groups.", ja="グループの間で揃っているべきもの。"),
    "fairness.reason": Text(
        en="Why these attributes and notions, or why no protected attribute applies.",
        ja="これらの属性と観点を選んだ理由。保護属性がない場合はその理由。",
    ),
    "fairness.largest_gap": Text(
        en="The largest difference between two groups; the bound of its interval must stay below.",
        ja="グループ間の差の上限。差の信頼区間の上端がこれを下回る必要があります。",
    ),
    "fairness.smallest_group": Text(
        en="Groups with fewer rows are reported, not judged.",
        ja="この行数に満たないグループは、報告はしますが判定しません。",
    ),
    "fairness.proxy_threshold": Text(
        en="A feature that explains more of a protected attribute than this is named as its proxy.",
        ja="保護属性をこの割合を超えて説明できる特徴量は、代理変数として報告します。",
    ),
    "serving.command": Text(
        en="The command that starts your own service, word by word; {port}, {host} and {workers} are filled in.",
        ja="自前のサービスを起動するコマンド。1語ずつ書きます。{port}、{host}、{workers} は置き換わります。",
    ),
    "serving.url": Text(
        en="The address of a service that is running already.", ja="すでに動いているサービスのアドレス。"
    ),
    "serving.protocol": Text(
        en="How it is spoken to: native, invocations (SageMaker, MLflow), oip (KServe, MLServer, Triton), bentoml or mapping.",
        ja="サービスとの話し方。native、invocations (SageMaker・MLflow)、oip (KServe・MLServer・Triton)、bentoml、mapping のいずれか。",
    ),
    "serving.host": Text(
        en="The address that Sekisho's own service listens on; others than loopback need authentication.",
        ja="Sekisho のサービスが待ち受けるアドレス。ループバック以外では認証が必要です。",
    ),
    "serving.grpc_port": Text(
        en="The port for the Open Inference Protocol over gRPC; without it there is none.",
        ja="gRPC で Open Inference Protocol を提供するポート。指定しなければ提供しません。",
    ),
    "serving.port": Text(en="Its port; 0 takes a free one.", ja="ポート番号。0 なら空きポートを使います。"),
    "serving.certificate": Text(
        en="The certificate chain, in PEM, with which the service itself speaks TLS.",
        ja="サービス自身が TLS に使う証明書チェーン (PEM)。",
    ),
    "serving.private_key": Text(
        en="The private key of that certificate, in PEM, unencrypted.", ja="その証明書の秘密鍵 (PEM、暗号化なし)。"
    ),
    "serving.client_authority": Text(
        en="The authority that must have signed the certificate of every caller (mutual TLS).",
        ja="呼び出し元の証明書に署名する認証局 (相互 TLS)。",
    ),
    "serving.workers": Text(en="Its worker processes.", ja="ワーカープロセスの数。"),
    "serving.deadline_ms": Text(
        en="Milliseconds after which a request is given up.", ja="リクエストを打ち切るまでの時間 (ミリ秒)。"
    ),
    "serving.batching": Text(
        en="Whether requests that wait together are run as one batch: measured (if the model gains from it), always, never.",
        ja="同時に待っているリクエストを1つのバッチで推論するか。measured は効果を測って判断、always は常に、never はしない。",
    ),
    "serving.latency_p99_ms": Text(
        en="Milliseconds that 99 % of the answers must arrive within.",
        ja="99 % の応答が収まるべき時間 (ミリ秒)。",
    ),
    "serving.rate_per_second": Text(
        en="Requests a second at which the latency must hold.", ja="その応答時間を保つべき1秒あたりのリクエスト数。"
    ),
    "serving.load_seconds": Text(en="Seconds that the load test lasts.", ja="負荷試験を続ける時間 (秒)。"),
    "serving.start_seconds": Text(
        en="Seconds within which the service must be ready.", ja="サービスが準備完了になるまでの制限時間 (秒)。"
    ),
    "serving.mode": Text(
        en="How answers are given: row by row as callers ask, or in batches ahead of time.",
        ja="推論の方式。呼び出しごとに返す real-time か、事前にまとめて計算する batch。",
    ),
    "serving.freshness_seconds": Text(
        en="How old an answer may be when it is used.", ja="使う時点で、答えが何秒前のものまで許されるか。"
    ),
    "serving.mode_reason": Text(
        en="Why the mode was chosen, where the other would cost much less.",
        ja="もう一方の方式がずっと安いのに、この方式を選んだ理由。",
    ),
    "serving.maximum_body_bytes": Text(en="The largest request body.", ja="リクエスト本文の最大バイト数。"),
    "serving.maximum_rows": Text(en="The most rows in one request.", ja="1リクエストの最大行数。"),
    "serving.models.name": Text(en="What callers call the model.", ja="呼び出し側が使うモデル名。"),
    "serving.models.artifact": Text(
        en="The folder of an artifact, or NAME@VERSION or NAME@ALIAS of the registry.",
        ja="成果物のフォルダー、またはレジストリの NAME@VERSION・NAME@ALIAS。",
    ),
    "serving.follow": Text(
        en="Whether a version takes over in the running service when its alias in the registry moves to it.",
        ja="レジストリのエイリアスが移ったとき、稼働中のサービスもそのバージョンに切り替えるか。",
    ),
    "serving.mapping.predict": Text(en="The route of a prediction.", ja="予測のパス。"),
    "serving.mapping.batch": Text(en="The route of a batch.", ja="バッチ予測のパス。"),
    "serving.mapping.health": Text(en="The route that says whether the service lives.", ja="死活を答えるパス。"),
    "serving.mapping.ready": Text(en="The route that says whether it can answer.", ja="応答できるかを答えるパス。"),
    "serving.mapping.metrics": Text(en="The route of the Prometheus metrics.", ja="Prometheus メトリクスのパス。"),
    "serving.mapping.info": Text(en="The route that describes the model.", ja="モデルの情報を返すパス。"),
    "serving.mapping.request": Text(
        en='The JSON body of a prediction; "{features}" stands for the list of values, "{named}" for the object by name.',
        ja='予測リクエストの JSON 本文。"{features}" は値の配列に、"{named}" は名前付きのオブジェクトに置き換わります。',
    ),
    "serving.mapping.label": Text(
        en="Where the answer stands in the response: keys and indexes joined by dots (result.0.label).",
        ja="応答の中で答えがある場所。キーと添字をドットでつなぎます (result.0.label)。",
    ),
    "serving.mapping.probability": Text(
        en="Where the probability stands, in the same way.", ja="確率がある場所。書き方は同じです。"
    ),
    "infrastructure.dockerfile": Text(en="The Dockerfile that ships.", ja="本番で使う Dockerfile。"),
    "infrastructure.compose": Text(en="The Compose file that ships.", ja="本番で使う Compose ファイル。"),
    "infrastructure.manifests": Text(
        en="The folder of the Kubernetes manifests.", ja="Kubernetes マニフェストのフォルダー。"
    ),
    "infrastructure.lock": Text(
        en="The locked requirements of the service, with hashes; else the artifact's own.",
        ja="サービスの依存関係を固定したファイル (ハッシュ付き)。なければ成果物のものを使います。",
    ),
    "infrastructure.peak_per_second": Text(
        en="Requests a second at the busiest moment.", ja="最も混む瞬間の1秒あたりのリクエスト数。"
    ),
    "infrastructure.peak_source": Text(
        en="Where that figure comes from: an export, a forecast, last year's busiest day.",
        ja="その数値の根拠（アクセスログの集計、予測、昨年の最繁日など）。",
    ),
    "infrastructure.headroom": Text(
        en="So many times the peak must be borne.", ja="ピークの何倍に耐えなければならないか。"
    ),
    "infrastructure.soak_seconds": Text(
        en="How long the load below the limit lasts in which memory and latency must stay flat; 600 before a release.",
        ja="メモリーと応答時間が横ばいかを見る長時間試験の秒数。リリース前は 600 にしてください。",
    ),
    "infrastructure.replicas": Text(
        en="How many copies of the service share the traffic.", ja="トラフィックを分け合うサービスの数。"
    ),
    "infrastructure.monthly_budget": Text(en="What it may cost a month.", ja="1か月の予算。"),
    "infrastructure.currency": Text(en="The currency of the budget.", ja="予算の通貨。"),
    "security.authentication": Text(
        en='How callers prove who they are: "token" takes keys as well; "none" only on loopback or behind a gateway.',
        ja='呼び出し元の認証方法。"token" は API キーも受け付け、"none" はループバックかゲートウェイの背後に限ります。',
    ),
    "security.key_file": Text(
        en="The file of the API keys (hashes only); it may lie outside this folder.",
        ja="API キーのファイル (ハッシュのみ)。このフォルダーの外にも置けます。",
    ),
    "security.token_keys": Text(
        en="Whose signatures of tokens count: a JWK set, as a file or the jwks_uri of the identity provider.",
        ja="トークンの署名を検証する JWK セット。ファイル、または ID プロバイダーの jwks_uri。",
    ),
    "security.token_issuer": Text(
        en="Who must have issued a token (iss), letter for letter.",
        ja="トークンの発行者 (iss)。一字一句同じ値。",
    ),
    "security.token_audience": Text(
        en="Whom a token must be for (aud): this service, as the identity provider calls it.",
        ja="トークンの宛先 (aud)。ID プロバイダーでのこのサービスの名前。",
    ),
    "security.token_scope_prefix": Text(
        en="What stands before predict, metrics or admin in a token's scopes.",
        ja="トークンのスコープで predict・metrics・admin の前に付く文字列。",
    ),
    "security.trusted_proxies": Text(
        en="Networks of the proxies before the service; only they are believed about a caller's address.",
        ja="サービスの手前にあるプロキシのネットワーク。呼び出し元のアドレスは、ここからの申告だけを信用します。",
    ),
    "security.key_header": Text(en="The header that carries the key.", ja="キーを載せるヘッダー。"),
    "security.probe_key_variable": Text(
        en="The environment variable that holds the key for judging a running service.",
        ja="動作中のサービスを判定するときに使うキーを入れた環境変数。",
    ),
    "security.public_routes": Text(en="Routes that need no key.", ja="キーなしで使えるパス。"),
    "security.tls": Text(
        en="Who encrypts what goes over the network: the service itself, or a proxy before it.",
        ja="通信を暗号化するのは、サービス自身 (service) か、手前のプロキシ (proxy) か。",
    ),
    "security.public_url": Text(
        en="The address that callers use; its TLS is tried out.",
        ja="呼び出し元が使うアドレス。TLS を実際に確かめます。",
    ),
    "security.certificate_authority": Text(
        en="The certificate, in PEM, of a private authority that the checkpoint may trust.",
        ja="検査時に信頼する、社内などの認証局の証明書 (PEM)。",
    ),
    "security.at_rest": Text(
        en="How the disks are encrypted that hold predictions and artifacts.",
        ja="予測と成果物を保存するディスクの暗号化方法。",
    ),
    "security.advisories": Text(
        en="Where known holes are looked up: a server like https://api.osv.dev, or a file or folder of OSV records.",
        ja="既知の脆弱性の照会先。https://api.osv.dev のようなサーバー、または OSV 形式のファイルやフォルダー。",
    ),
    "security.rate_limit": Text(
        en="Requests a second that one key may send; ten rows of a batch count as one more.",
        ja="1つのキーが1秒に送れるリクエスト数。バッチは10行ごとに1件加算します。",
    ),
    "security.burst": Text(
        en="Requests that one key may send at once; else those of one second.",
        ja="1つのキーが一度に送れるリクエスト数。指定しなければ1秒分。",
    ),
    "security.rate_store": Text(
        en="The Redis that keeps limits over machines; its password: SEKISHO_RATE_STORE_PASSWORD. Else each keeps its own.",
        ja="複数マシン共通の上限を保つ Redis。パスワードは環境変数 SEKISHO_RATE_STORE_PASSWORD。なければマシンごとの上限。",
    ),
    "security.rate_store_down": Text(
        en="What happens while that Redis does not answer: each machine keeps its own limits, or requests are refused.",
        ja="その Redis が応答しない間は、マシンごとの上限で続ける (local) か、リクエストを拒否する (refuse) か。",
    ),
    "security.out_of_range": Text(
        en="What happens to a number outside the range learned from the reference set.",
        ja="参照データの範囲を外れた数値の扱い。",
    ),
    "security.unseen_category": Text(
        en="What happens to a category that the reference set does not have.",
        ja="参照データにないカテゴリーの扱い。",
    ),
    "security.trusted_keys": Text(
        en="Public keys whose signatures of an artifact count: PEM files, or lists in TOML with validity and revocation.",
        ja="署名を信頼する公開鍵。PEM ファイル、または有効期間と失効を書いた TOML の一覧。",
    ),
    "security.require_signature": Text(
        en="Whether an artifact is served only if one of these keys has signed it.",
        ja="上の鍵のいずれかで署名された成果物だけを提供するかどうか。",
    ),
    "security.require_pass": Text(
        en="Whether an artifact is served only with a pass of the checkpoint that one of these keys has signed.",
        ja="上の鍵のいずれかで署名された関所の通行証がある成果物だけを提供するかどうか。",
    ),
    "security.passes": Text(
        en="Where passes are: files, or folders of files that end in .dsse.json.",
        ja="通行証の場所。ファイル、または .dsse.json で終わるファイルのあるフォルダー。",
    ),
    "security.library_mismatch": Text(
        en="What happens when a model was saved with other versions of its libraries than those installed.",
        ja="モデルの保存時と異なるバージョンのライブラリが入っているときの扱い。",
    ),
    "features.name": Text(en="The feature.", ja="特徴量。"),
    "features.unit": Text(en="Its unit.", ja="単位。"),
    "features.description": Text(en="What it means.", ja="意味。"),
    "features.personal": Text(
        en="Whether it can identify a person: it is never logged as it is.",
        ja="個人を特定しうるか。特定しうる値はそのまま記録しません。",
    ),
    "features.sensitive": Text(
        en="Whether groups of it must be treated alike.", ja="公平に扱うべきグループを定める属性か。"
    ),
    "features.out_of_range": Text(
        en="What happens to a number outside its range; else what the security section says.",
        ja="範囲を外れた数値の扱い。指定がなければ security の指定に従います。",
    ),
    "features.unseen_category": Text(
        en="What happens to a category that it has not had; else what the security section says.",
        ja="学習時になかったカテゴリーの扱い。指定がなければ security の指定に従います。",
    ),
    "features.null": Text(
        en="What happens to a missing value; else it is accepted where the reference set has some.",
        ja="欠損値の扱い。指定がなければ、参照データに欠損がある場合だけ受け付けます。",
    ),
    "monitoring.log_predictions": Text(
        en="The fraction of predictions that is written to the ledger.", ja="台帳に記録する予測の割合。"
    ),
    "monitoring.retention_days": Text(en="Days that a prediction is kept.", ja="予測を保存する日数。"),
    "monitoring.redacted": Text(en="Features whose values are never written down.", ja="値を記録しない特徴量。"),
    "monitoring.detector": Text(
        en="The drift detector of your own service, as module:function; else Sekisho's.",
        ja="自前のドリフト検出器 (モジュール:関数)。なければ Sekisho のものを使います。",
    ),
    "monitoring.window_rows": Text(
        en="Predictions that one drift report looks at.", ja="ドリフトを1回判定するときに見る予測の数。"
    ),
    "monitoring.false_alarms_per_30_days": Text(
        en="False alarms that the whole system may raise in 30 days.", ja="システム全体で30日間に許す誤警報の数。"
    ),
    "monitoring.windows_per_day": Text(en="Drift reports a day.", ja="1日あたりのドリフト判定の回数。"),
    "monitoring.smallest_effect": Text(
        en="The smallest change of a distribution that is worth an alarm, from 0 (none) to 1.",
        ja="警報に値する分布の変化の最小の大きさ。0 (変化なし) から 1 まで。",
    ),
    "monitoring.label_delay_days": Text(en="Days until the true answer is known.", ja="正解が判明するまでの日数。"),
    "monitoring.on_call": Text(
        en="Who is called, and where: a rota, a channel, an address.", ja="呼び出し先。当番表、チャンネル、連絡先など。"
    ),
    "ledger.location": Text(
        en="A file, or postgresql://user@host:5432/database, without the password; else a file in .sekisho.",
        ja="ファイル、または postgresql://user@host:5432/database (パスワードは書かない)。省略すると .sekisho 内のファイル。",
    ),
    "ledger.durability": Text(
        en="Whether an answer is sent at once, so that what was answered in the last 0.2 s may be lost, or once it is written.",
        ja="応答をすぐ返すか (直近0.2秒分を失うことがある)、台帳に書き終えてから返すか。",
    ),
    "ledger.down": Text(
        en="Whether predictions go on while the book cannot be written, or are refused.",
        ja="台帳に書けない間、予測を続けるか、断るか。",
    ),
    "ledger.personal": Text(
        en="What is written of personal features: nothing, that there was a value, a keyed hash, or a ciphertext.",
        ja="個人情報の特徴量の記録方法。記録しない、値の有無だけ、鍵付きハッシュ、暗号文のいずれか。",
    ),
    "ledger.key_file": Text(
        en="The secret keys for hashes and encryption (sekisho ledger key); never in the repository.",
        ja="ハッシュと暗号化に使う秘密鍵のファイル (sekisho ledger key で作成)。リポジトリには置かないこと。",
    ),
    "ledger.subject": Text(
        en="The feature that says whom a row is about, so that this person can be erased.",
        ja="行が誰についてのものかを表す特徴量。その人の記録を消去するために使います。",
    ),
    "ledger.subject_header": Text(
        en="The request header that says so, where no feature does.",
        ja="それを表すリクエストヘッダー (特徴量にない場合)。",
    ),
    "rollout.strategy": Text(en="How traffic moves to a new version.", ja="新しい版へトラフィックを移す方法。"),
    "rollout.steps": Text(
        en="The share of the traffic at each step; rising, the last is 1.",
        ja="各段階で新しい版に流す割合。昇順で、最後は 1。",
    ),
    "rollout.largest_loss": Text(
        en="The largest fraction of requests that a bad version may hurt before it is taken back.",
        ja="悪い版を引き戻すまでに影響を受けてよいリクエストの割合。",
    ),
    "documents.folder": Text(en="Where generated documents go.", ja="生成した文書の置き場所。"),
    "documents.api": Text(en="The description of the API (OpenAPI).", ja="API の記述 (OpenAPI)。"),
    "documents.model_card": Text(en="The model card.", ja="モデルカード。"),
    "documents.operations": Text(en="How to operate the service.", ja="運用手順書。"),
    "documents.rollback": Text(en="How to go back to the version before.", ja="前の版へ戻す手順書。"),
    "documents.troubleshooting": Text(en="What to do when something is wrong.", ja="トラブル対応の手引き。"),
    "tests.unit": Text(
        en="The command that runs the unit tests, word by word.", ja="単体テストを実行するコマンド。1語ずつ書きます。"
    ),
    "tests.integration": Text(
        en="The command that runs the integration tests, word by word.",
        ja="結合テストを実行するコマンド。1語ずつ書きます。",
    ),
    "tests.load_baseline": Text(
        en="The load test of the last release, kept by sekisho load --save; this one must not be surely slower.",
        ja="前回リリースの負荷試験（sekisho load --save で保存）。今回が確実に遅くなっていれば不合格です。",
    ),
    "tests.ab_plan": Text(en="The plan of the A/B test.", ja="A/B テストの計画書。"),
    "sign_offs.box": Text(en="The box that it speaks of.", ja="対象の項目。"),
    "sign_offs.statement": Text(en="What is stated, in one sentence.", ja="述べる内容を1文で。"),
    "sign_offs.author": Text(en="Who states it.", ja="述べる人。"),
    "sign_offs.reviewer": Text(en="Who has checked it; not the author.", ja="確認した人。述べた人とは別の人。"),
    "sign_offs.artifact": Text(
        en="The digest of the artifact that it speaks of (`sekisho inspect` shows it).",
        ja="対象の成果物のダイジェスト (`sekisho inspect` で表示できます)。",
    ),
    "sign_offs.issued": Text(en="The day it was stated.", ja="述べた日。"),
    "sign_offs.expires": Text(en="The last day on which it counts.", ja="有効な最後の日。"),
    "sign_offs.evidence": Text(en="A file that backs it up.", ja="裏付けとなるファイル。"),
    "waivers.box": Text(en="The box that is waived.", ja="免除する項目。"),
    "waivers.reason": Text(en="Why it can wait.", ja="後回しにできる理由。"),
    "waivers.owner": Text(en="Who gave leave.", ja="許可した人。"),
    "waivers.expires": Text(en="The last day on which it counts.", ja="有効な最後の日。"),
    "not_applicable.box": Text(en="The box that does not apply.", ja="当てはまらない項目。"),
    "not_applicable.reason": Text(en="Why it does not.", ja="当てはまらない理由。"),
    "not_applicable.owner": Text(en="Who says so.", ja="そう判断した人。"),
}

EXAMPLES: Final[Mapping[str, object]] = {
    "model.name": "credit-risk",
    "model.owner": "risk-team@example.com",
    "model.training_command": ["python", "train.py"],
    "data.training": "data/train.parquet",
    "data.test": "data/test.parquet",
    "data.production": "data/recent.parquet",
    "data.target": "defaulted",
    "data.positive": 1,
    "data.identifier": "customer_id",
    "data.time": "observed_at",
    "data.group": "household",
    "data.production_window": Text(
        en="Every hundredth request of October, drawn by the gateway",
        ja="10月の全リクエストから、ゲートウェイが100件ごとに1件抽出",
    ),
    "data.as_of": dt.date(2027, 1, 31),
    "data.ignored": ["comment"],
    "data.unavailable": ["closing_date"],
    "quality.metric": "roc_auc",
    "quality.threshold": 0.8,
    "quality.reason": Text(
        en="A missed default costs about ten times as much as a good customer refused",
        ja="延滞の見逃しは、優良顧客を断る損失の約10倍になるため",
    ),
    "quality.requirements.metric": "recall",
    "quality.requirements.threshold": 0.7,
    "quality.requirements.reason": Text(
        en="A late payer who is missed is called on too late", ja="見逃した延滞者には督促が間に合わないため"
    ),
    "quality.class_minimum": 0.5,
    "quality.champion": "artifacts/champion",
    "quality.slices": ["region", "age < 25 and region = north"],
    "quality.slice_minimum": 0.7,
    "quality.largest_slice_loss": 0.2,
    "quality.largest_calibration_error": 0.05,
    "quality.hard_rows": "data/hard.csv",
    "quality.rules.kind": "monotonic",
    "quality.rules.feature": "income",
    "quality.rules.effect": 1.5,
    "quality.rules.outcome": 1,
    "fairness.bands.attribute": "age",
    "fairness.bands.cuts": [25.0, 45.0, 65.0],
    "fairness.attributes": ["sex", "age_group"],
    "fairness.reason": Text(en="Lending law protects these groups", ja="貸付に関する法令が保護する属性のため"),
    "serving.models.name": "churn",
    "serving.models.artifact": "churn@champion",
    "security.passes": ["passes"],
    "serving.command": ["uvicorn", "service:app", "--port", "{port}"],
    "serving.url": "http://127.0.0.1:8000",
    "serving.grpc_port": 8001,
    "serving.latency_p99_ms": 50.0,
    "serving.rate_per_second": 100.0,
    "serving.certificate": "/run/secrets/tls.crt",
    "serving.private_key": "/run/secrets/tls.key",
    "serving.client_authority": "/run/secrets/callers.crt",
    "serving.mode": "real-time",
    "serving.freshness_seconds": 1.0,
    "serving.mode_reason": Text(en="one caller asks while a customer waits", ja="窓口で顧客を待たせたまま照会するため"),
    "serving.mapping.batch": "/predict_batch",
    "serving.mapping.ready": "/ready",
    "serving.mapping.info": "/model",
    "serving.mapping.probability": "probability",
    "infrastructure.dockerfile": "Dockerfile",
    "infrastructure.compose": "compose.yaml",
    "infrastructure.manifests": "kubernetes",
    "infrastructure.lock": "requirements.lock",
    "infrastructure.peak_per_second": 200.0,
    "infrastructure.peak_source": Text(
        en="busiest minute of last December, access log", ja="昨年12月の最繁時1分間のアクセスログ"
    ),
    "infrastructure.monthly_budget": 300.0,
    "security.key_file": "/run/secrets/sekisho-keys",
    "security.token_keys": "https://login.example.com/.well-known/jwks.json",
    "security.token_issuer": "https://login.example.com/",
    "security.token_audience": "https://model.example.com",
    "security.token_scope_prefix": "model:",
    "security.trusted_proxies": ["10.0.0.0/8"],
    "security.advisories": "https://api.osv.dev",
    "security.tls": "proxy",
    "security.public_url": "https://model.example.com",
    "security.certificate_authority": "authority.crt",
    "security.at_rest": Text(
        en="volumes encrypted with the platform's key service", ja="プラットフォームの鍵管理で暗号化したボリューム"
    ),
    "security.rate_limit": 100.0,
    "security.burst": 200,
    "security.rate_store": "rediss://limits.example.com:6379/0",
    "security.trusted_keys": ["keys/release.pub"],
    "features.name": "income",
    "features.unit": "EUR",
    "features.description": Text(en="Net income of the month before", ja="前月の手取り収入"),
    "features.personal": False,
    "features.sensitive": False,
    "features.out_of_range": "reject",
    "features.unseen_category": "reject",
    "features.null": "flag",
    "monitoring.redacted": ["income"],
    "monitoring.detector": "monitoring:detect_drift",
    "monitoring.label_delay_days": 30.0,
    "monitoring.on_call": "#ml-on-call",
    "ledger.location": "postgresql://sekisho@db.example.com:5432/predictions",
    "ledger.key_file": "secrets/ledger.keys",
    "ledger.subject": "customer_id",
    "ledger.subject_header": "X-Customer-ID",
    "rollout.strategy": "canary",
    "documents.api": "docs/openapi.json",
    "documents.model_card": "docs/model-card.md",
    "documents.operations": "docs/operations.md",
    "documents.rollback": "docs/rollback.md",
    "documents.troubleshooting": "docs/troubleshooting.md",
    "tests.unit": ["pytest", "tests/unit"],
    "tests.integration": ["pytest", "tests/integration"],
    "tests.load_baseline": "load.json",
    "tests.ab_plan": "docs/ab-plan.toml",
    "sign_offs.box": "monitoring/alerts",
    "sign_offs.statement": Text(
        en="The rota was paged on 2027-01-08 and answered within five minutes",
        ja="2027-01-08 に当番を呼び出し、5分以内に応答を得た",
    ),
    "sign_offs.author": "aoi@example.com",
    "sign_offs.reviewer": "ren@example.com",
    "sign_offs.artifact": "0123456789abcdef" * 4,
    "sign_offs.issued": dt.date(2027, 1, 8),
    "sign_offs.expires": dt.date(2027, 7, 8),
    "sign_offs.evidence": "docs/paging-drill.md",
    "waivers.box": "infrastructure/autoscaling",
    "waivers.reason": Text(
        en="One replica carries ten times the expected traffic", ja="1台で想定の10倍のトラフィックを処理できるため"
    ),
    "waivers.owner": "ren@example.com",
    "waivers.expires": dt.date(2027, 3, 31),
    "not_applicable.box": "testing/ab-plan",
    "not_applicable.reason": Text(
        en="The model only sorts an internal queue; there is no second arm to compare with",
        ja="社内の処理順を並べ替えるだけで、比べる対象がないため",
    ),
    "not_applicable.owner": "ren@example.com",
}
"""A value that could stand where the default is nothing."""
