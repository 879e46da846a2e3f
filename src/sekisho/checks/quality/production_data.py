"""quality/production-data: the model was validated on data like those it will meet."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "quality/production-data",
    title=Text(en="Validated on production-equivalent data", ja="本番相当データで検証済み"),
    why=Text(
        en="A test set from two years ago, or from another channel, says how good the model was, not how good it will be. The world moves on between training and launch.",
        ja="2年前のデータや別の経路で集めたデータでの評価は、過去の性能しか示しません。学習から本番投入までの間にも世の中は変わります。",
    ),
    remedy=Text(
        en="name a recent sample of production rows in data.production and the time column in data.time, and validate on rows later than all training rows",
        ja="最近の本番データの標本を data.production に、時刻の列を data.time に指定し、学習データより後の期間で検証してください",
    ),
)
def production_data(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.data.production is None:
        return unknown(
            Text(
                en="no sample of production rows is named (data.production), so the test set was compared with nothing",
                ja="本番データの標本（data.production）が指定されておらず、テストデータと比べる相手がありません",
            )
        )
    return unknown(
        Text(
            en="the production sample has not been compared with the training and test sets",
            ja="本番データの標本と、学習・テストデータとの比較がまだ行われていません",
        )
    )


production_data.is_unknown(example_contract())
