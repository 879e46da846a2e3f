"""LightGBM: its text, looked at line by line before it is parsed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import msgspec
import numpy as np

from sekisho.artifact import strict_json
from sekisho.artifact.boosters.interface import HEAD, Booster, cannot, damaged
from sekisho.artifact.boosters.lightgbm_document import Document, Unsound, forest_of, read_document
from sekisho.errors import ArtifactError, IntegrityError, MissingLibrary
from sekisho.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.forest import Forest

_NAME: Final = "LightGBM"
_START: Final = b"tree\nversion="
_MOST_BYTES: Final = 4 * 1024**3
_CATEGORICAL: Final = "\npandas_categorical:"


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What LightGBM forgets when it saves an estimator.

    Attributes:
        kind: Whether it is a classifier.
        classes: The labels in order.
        dtype: Their NumPy dtype; ``str`` for strings.
        named: Whether it was trained on columns with names.

    """

    kind: Literal["classifier", "regressor"]
    classes: tuple[str | int | float | bool, ...] = ()
    dtype: Literal[
        "str", "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32", "float64"
    ] = "int64"
    named: bool = False


class Restored:
    """A LightGBM model that has been read from its text: what ``LGBMClassifier`` and ``LGBMRegressor`` answer, by ``Booster`` alone.

    Args:
        booster: The bare model.
        head: What it was.

    """

    def __init__(self, booster: Any, head: _Head) -> None:
        self.booster_ = booster
        self.n_features_in_ = booster.num_feature()
        self._estimator_type = head.kind
        self.model_type = "LGBMClassifier" if head.kind == "classifier" else "LGBMRegressor"
        if head.named:
            self.feature_names_in_ = np.array(booster.feature_name(), dtype=object)

    def predict(self, rows: Any) -> NDArray[np.generic]:
        """Return a number a row."""
        return np.asarray(self.booster_.predict(rows))

    def fit(self, *rows: Any) -> Restored:
        """Refuse: it only answers."""
        raise NotImplementedError("a model that was read from a file is not trained again")

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - as scikit-learn has it
        """Return nothing: how it was trained does not matter to its answers."""
        return {}

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags

        is_classifier = self._estimator_type == "classifier"
        return Tags(
            estimator_type=self._estimator_type,
            target_tags=TargetTags(required=True),
            transformer_tags=None,
            classifier_tags=ClassifierTags() if is_classifier else None,
            regressor_tags=None if is_classifier else RegressorTags(),
            input_tags=InputTags(allow_nan=True, categorical=True, string=False),
        )


class RestoredClassifier(Restored):
    """One that knows its classes."""

    def __init__(self, booster: Any, head: _Head) -> None:
        super().__init__(booster, head)
        self.classes_ = np.array(head.classes, dtype=object if head.dtype == "str" else head.dtype)

    def predict(self, rows: Any) -> NDArray[np.generic]:
        """Return a label a row."""
        labels: NDArray[np.generic] = self.classes_[self.predict_proba(rows).argmax(axis=1)]
        return labels

    def predict_proba(self, rows: Any) -> NDArray[np.float64]:
        """Return the probabilities of each row."""
        answers = np.asarray(self.booster_.predict(rows))
        return np.column_stack([1.0 - answers, answers]) if answers.ndim == 1 else answers


class ScoringClassifier(RestoredClassifier):
    """One that gives its scores as well, as the library's own classifier here does."""

    def decision_function(self, rows: Any) -> NDArray[np.float64]:
        """Return the sums of the trees."""
        return np.asarray(self.booster_.predict(rows, raw_score=True))


