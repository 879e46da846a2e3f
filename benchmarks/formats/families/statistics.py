"""statsmodels: fitted linear models, kept as names and parameters."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import statsmodels.api as sm
from benchmarks.formats import data
from benchmarks.formats.data import Data
from benchmarks.formats.families.interface import Example, Family

from sekisho.text import Text

FEW: Final = 4
"""Of breast cancer as many columns: with all of them the classes are parted without a doubt, and no likelihood has a largest value."""


def few() -> Data:
    given = data.breast_cancer()
    return Data(
        name="breast cancer, 4 columns",
        rows=given.rows.iloc[:, :FEW],
        answers=given.answers,
        asked=given.asked.iloc[:, :FEW],
    )


def fit(model: Any, given: Data) -> Any:
    """Fit the model that ``model`` makes of answers and rows with a constant."""
    made = model(given.answers, sm.add_constant(given.rows))
    return made.fit(disp=0) if type(made).__name__ in {"Logit", "Probit", "Poisson"} else made.fit()


def ask(results: Any, rows: Any) -> Any:
    means = np.asarray(results.predict(sm.add_constant(rows, has_constant="add")))
    is_binary = set(np.unique(results.model.endog)) == {0, 1}
    return np.column_stack([1 - means, means]) if is_binary else means


def generalised(family: Any) -> Any:
    return lambda answers, rows: sm.GLM(answers, rows, family=family)


FAMILY: Final = Family(
    id="24-statsmodels",
    title=Text(en="statsmodels", ja="statsmodels"),
    library="statsmodels",
    examples=(
        Example(name="OLS", data=data.diabetes, make=lambda: sm.OLS, fit=fit, ask=ask),
        Example(name="RLM", data=data.diabetes, make=lambda: sm.RLM, fit=fit, ask=ask),
        Example(name="QuantReg", data=data.diabetes, make=lambda: sm.QuantReg, fit=fit, ask=ask),
        Example(
            name="GLM, Poisson", data=data.diabetes, make=lambda: generalised(sm.families.Poisson()), fit=fit, ask=ask
        ),
        Example(name="GLM, binomial", data=few, make=lambda: generalised(sm.families.Binomial()), fit=fit, ask=ask),
        Example(name="Logit", data=few, make=lambda: sm.Logit, fit=fit, ask=ask),
        Example(name="Probit", data=few, make=lambda: sm.Probit, fit=fit, ask=ask),
    ),
)
