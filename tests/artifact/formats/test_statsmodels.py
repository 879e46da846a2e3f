"""statsmodels: parameters as strict JSON, and the answers that statsmodels gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from tests.artifact.formats.boosted import cancer, diabetes

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.formats.statsmodels import FORMAT
from sekisho.artifact.linear import settled
from sekisho.errors import ArtifactError, CannotPack, IntegrityError, UntrustedFormat

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NUMBERS = diabetes().rows
TARGET = diabetes().labels
FEW = cancer().rows.iloc[:, :3]
LABELS = cancer().labels
FAMILIES = sm.families
RESULTS: dict[str, tuple[Callable[[], Any], bool]] = {
    # What is fitted, and whether ONNX answers.
    "ols": (lambda: sm.OLS(TARGET, sm.add_constant(NUMBERS)).fit(), True),
    "wls without a constant": (lambda: sm.WLS(TARGET, NUMBERS, weights=np.arange(len(TARGET)) + 1.0).fit(), True),
    "robust": (lambda: sm.RLM(TARGET, sm.add_constant(NUMBERS)).fit(), True),
    "quantile": (lambda: sm.QuantReg(TARGET, sm.add_constant(NUMBERS)).fit(q=0.8), True),
    "poisson glm": (lambda: sm.GLM(TARGET, sm.add_constant(NUMBERS), family=FAMILIES.Poisson()).fit(), True),
    "gamma glm": (
        lambda: sm.GLM(TARGET, sm.add_constant(NUMBERS), family=FAMILIES.Gamma(FAMILIES.links.Log())).fit(),
        True,
    ),
    "logit": (lambda: sm.Logit(LABELS, sm.add_constant(FEW)).fit(disp=0), True),
    "binomial glm": (lambda: sm.GLM(LABELS, sm.add_constant(FEW), family=FAMILIES.Binomial()).fit(), True),
    "probit": (lambda: sm.Probit(LABELS, sm.add_constant(FEW)).fit(disp=0), False),
    "a plain formula": (lambda: smf.ols("target ~ age + bmi", NUMBERS.assign(target=TARGET)).fit(), True),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results_answer_as_statsmodels_does(name: str, tmp_path: Path) -> None:
    make, converts = RESULTS[name]
    results = make()
    is_binary = len(results.model.endog) == len(LABELS)
    rows, target = (FEW, LABELS) if is_binary else (NUMBERS, TARGET)
    ModelArtifact(results, reference=rows, target=target, name="m", lock=False).save(tmp_path / "a")
    artifact = ModelArtifact.load(tmp_path / "a")
    assert artifact.parity.proven is converts
    assert artifact.metadata.model_type == type(results.model).__name__
    given = np.asarray(results.predict(rows if name == "a plain formula" else results.model.exog))
    answers = artifact.predict(rows)
    if is_binary:
        assert artifact.signature.output.classes == (0, 1)
        assert answers.probabilities is not None
        assert answers.probabilities[:, 1] == pytest.approx(given, abs=1e-6)
        assert answers.values.tolist() == (given > 0.5).astype(int).tolist()
    else:
        assert answers.values.astype(float) == pytest.approx(given, abs=1e-6 * np.abs(given).max())
    assert "const" not in artifact.signature.names
    artifact.verify()


def test_an_array_without_names() -> None:
    results = sm.OLS(TARGET.to_numpy(), sm.add_constant(NUMBERS.to_numpy())).fit()
    artifact = ModelArtifact(results, reference=NUMBERS.to_numpy(), target=TARGET.to_numpy(), name="m", lock=False)
    assert artifact.predict(NUMBERS.to_numpy()).values.astype(float) == pytest.approx(results.fittedvalues, rel=1e-5)


def test_a_formula_that_makes_columns_of_its_own_is_refused() -> None:
    table = NUMBERS.assign(target=TARGET)
    for formula in ("target ~ np.exp(age)", "target ~ C(sex)", "target ~ age:bmi", "target ~ bs(bmi, df=4)"):
        with pytest.raises(CannotPack, match="columns of its own"):
            settled(smf.ols(formula, table).fit())


@pytest.mark.filterwarnings("ignore")
def test_what_is_no_linear_model_is_refused() -> None:
    for results in (
        sm.NegativeBinomial(TARGET, sm.add_constant(NUMBERS)).fit(disp=0),
        sm.MNLogit(np.arange(len(LABELS)) % 3, sm.add_constant(FEW)).fit(disp=0),
        sm.tsa.ARIMA(TARGET.to_numpy()[:60], order=(1, 0, 0)).fit(),
        sm.Poisson(TARGET, sm.add_constant(NUMBERS), offset=np.ones(len(TARGET))).fit(disp=0),
        sm.OLS(TARGET, NUMBERS),
    ):
        with pytest.raises(CannotPack):
            settled(results)


@pytest.fixture(scope="module")
def whole() -> bytes:
    return FORMAT.write(settled(sm.OLS(TARGET, sm.add_constant(NUMBERS)).fit()), trusted=frozenset())


def test_spoiled_files_are_refused(whole: bytes) -> None:
    FORMAT.check(whole, where="x")
    for tenth in range(10):
        with pytest.raises(ArtifactError):
            FORMAT.check(whole[: len(whole) * tenth // 10], where="x")
    for old, new in (
        (b'"link":"identity"', b'"link":"__import__"'),
        (b'"weights":[', b'"weights":[1.0,'),
        (b'"constant":', b'"constant":NaN,"x":'),
        (b'"linear":1', b'"linear":2'),
        (b'"age"', b'"bmi"'),
    ):
        assert old in whole
        with pytest.raises(IntegrityError):
            FORMAT.check(whole.replace(old, new), where="x")
    with pytest.raises(UntrustedFormat):
        FORMAT.check(b"\x80\x04\x95cos\nsystem\n.", where="x")
