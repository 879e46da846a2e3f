"""Support vectors of scikit-learn."""

from __future__ import annotations

from typing import Final

from benchmarks.formats import data
from benchmarks.formats.families.interface import Example, Family
from benchmarks.formats.pipelines import mixed, scaled
from sklearn import svm

from sekisho.text import Text

FAMILY: Final = Family(
    id="11-svm",
    title=Text(en="Support vector machines", ja="サポートベクターマシン"),
    library="scikit-learn",
    examples=(
        Example(name="SVC", data=data.breast_cancer, make=lambda: scaled(svm.SVC())),
        Example(name="SVC", data=data.wine, make=lambda: scaled(svm.SVC())),
        Example(
            name="SVC, one-vs-one scores", data=data.wine, make=lambda: scaled(svm.SVC(decision_function_shape="ovo"))
        ),
        Example(
            name="SVC, probability",
            data=data.breast_cancer,
            make=lambda: scaled(svm.SVC(probability=True, random_state=0)),
        ),
        Example(
            name="SVC, probability", data=data.wine, make=lambda: scaled(svm.SVC(probability=True, random_state=0))
        ),
        Example(name="SVC, polynomial", data=data.wine, make=lambda: scaled(svm.SVC(kernel="poly"))),
        Example(name="NuSVC", data=data.wine, make=lambda: scaled(svm.NuSVC())),
        Example(
            name="NuSVC, probability", data=data.wine, make=lambda: scaled(svm.NuSVC(probability=True, random_state=0))
        ),
        Example(name="LinearSVC", data=data.breast_cancer, make=lambda: scaled(svm.LinearSVC())),
        Example(name="LinearSVC", data=data.wine, make=lambda: scaled(svm.LinearSVC())),
        Example(name="SVC", data=data.employment, make=lambda: mixed(svm.SVC())),
        Example(name="SVR", data=data.diabetes, make=lambda: scaled(svm.SVR(C=100.0))),
        Example(name="NuSVR", data=data.diabetes, make=lambda: scaled(svm.NuSVR(C=100.0))),
        Example(name="LinearSVR", data=data.diabetes, make=lambda: scaled(svm.LinearSVR(C=10.0))),
    ),
)
