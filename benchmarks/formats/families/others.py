"""Neighbours, Bayes, discriminants, processes and networks of scikit-learn."""

from __future__ import annotations

from typing import Final

from benchmarks.formats import data
from benchmarks.formats.families.interface import Example, Family
from benchmarks.formats.pipelines import mixed, scaled
from sklearn import discriminant_analysis, gaussian_process, kernel_ridge, naive_bayes, neighbors, neural_network
from sklearn.cross_decomposition import PLSRegression
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Matern, WhiteKernel
from sklearn.isotonic import IsotonicRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer

from sekisho.text import Text

FAMILY: Final = Family(
    id="13-others",
    title=Text(
        en="Neighbours, Bayes, discriminants, processes, networks",
        ja="近傍法・ベイズ・判別分析・ガウス過程・ニューラルネットワーク",
    ),
    library="scikit-learn",
    examples=(
        Example(
            name="KNeighborsClassifier", data=data.breast_cancer, make=lambda: scaled(neighbors.KNeighborsClassifier())
        ),
        Example(
            name="KNeighborsClassifier, by distance",
            data=data.wine,
            make=lambda: scaled(neighbors.KNeighborsClassifier(weights="distance")),
        ),
        Example(name="KNeighborsRegressor", data=data.diabetes, make=lambda: scaled(neighbors.KNeighborsRegressor())),
        Example(
            name="RadiusNeighborsClassifier",
            data=data.wine,
            make=lambda: scaled(neighbors.RadiusNeighborsClassifier(radius=20.0, outlier_label="most_frequent")),
        ),
        Example(name="NearestCentroid", data=data.wine, make=lambda: scaled(neighbors.NearestCentroid())),
        Example(name="GaussianNB", data=data.breast_cancer, make=naive_bayes.GaussianNB),
        Example(name="MultinomialNB", data=data.digits, make=naive_bayes.MultinomialNB),
        Example(name="ComplementNB", data=data.digits, make=naive_bayes.ComplementNB),
        Example(name="BernoulliNB", data=data.digits, make=lambda: naive_bayes.BernoulliNB(binarize=8.0)),
        Example(
            name="CategoricalNB",
            data=data.wine,
            make=lambda: make_pipeline(_bins(), naive_bayes.CategoricalNB(min_categories=10)),
        ),
        Example(
            name="LinearDiscriminantAnalysis", data=data.wine, make=discriminant_analysis.LinearDiscriminantAnalysis
        ),
        Example(
            name="LinearDiscriminantAnalysis",
            data=data.breast_cancer,
            make=discriminant_analysis.LinearDiscriminantAnalysis,
        ),
        Example(
            name="QuadraticDiscriminantAnalysis",
            data=data.wine,
            make=lambda: discriminant_analysis.QuadraticDiscriminantAnalysis(reg_param=0.01),
        ),
        Example(
            name="GaussianProcessClassifier",
            data=data.wine,
            make=lambda: scaled(
                gaussian_process.GaussianProcessClassifier(ConstantKernel() * RBF(2.0), random_state=0)
            ),
        ),
        Example(
            name="GaussianProcessRegressor",
            data=data.diabetes,
            make=lambda: scaled(
                gaussian_process.GaussianProcessRegressor(
                    Matern(3.0, nu=1.5) + WhiteKernel(), normalize_y=True, random_state=0
                )
            ),
        ),
        Example(
            name="KernelRidge",
            data=data.diabetes,
            make=lambda: scaled(kernel_ridge.KernelRidge(kernel="rbf", gamma=0.05)),
        ),
        Example(name="PLSRegression", data=data.diabetes, make=lambda: PLSRegression(2)),
        Example(name="IsotonicRegression", data=data.one_number, make=lambda: IsotonicRegression(out_of_bounds="clip")),
        Example(
            name="MLPClassifier",
            data=data.wine,
            make=lambda: scaled(neural_network.MLPClassifier((16,), max_iter=200, random_state=0)),
        ),
        Example(
            name="MLPClassifier",
            data=data.employment,
            make=lambda: mixed(neural_network.MLPClassifier((16,), max_iter=60, random_state=0)),
        ),
        Example(
            name="MLPRegressor",
            data=data.diabetes,
            make=lambda: scaled(neural_network.MLPRegressor(hidden_layer_sizes=(16,), max_iter=300, random_state=0)),
        ),
        Example(name="DummyClassifier", data=data.wine, make=DummyClassifier),
        Example(name="DummyRegressor", data=data.diabetes, make=DummyRegressor),
    ),
)


def _bins() -> KBinsDiscretizer:
    return KBinsDiscretizer(10, encode="ordinal")
