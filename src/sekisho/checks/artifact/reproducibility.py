"""artifact/reproducibility: training again gives the same model."""

from __future__ import annotations

from sekisho.contract.sections import Contract
from sekisho.gate.check import check
from sekisho.gate.testing import example_contract
from sekisho.gate.verdict import Verdict, unknown
from sekisho.text import Text


@check(
    "artifact/reproducibility",
    title=Text(en="Reproducible", ja="再現できる"),
    why=Text(
        en="A model that nobody can train again cannot be repaired, audited or explained: the first incident ends in starting over.",
        ja="もう一度学習できないモデルは、直すことも監査も説明もできません。最初の障害で一からやり直しになります。",
    ),
    remedy=Text(
        en="state model.training_command, seed everything in it, and record the data digest in the artifact",
        ja="model.training_command を指定し、学習内の乱数をすべて固定したうえで、データのダイジェストを成果物に記録してください",
    ),
)
def reproducibility(contract: Contract) -> Verdict:
    """Say what is missing: this box is not measured yet."""
    if not contract.model.training_command:
        return unknown(
            Text(
                en="no training command is stated (model.training_command), so training could not be run again",
                ja="学習コマンド（model.training_command）が指定されておらず、再学習を試せません",
            )
        )
    return unknown(
        Text(
            en="the training command has not been run again to compare the predictions of both models",
            ja="学習コマンドを再実行して予測を突き合わせる確認が、まだ行われていません",
        )
    )


reproducibility.is_unknown(example_contract())
