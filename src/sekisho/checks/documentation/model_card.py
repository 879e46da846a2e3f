"""documentation/model-card: who should use the model for what, and who should not."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "documentation/model-card",
    title=Text(en="Model card", ja="モデルカード"),
    why=Text(
        en="A model is used for whatever it can be used for. Without its limits in writing, the first misuse looks like permission.",
        ja="モデルは使える用途なら何にでも使われます。限界が書かれていなければ、最初の誤用が許可のように見えてしまいます。",
    ),
    remedy=Text(
        en="write intended use, limits, ethics and caveats, and take every figure in the card from evidence",
        ja="想定用途・限界・倫理面・注意点を書き、カード内の数値はすべて証拠から取ってください",
    ),
)
def model_card(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if contract.documents.model_card is None:
        return unknown(
            Text(
                en="no model card is named (documents.model_card)",
                ja="モデルカード（documents.model_card）が指定されていません",
            )
        )
    return unknown(
        Text(
            en=f"the sections and figures of {contract.documents.model_card} have not been compared with the evidence",
            ja=f"{contract.documents.model_card} の各節と数値を、まだ証拠と照らし合わせていません",
        )
    )


model_card.is_unknown(example_contract())
