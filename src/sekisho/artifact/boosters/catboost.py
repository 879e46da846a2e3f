"""CatBoost: its binary format ``cbm``. It can be looked into by CatBoost alone, so that happens in a process that may die."""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from sekisho.artifact import strict_json
from sekisho.artifact.boosters.interface import HEAD, Booster, asked_through, cannot, damaged
from sekisho.artifact.forest import Forest, Nodes
from sekisho.artifact.runtime import NotConvertible
from sekisho.errors import ArtifactError, MissingLibrary, SekishoError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAME: Final = "CatBoost"
_MAGIC: Final = b"CBM1"
_MOST_BYTES: Final = 2 * 1024**3
_MOST_HEAD: Final = 10_000
_CLASSIFIES: Final = frozenset({"Logloss", "CrossEntropy", "MultiClass"})
_EXPONENT: Final = frozenset({"Poisson", "Tweedie"})
_SEVERAL: Final = frozenset(
    {"MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy", "MultiRMSE", "MultiQuantile", "RMSEWithUncertainty"}
)
_OF_THE_MOMENT: Final = ("train_finish_time", "model_guid")


class _Head(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What CatBoost forgets when it saves an estimator.

    Attributes:
        name: The class of the estimator.
        exponent: Whether it answers with the exponent of its sums.

    """

    name: str
    exponent: bool = False


class CatBoost(Booster):
    """``CatBoostClassifier`` and its kin, and ``CatBoost``."""

    id = "catboost"
    distributions = ("catboost",)
    classes = ("CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker")

    def is_fitted(self, model: Any) -> bool:
        """Return whether ``model`` has been trained."""
        return bool(model.is_fitted())

    def new(self, name: str) -> Any:
        """Return an untrained estimator of the class ``name``."""
        return getattr(_library(), name)()

    def names(self, model: Any) -> tuple[str, ...] | None:
        """Return the names of the features; CatBoost numbers those that had none."""
        names = tuple(str(name) for name in model.feature_names_)
        return None if names == tuple(map(str, range(len(names)))) else names

    def settled(self, model: Any) -> Any:
        """Return a ``CatBoost`` as a classifier or regressor."""
        loss = _loss(model)
        if loss in _SEVERAL:
            raise cannot(
                Text(en=f"the loss {loss} gives several answers a row", ja=f"損失 {loss} は1行に複数の答えを返します"),
                Text(en="pack one model for each answer", ja="答えごとに1つのモデルをパックしてください"),
            )
        if self.class_of(model) != "CatBoost":
            return model
        estimator = self.new("CatBoostClassifier" if loss in _CLASSIFIES else "CatBoostRegressor")
        estimator.load_model(blob=_saved(model, "cbm"))
        return _finished(
            estimator, _Head(name=type(estimator).__name__, exponent=loss in _EXPONENT), self.names(estimator)
        )

    def write(self, model: Any) -> bytes:
        """Return cbm; the same training gives the same bytes."""
        name = self.class_of(model) or ""
        head = _Head(name=name, exponent=not hasattr(model, "predict_proba") and _loss(model) in _EXPONENT)
        model = model.copy()
        notes = model.get_metadata()
        for key in _OF_THE_MOMENT:
            if key in notes.keys():  # noqa: SIM118 - it is no mapping
                del notes[key]
        notes[HEAD] = msgspec.json.encode(head).decode()
        return _saved(model, "cbm")

    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` begins as cbm does."""
        return data.startswith(_MAGIC)

    def check(self, data: bytes, *, where: str) -> None:
        """Look whether the parts are as long as they say; CatBoost itself verifies what is inside them before it follows anything."""
        if len(data) > _MOST_BYTES or len(data) < 16 or not data.startswith(_MAGIC):
            raise damaged(_NAME, Text(en="it is no cbm", ja="cbm ではありません"), where)
        size, root = struct.unpack("<II", data[4:12])
        if not 8 <= size <= len(data) - 8 or not 4 <= root < size:
            raise damaged(_NAME, Text(en="it is cut off", ja="途中で切れています"), where)

    def read(self, data: bytes, *, where: str) -> Any:
        """Return the estimator in ``data``."""
        self.check(data, where=where)
        library = _library()
        try:
            bare = library.CatBoost().load_model(blob=data, format="cbm")
            head = self._noted(bare, where)
            estimator = _finished(self.new(head.name).load_model(blob=data, format="cbm"), head, self.names(bare))
        except SekishoError:
            raise
        except Exception as error:
            # Names and notes inside may be no text; CatBoost has an error of its own for the rest.
            raise ArtifactError(
                Text(en="CatBoost cannot read this model", ja="CatBoost がこのモデルを読み込めません"),
                Text(
                    en="install the libraries of requirements.lock, or pack the model again",
                    ja="requirements.lock のライブラリを入れるか、パックし直してください",
                ),
                where=where,
            ) from error
        return estimator

    def try_out(self, model: Any) -> None:
        """Follow every split once, and answer rows with and without nulls."""
        try:
            _check_splits(json.loads(_saved(model, "json")))
        except (ValueError, KeyError, TypeError, IndexError):
            raise damaged(_NAME, Text(en="it cannot be written as JSON", ja="JSON として書き出せません"), "") from None
        kinds = set(model.get_cat_feature_indices()) | set(model.get_text_feature_indices())
        for number in (0.0, np.nan, 1e30, -1e30):
            rows = np.full((2, int(model.n_features_in_)), number, dtype=object)
            rows[:, sorted(kinds)] = ""
            model.predict(rows)

    def _noted(self, bare: Any, where: str) -> _Head:
        notes = bare.get_metadata()
        if HEAD not in notes.keys():  # noqa: SIM118 - it is no mapping
            loss = _loss(bare)
            return _Head(
                name="CatBoostClassifier" if loss in _CLASSIFIES else "CatBoostRegressor", exponent=loss in _EXPONENT
            )
        words = str(notes[HEAD])
        head = strict_json.decode(words[:_MOST_HEAD].encode(), _Head, where=where)
        if head.name not in self.classes[1:]:
            raise damaged(_NAME, Text(en="its estimator is unknown", ja="推定器の種類が不明です"), where)
        return head

    def forest(self, model: Any) -> Forest:
        """Return the trees."""
        if model.get_cat_feature_indices() or model.get_text_feature_indices() or model.get_embedding_feature_indices():
            raise NotConvertible("CatBoost's categorical features")
        return _forest(json.loads(_saved(model, "json")), _loss(model), probabilities=hasattr(model, "predict_proba"))


def _finished(estimator: Any, head: _Head, names: tuple[str, ...] | None) -> Any:
    """Return an estimator with what its file does not say of it."""
    if names is not None:
        estimator.feature_names_in_ = np.array(names, dtype=object)
    if head.exponent:
        asked_through(estimator, "predict", _exponent)
    return estimator


def _exponent(answer: Callable[..., Any], rows: Any) -> Any:
    return answer(rows, prediction_type="Exponent")


def _loss(model: Any) -> str:
    """Return the name of the loss that a model was trained with, as its own file tells it."""
    notes = model.get_metadata()
    try:
        options = json.loads(str(notes["params"])) if "params" in notes.keys() else {}  # noqa: SIM118
        return str(options["loss_function"]["type"])
    except (ValueError, KeyError, TypeError):
        return ""


def _saved(model: Any, kind: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="sekisho-catboost-") as folder:
        path = Path(folder, "model")
        model.save_model(str(path), format=kind)
        return path.read_bytes()


def _check_splits(document: Any) -> None:
    """Refuse a split of a feature that is not there."""
    counts = {
        key: len(document["features_info"].get(name, []))
        for key, name in (("float_feature_index", "float_features"), ("cat_feature_index", "categorical_features"))
    }
    for split in _splits(document):
        for key, count in counts.items():
            if not 0 <= int(split.get(key, 0)) < max(count, 1):
                raise damaged(
                    _NAME, Text(en="a tree asks a feature that is not there", ja="存在しない特徴量を参照しています"), ""
                )


def _splits(document: Any) -> Iterator[Any]:
    for tree in document.get("oblivious_trees", []):
        yield from tree["splits"] or ()
    waiting = list(document.get("trees", []))
    while waiting:
        node = waiting.pop()
        if "split" in node:
            yield node["split"]
            waiting += [node["left"], node["right"]]


def _forest(document: Any, loss: str, *, probabilities: bool) -> Forest:
    scale, bias = document["scale_and_bias"]
    sums = len(bias)
    if loss in _EXPONENT:
        link = "exp"
    elif not probabilities:
        link = "identity"
    elif loss in _CLASSIFIES:
        link = "softmax" if sums > 1 else "sigmoid"
    else:
        raise NotConvertible(f"CatBoost's loss {loss}")
    as_true = {
        feature["feature_index"]
        for feature in document["features_info"]["float_features"]
        if feature["nan_value_treatment"] == "AsTrue"
    }
    flat = {f["feature_index"]: f["flat_feature_index"] for f in document["features_info"]["float_features"]}
    rows: list[_Row] = []
    targets: list[int] = []
    for tree in _plain_trees(document):
        for target in range(sums):
            _grow(tree, target, len(targets), rows)
            targets.append(target)
    columns = list(zip(*rows, strict=True))
    feature = np.array(columns[3], dtype=np.int64)
    nodes = Nodes(
        tree=np.array(columns[0], dtype=np.int64),
        left=np.array(columns[1], dtype=np.int64),
        right=np.array(columns[2], dtype=np.int64),
        feature=np.array([flat.get(index, 0) for index in feature.tolist()], dtype=np.int64),
        threshold=np.array(columns[4], dtype=np.float64),
        missing_left=~np.isin(feature, sorted(as_true)),
        codes=np.full(len(rows), -1, dtype=np.int64),
        value=np.array(columns[5], dtype=np.float64) * float(scale),
    )
    return Forest(
        nodes=nodes,
        targets=np.array(targets, dtype=np.int64),
        base=np.array(bias, dtype=np.float64),
        link=link,  # type: ignore[arg-type]
        strict=False,
        single=True,
        categories={},
    )


_Row = tuple[int, int, int, int, float, float]
"""A node: its tree, its children, the feature it asks, the threshold, the value."""


def _plain_trees(document: Any) -> Iterator[Any]:
    """Yield every tree as nodes in nodes; an oblivious one asks the same at every node of a level."""
    yield from document.get("trees", [])
    for tree in document.get("oblivious_trees", []):
        splits = tree["splits"] or []
        values = np.array(tree["leaf_values"], dtype=np.float64).reshape(2 ** len(splits), -1)
        level: list[Any] = [{"value": value.tolist()} for value in values]
        # Bit i of a leaf's number is the answer to split i: the last split has the highest bit, and stands at the root.
        for split in splits:
            level = [
                {"split": split, "left": left, "right": right}
                for left, right in zip(level[0::2], level[1::2], strict=True)
            ]
        yield level[0]


def _grow(tree: Any, target: int, number: int, rows: list[_Row]) -> None:
    """Add the nodes of one tree, each before its children."""
    waiting: list[tuple[Any, int, int]] = [(tree, -1, 0)]
    while waiting:
        node, parent, side = waiting.pop()
        mine = len(rows)
        if parent >= 0:
            row = list(rows[parent])
            row[1 + side] = mine
            rows[parent] = tuple(row)  # type: ignore[assignment]
        if "split" not in node:
            value = node["value"]
            rows.append((number, -1, -1, 0, 0.0, float(value[target] if isinstance(value, list) else value)))
            continue
        split = node["split"]
        if split["split_type"] != "FloatFeature":
            raise NotConvertible(f"CatBoost's splits of the kind {split['split_type']}")
        rows.append((number, -1, -1, int(split["float_feature_index"]), float(split["border"]), 0.0))
        waiting += [(node["right"], mine, 1), (node["left"], mine, 0)]


def _library() -> Any:
    try:
        import catboost
    except ImportError:
        raise MissingLibrary("catboost") from None
    return catboost


BOOSTER: Final = CatBoost()
