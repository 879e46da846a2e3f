"""XGBoost: UBJ, or JSON as it comes. What its parser is given is written anew from what was read and looked at here."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sekisho.artifact import strict_json, ubjson
from sekisho.artifact.boosters.interface import HEAD, Booster, asked_through, cannot, damaged
from sekisho.artifact.boosters.xgboost_document import NOT_ASCII, categories_of, check_document, forest_of
from sekisho.errors import ArtifactError, IntegrityError, MissingLibrary
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.artifact.forest import Forest

_NAME: Final = "XGBoost"
_UBJ: Final = b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{"
_MOST_BYTES: Final = 4 * 1024**3
_LABELS_ONLY: Final = ("binary:logitraw", "binary:hinge")


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What XGBoost forgets when it saves an estimator.

    Attributes:
        name: The class of the estimator.
        missing: The number that stands for a null; ``None``: NaN.
        categorical: Whether it takes categories.

    """

    name: str
    missing: float | None = None
    categorical: bool = False


class XGBoost(Booster):
    """``XGBClassifier`` and its kin, and ``Booster``."""

    id = "xgboost"
    distributions = ("xgboost", "xgboost-cpu")
    classes = ("Booster", "XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker")

    def is_fitted(self, model: Any) -> bool:
        """Return whether ``model`` has been trained."""
        return hasattr(model, "save_raw") or hasattr(model, "_Booster")

    def new(self, name: str) -> Any:
        """Return an untrained estimator of the class ``name``."""
        return getattr(_library(), name)()

    def names(self, model: Any) -> tuple[str, ...] | None:
        """Return the names of the features."""
        names = _bare(model).feature_names
        return None if not names else tuple(names)

    def settled(self, model: Any) -> Any:
        """Return a ``Booster`` as a classifier or regressor."""
        objective = _objective(_bare(model))
        if objective in _LABELS_ONLY:
            raise cannot(
                Text(
                    en=f"the objective {objective} gives no probabilities",
                    ja=f"目的関数 {objective} では確率が得られません",
                ),
                Text(en="train it with binary:logistic", ja="binary:logistic で学習してください"),
            )
        if self.class_of(model) != "Booster":
            return model
        bare = model
        if objective == "multi:softmax":
            bare = model.copy()
            bare.set_param({"objective": "multi:softprob"})
        is_classifier = objective.startswith(("binary:", "multi:"))
        estimator = self.new("XGBClassifier" if is_classifier else "XGBRegressor")
        estimator.load_model(bytearray(bare.save_raw("ubj")))
        return estimator

    def write(self, model: Any) -> bytes:
        """Return UBJ."""
        missing = float(model.missing)
        head = _Head(
            name=self.class_of(model) or "",
            missing=None if math.isnan(missing) else missing,
            categorical=bool(model.enable_categorical),
        )
        bare = _bare(model).copy()
        bare.set_attr(**{HEAD: msgspec.json.encode(head).decode()})
        data = bytes(bare.save_raw("ubj"))
        try:
            self.check(data, where="model.ubj")
        except IntegrityError as error:
            remedy = Text(
                en="train one answer a row, with gbtree, dart or gblinear",
                ja="1行に1つの答えを返すモデルを、gbtree・dart・gblinear のいずれかで学習してください",
            )
            if NOT_ASCII.en in error.what.en:
                remedy = Text(
                    en="name the categories in ASCII, or encode them in a pipeline before it",
                    ja="カテゴリ名を ASCII にするか、パイプラインの前段でエンコードしてください",
                )
            raise cannot(error.what, remedy) from None
        return data

    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` begins as XGBoost's UBJ or JSON does."""
        return data.startswith(_UBJ) or data[:4096].lstrip().replace(b" ", b"").replace(b"\n", b"").startswith(
            b'{"learner":{'
        )

    def check(self, data: bytes, *, where: str) -> None:
        """Decode all of it, and look at every tree."""
        _document(data, where)

    def read(self, data: bytes, *, where: str) -> Any:
        """Return the estimator in ``data``."""
        document = _document(data, where)
        head = _head(document, where)
        estimator = self.new(head.name)
        estimator.set_params(missing=math.nan if head.missing is None else head.missing)
        estimator.set_params(enable_categorical=head.categorical)
        again = ubjson.encode(document) if data.startswith(_UBJ) else json.dumps(document).encode()
        try:
            estimator.load_model(bytearray(again))
        except Exception as error:
            raise ArtifactError(
                Text(en="XGBoost cannot read this model", ja="XGBoost がこのモデルを読み込めません"),
                Text(
                    en="install the libraries of requirements.lock, or pack the model again",
                    ja="requirements.lock のライブラリを入れるか、パックし直してください",
                ),
                where=where,
            ) from error
        return _refusing(estimator, categories_of(document))

    def forest(self, model: Any) -> Forest:
        """Return the trees."""
        return forest_of(ubjson.decode(bytes(_bare(model).save_raw("ubj"))))


def _refusing(estimator: Any, known: dict[int, frozenset[Any]]) -> Any:
    """Return an estimator that refuses a category it was never shown.

    XGBoost means to, but finds some of them among those it knows: its search goes wrong for strings that are empty or not ASCII.
    """
    if known:
        for name in ("predict", "predict_proba"):
            if hasattr(estimator, name):
                asked_through(estimator, name, _asked, known)
    return estimator


def _asked(answer: Callable[..., Any], known: dict[int, frozenset[Any]], rows: Any, *more: Any, **options: Any) -> Any:
    if hasattr(rows, "iloc"):
        for index, categories in known.items():
            if not categories.issuperset(rows.iloc[:, index].dropna().unique().tolist()):
                raise ValueError("a category that was not there in training")
    return answer(rows, *more, **options)


def _bare(model: Any) -> Any:
    return model if hasattr(model, "save_raw") else model.get_booster()


def _objective(booster: Any) -> str:
    return str(json.loads(booster.save_config())["learner"]["objective"]["name"])


def _document(data: bytes, where: str) -> dict[str, Any]:
    """Return the model as plain values, once it has been found sound."""
    if len(data) > _MOST_BYTES:
        raise damaged(_NAME, Text(en="it is too large", ja="大きすぎます"), where)
    try:
        document = (
            ubjson.decode(data)
            if data.startswith(_UBJ)
            else strict_json.decode(data, dict[str, Any], where=where, most_bytes=_MOST_BYTES)
        )
    except ubjson.NotUbjson as error:
        raise damaged(_NAME, Text(en=str(error), ja=f"UBJSON として読めません（{error}）"), where) from None
    fault = check_document(document)
    if fault is not None:
        raise damaged(_NAME, fault, where)
    assert isinstance(document, dict)
    _head(document, where)
    return document


def _head(document: dict[str, Any], where: str) -> _Head:
    """Return what was noted of the estimator; for a file of XGBoost itself, what its objective says."""
    learner = document["learner"]
    noted = learner.get("attributes", {}).get(HEAD)
    if noted is None:
        objective = str(learner["objective"]["name"])
        name = "XGBClassifier" if objective.startswith(("binary:", "multi:")) else "XGBRegressor"
        return _Head(name=name, categorical="c" in learner.get("feature_types", []))
    head = strict_json.decode(str(noted).encode(), _Head, where=where)
    if head.name not in XGBoost.classes[1:]:
        raise damaged(_NAME, Text(en="its estimator is unknown", ja="推定器の種類が不明です"), where)
    return head


def _library() -> Any:
    try:
        import xgboost
    except ImportError:
        raise MissingLibrary("xgboost") from None
    return xgboost


BOOSTER: Final = XGBoost()