class LightGBM(Booster):
    """``LGBMClassifier`` and its kin, and ``Booster``."""

    id = "lightgbm"
    distributions = ("lightgbm",)
    classes = ("Booster", "LGBMClassifier", "LGBMRegressor", "LGBMRanker")
    _restored: ClassVar[dict[type, str]] = {
        ScoringClassifier: "LGBMClassifier",
        RestoredClassifier: "LGBMClassifier",
        Restored: "LGBMRegressor",
    }

    def class_of(self, model: object) -> str | None:
        """Return the library's own class, also of a model that was read from a file."""
        return self._restored.get(type(model)) or super().class_of(model)

    def is_fitted(self, model: Any) -> bool:
        """Return whether ``model`` has been trained."""
        return hasattr(model, "model_to_string") or getattr(model, "n_features_in_", None) is not None

    def new(self, name: str) -> Any:
        """Return an untrained estimator of the class ``name``."""
        return getattr(_library(), name)()

    def names(self, model: Any) -> tuple[str, ...] | None:
        """Return the names of the features; LightGBM numbers those that had none, and writes a space as ``_``."""
        names = tuple(_bare(model).feature_name())
        return None if names == tuple(f"Column_{index}" for index in range(len(names))) else names

    def settled(self, model: Any) -> Any:
        """Return a ``Booster`` as a classifier or regressor."""
        name = self.class_of(model)
        objective = _words(_bare(model).model_to_string(num_iteration=1))
        if objective == "multiclassova" or (objective == "custom" and hasattr(model, "predict_proba")):
            raise cannot(
                Text(
                    en=f"the objective {objective} gives scores that do not add up to one",
                    ja=f"目的関数 {objective} のスコアは合計が1になりません",
                ),
                Text(en="train it with binary or multiclass", ja="binary または multiclass で学習してください"),
            )
        return model if name != "Booster" else self.read(_text(model), where="model.txt")

    def write(self, model: Any) -> bytes:
        """Return the text, with a line of our own that LightGBM passes over."""
        words = _text(model).decode()
        head = f"\n{HEAD}:{msgspec.json.encode(self._head(model)).decode()}\n"
        before, mark, after = words.rpartition(_CATEGORICAL)
        data = (before + head + mark + after if mark else words + head).encode()
        try:
            self.check(data, where="model.txt")
        except IntegrityError as error:
            raise cannot(
                error.what, Text(en="train it with one answer a row", ja="1行に1つの答えを返すように学習してください")
            ) from None
        return data

    def _head(self, model: Any) -> _Head:
        named = self.names(model) is not None
        if not hasattr(model, "classes_"):
            return _Head(kind="regressor", named=named)
        labels = np.asarray(model.classes_)
        dtype = "str" if labels.dtype.kind in "OUT" else str(labels.dtype)
        try:
            return msgspec.convert(
                {"kind": "classifier", "classes": labels.tolist(), "dtype": dtype, "named": named}, _Head
            )
        except msgspec.ValidationError:
            raise cannot(
                Text(en="its labels are neither numbers nor strings", ja="ラベルが数値でも文字列でもありません"),
                Text(en="train it on such labels", ja="数値か文字列のラベルで学習してください"),
            ) from None

    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` begins as LightGBM's text does."""
        return data.startswith(_START)

    def check(self, data: bytes, *, where: str) -> None:
        """Read every line, and look at every tree."""
        _document(data, where)

    def read(self, data: bytes, *, where: str) -> Any:
        """Return the estimator in ``data``."""
        document = _document(data, where)
        head = _noted(document, where)
        try:
            booster = _library().Booster(model_str=data.decode())
        except MissingLibrary:
            raise
        except Exception as error:
            raise ArtifactError(
                Text(en="LightGBM cannot read this model", ja="LightGBM がこのモデルを読み込めません"),
                Text(
                    en="install the libraries of requirements.lock, or pack the model again",
                    ja="requirements.lock のライブラリを入れるか、パックし直してください",
                ),
                where=where,
            ) from error
        if head.kind == "regressor":
            return Restored(booster, head)
        # Since 4.7; what calibrates asks for it first.
        scores = hasattr(_library().LGBMClassifier, "decision_function")
        return (ScoringClassifier if scores else RestoredClassifier)(booster, head)

    def forest(self, model: Any) -> Forest:
        """Return the trees."""
        return forest_of(_document(_text(model), "model.txt"))


def _bare(model: Any) -> Any:
    return model if hasattr(model, "model_to_string") else model.booster_


def _text(model: Any) -> bytes:
    """Return the model's text, as far as early stopping lets it answer."""
    words: str = _bare(model).model_to_string()
    return words.encode()


def _words(text: str) -> str:
    """Return the objective in a text."""
    line = next((line for line in text.splitlines()[:16] if line.startswith("objective=")), "objective=custom")
    return line.removeprefix("objective=").split(" ")[0]


def _document(data: bytes, where: str) -> Document:
    if len(data) > _MOST_BYTES or not data.startswith(_START):
        raise damaged(_NAME, Text(en="it begins otherwise", ja="先頭が違います"), where)
    try:
        document = read_document(data)
    except Unsound as error:
        raise damaged(_NAME, error.text, where) from None
    except (KeyError, ValueError, IndexError, OverflowError):
        raise damaged(
            _NAME, Text(en="a line is missing, or not as it should be", ja="行が欠けているか、形式が違います"), where
        ) from None
    if document.noted is not None:
        _noted(document, where)
    return document


def _noted(document: Document, where: str) -> _Head:
    """Return what was noted of the estimator; for a text of LightGBM itself, what its objective says."""
    named = document.names != tuple(f"Column_{index}" for index in range(document.features))
    if document.noted is None:
        if document.objective not in {"binary", "multiclass"}:
            return _Head(kind="regressor", named=named)
        return _Head(kind="classifier", classes=tuple(range(max(document.sums, 2))), named=named)
    head = strict_json.decode(document.noted.encode(), _Head, where=where)
    if head.kind == "classifier" and len(head.classes) != max(document.sums, 2):
        raise damaged(_NAME, Text(en="its classes do not fit", ja="クラスの数が一致しません"), where)
    return head


def _library() -> Any:
    try:
        import lightgbm
    except ImportError:
        raise MissingLibrary("lightgbm") from None
    return lightgbm


BOOSTER: Final = LightGBM()
