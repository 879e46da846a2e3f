"""XGBoost's document of a model: whether it is sound, and the trees in it.

Its layout: https://github.com/dmlc/xgboost/blob/master/doc/model.schema
"""

from __future__ import annotations

import itertools
from typing import Any, Final

import numpy as np

from sekisho.artifact.forest import Categories, Forest, Nodes, are_trees
from sekisho.artifact.runtime import NotConvertible
from sekisho.text import Text

_MOST_FEATURES: Final = 10_000_000
_MOST_SUMS: Final = 100_000
_MOST_CODE: Final = 2**24
_OBJECTIVES: Final = frozenset(
    [
        *("reg:squarederror", "reg:squaredlogerror", "reg:logistic", "reg:pseudohubererror", "reg:absoluteerror"),
        *("reg:quantileerror", "reg:expectileerror", "reg:gamma", "reg:tweedie", "reg:linear", "count:poisson"),
        *("binary:logistic", "binary:logitraw", "binary:hinge", "multi:softmax", "multi:softprob"),
        *("rank:ndcg", "rank:pairwise", "rank:map", "survival:aft", "survival:cox"),
    ]
)
_LOGIT: Final = frozenset({"reg:logistic", "binary:logistic"})
_LOG: Final = frozenset({"count:poisson", "reg:gamma", "reg:tweedie", "survival:cox"})
_IDENTITY: Final = frozenset(
    [
        *("reg:squarederror", "reg:squaredlogerror", "reg:pseudohubererror", "reg:absoluteerror", "reg:linear"),
        *("reg:quantileerror", "reg:expectileerror", "rank:ndcg", "rank:pairwise", "rank:map"),
    ]
)


NOT_ASCII: Final = Text(
    en="XGBoost mixes up categories whose names are not ASCII", ja="XGBoost は ASCII 以外のカテゴリ名を取り違えます"
)
"""It counts their characters where it should count their bytes, so that what a row is answered depends on the order of the categories.
(XGBoost 3.2)"""


class Unsound(Exception):
    """The document says something that cannot be."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


def check_document(document: Any) -> Text | None:
    """Return what is wrong with a document; ``None`` if it is sound."""
    try:
        learner = document["learner"]
        features, sums = _sizes(learner)
        if str(learner["objective"]["name"]) not in _OBJECTIVES:
            raise Unsound(Text(en="an unknown objective", ja="未知の目的関数です"))
        for key in ("feature_names", "feature_types"):
            names = learner.get(key, [])
            if len(names) not in {0, features} or not all(isinstance(name, str) for name in names):
                raise Unsound(Text(en=f"{key} do not fit", ja=f"{key} が一致しません"))
        booster = learner["gradient_booster"]
        if booster["name"] == "gblinear":
            weights = _array(booster["model"]["weights"], np.float64)
            if len(weights) != (features + 1) * sums:
                raise Unsound(Text(en="its weights do not fit", ja="重みの数が一致しません"))
        else:
            _check_trees(booster, features, sums)
    except Unsound as error:
        return error.text
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError):
        return Text(en="something is missing in it, or of another kind", ja="必要な項目がないか、型が違います")
    return None


def _sizes(learner: Any) -> tuple[int, int]:
    sizes = learner["learner_model_param"]
    features, classes, targets = (int(sizes[key]) for key in ("num_feature", "num_class", "num_target"))
    if not 0 < features <= _MOST_FEATURES or not 0 <= classes <= _MOST_SUMS:
        raise Unsound(Text(en="its sizes are beyond the limits", ja="大きさが上限を超えています"))
    if targets != 1:
        raise Unsound(Text(en="it gives several answers a row", ja="1行に複数の答えを返します"))
    if len(_base(sizes)) not in {1, max(classes, 1)}:
        raise Unsound(Text(en="its base score does not fit", ja="base_score が一致しません"))
    return features, max(classes, 1)


def _check_trees(booster: Any, features: int, sums: int) -> None:
    model = _model(booster)
    trees, owners = model["trees"], _array(model["tree_info"], np.int64)
    count = len(trees)
    ends = _array(model["iteration_indptr"], np.int64) if "iteration_indptr" in model else np.array([0, count])
    parameters = model["gbtree_model_param"]
    if (
        int(parameters["num_trees"]) != count
        or len(owners) != count
        or np.any((owners < 0) | (owners >= sums))
        or not 0 < int(parameters["num_parallel_tree"]) <= max(count, 1)
        or np.any(np.diff(ends) < 0)
        or ends[0] != 0
        or ends[-1] != count
    ):
        raise Unsound(Text(en="its trees are not as many as it says", ja="木の数が記録と違います"))
    if booster["name"] == "dart" and len(_array(booster["weight_drop"], np.float64)) != count:
        raise Unsound(Text(en="its trees are not as many as it says", ja="木の数が記録と違います"))
    if "cats" in model:
        _check_categories(model["cats"], features)
    starts = 0
    lefts, rights, sizes = [], [], []
    for tree in trees:
        left, right = _check_tree(tree, features)
        lefts.append(np.where(left == -1, -1, left + starts))
        rights.append(np.where(right == -1, -1, right + starts))
        sizes.append(len(left))
        starts += len(left)
    if count:
        lengths = np.array(sizes, dtype=np.int64)
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
        if not are_trees(np.concatenate(lefts), np.concatenate(rights), begins, lengths):
            raise Unsound(Text(en="a tree points outside itself", ja="木が自身の外を指しています"))


def _check_tree(tree: Any, features: int) -> tuple[Any, Any]:
    sizes = tree["tree_param"]
    nodes = int(sizes["num_nodes"])
    if int(sizes["size_leaf_vector"]) not in {0, 1}:
        raise Unsound(Text(en="its leaves hold several numbers", ja="葉が複数の値を持っています"))
    if int(sizes["num_feature"]) != features:
        raise Unsound(Text(en="a tree takes other features", ja="木の特徴量の数が一致しません"))
    numbers = ("split_conditions", "base_weights", "loss_changes", "sum_hessian")
    whole = ("left_children", "right_children", "parents", "split_indices", "split_type", "default_left")
    found = {key: _array(tree[key], np.float64) for key in numbers} | {
        key: _array(tree[key], np.int64) for key in whole
    }
    if any(len(values) != nodes for values in found.values()) or nodes < 1:
        raise Unsound(Text(en="a tree has not as many nodes as it says", ja="ノードの数が記録と違います"))
    left, right, inner = found["left_children"], found["right_children"], found["left_children"] != -1
    if not _are_parents(left, right, found["parents"]):
        raise Unsound(Text(en="a tree points outside itself", ja="木が自身の外を指しています"))
    asked = found["split_indices"][inner]
    if np.any((asked < 0) | (asked >= features)):
        raise Unsound(Text(en="a tree asks a feature that is not there", ja="存在しない特徴量を参照しています"))
    kinds = found["split_type"]
    if np.any((kinds < 0) | (kinds > 1)) or np.any((found["default_left"] < 0) | (found["default_left"] > 1)):
        raise Unsound(Text(en="a node is of an unknown kind", ja="未知の種類のノードがあります"))
    owners, begins, lengths, codes = (
        _array(tree[f"categories{end}"], np.int64) for end in ("_nodes", "_segments", "_sizes", "")
    )
    if (
        len({len(owners), len(begins), len(lengths)}) != 1
        or np.any((begins < 0) | (lengths < 0) | (begins + lengths > len(codes)))
        or np.any((codes < 0) | (codes >= _MOST_CODE))
        or not np.array_equal(np.sort(owners), np.flatnonzero((kinds == 1) & inner))
    ):
        raise Unsound(Text(en="its categories do not fit", ja="カテゴリが一致しません"))
    return left, right


_NO_PARENT: Final = 2**31 - 1


def _are_parents(left: Any, right: Any, parents: Any) -> bool:
    """Return whether each child names the node above it: XGBoost walks upwards as well."""
    nodes = np.arange(len(left))
    for child in (left, right):
        inner = child != -1
        if np.any((child[inner] < 0) | (child[inner] >= len(left))) or np.any(parents[child[inner]] != nodes[inner]):
            return False
    known = np.zeros(len(left), dtype=np.bool_)
    known[left[left != -1]] = known[right[right != -1]] = True
    return bool(np.all(parents[~known] == _NO_PARENT))


def _check_categories(categories: Any, features: int) -> None:
    """Look at the categories that each feature was trained on."""
    columns = categories["enc"]
    ends = _array(categories["feature_segments"], np.int64)
    order = _array(categories["sorted_idx"], np.int64)
    counts = [0] * features
    if len(columns) not in {0, features}:
        raise Unsound(Text(en="its categories do not fit", ja="カテゴリが一致しません"))
    for index, column in enumerate(columns):
        values = _array(column["values"], np.float64)
        counts[index] = len(values)
        if "offsets" in column:
            bounds = _array(column["offsets"], np.int64)
            if np.any(np.diff(bounds) < 0) or (len(bounds) and (bounds[0] != 0 or bounds[-1] != len(values))):
                raise Unsound(Text(en="its categories do not fit", ja="カテゴリが一致しません"))
            counts[index] = max(len(bounds) - 1, 0)
            _values(column)
    expected = np.concatenate([[0], np.cumsum(counts)])
    if len(ends) and not np.array_equal(ends, expected):
        raise Unsound(Text(en="its categories do not fit", ja="カテゴリが一致しません"))
    for begin, end in itertools.pairwise(ends.tolist()):
        if not np.array_equal(np.sort(order[begin:end]), np.arange(end - begin)):
            raise Unsound(Text(en="its categories do not fit", ja="カテゴリが一致しません"))


def forest_of(document: Any) -> Forest:
    """Return the trees of a sound document, as far as they answer: early stopping leaves out the last ones.

    Raises:
        NotConvertible: It is linear, or its objective is not known here.

    """
    learner = document["learner"]
    booster, objective = learner["gradient_booster"], str(learner["objective"]["name"])
    if booster["name"] == "gblinear":
        raise NotConvertible("XGBoost's linear booster")
    model = _model(booster)
    used = _used(learner, model)
    weights = booster.get("weight_drop", [1.0] * len(model["trees"]))
    sums = max(int(learner["learner_model_param"]["num_class"]), 1)
    base = np.resize(_base(learner["learner_model_param"]), sums)
    if objective in _LOGIT:
        base, link = np.log(base / (1.0 - base)), "sigmoid"
    elif objective in _LOG:
        base, link = np.log(base), "exp"
    elif objective == "multi:softprob":
        link = "softmax"
    elif objective in _IDENTITY:
        link = "identity"
    else:
        raise NotConvertible(f"XGBoost's objective {objective}")
    nodes, sets = _nodes(model["trees"][:used], weights)
    return Forest(
        nodes=nodes,
        targets=_array(model["tree_info"], np.int64)[:used],
        base=base,
        link=link,  # type: ignore[arg-type]
        strict=True,
        single=True,
        sets=sets,
        categories=_categories(learner, model),
    )


def _used(learner: Any, model: Any) -> int:
    best = learner.get("attributes", {}).get("best_iteration")
    count = len(model["trees"])
    if best is None or "iteration_indptr" not in model:
        return count
    return int(_array(model["iteration_indptr"], np.int64)[int(best) + 1])


def _nodes(trees: Any, weights: Any) -> tuple[Nodes, tuple[Any, ...]]:
    parts: dict[str, list[Any]] = {name: [] for name in Nodes.__dataclass_fields__}
    sets: list[Any] = []
    start = 0
    for index, (tree, weight) in enumerate(zip(trees, weights, strict=False)):
        left, right = (_array(tree[key], np.int64) for key in ("left_children", "right_children"))
        leaf = left == -1
        conditions = _array(tree["split_conditions"], np.float64)
        codes = np.full(len(left), -1, dtype=np.int64)
        members = _array(tree["categories"], np.int64)
        for node, begin, size in zip(
            *(_array(tree[f"categories_{key}"], np.int64) for key in ("nodes", "segments", "sizes")), strict=True
        ):
            codes[node] = len(sets)
            # The categories of a node go right, all others left.
            going = np.ones(_MOST_WRITTEN, dtype=np.bool_)
            chosen = members[begin : begin + size]
            if len(chosen) and int(chosen.max()) >= _MOST_WRITTEN:
                raise NotConvertible("a feature with too many categories")
            going[chosen] = False
            sets.append(going)
        for name, values in (
            ("tree", np.full(len(left), index)),
            ("left", np.where(leaf, -1, left + start)),
            ("right", np.where(leaf, -1, right + start)),
            ("feature", _array(tree["split_indices"], np.int64)),
            ("threshold", conditions),
            ("missing_left", _array(tree["default_left"], np.int64) != 0),
            ("codes", codes),
            ("value", np.where(leaf, conditions * float(weight), 0.0)),
        ):
            parts[name].append(values)
        start += len(left)
    return Nodes(**{name: np.concatenate(values) for name, values in parts.items()}), tuple(sets)


_MOST_WRITTEN: Final = 1_000
"""A feature with more categories is not written as ONNX."""


def _categories(learner: Any, model: Any) -> dict[int, Categories]:
    """Return the categories of the features that have some."""
    kinds = learner.get("feature_types", [])
    columns = model.get("cats", {}).get("enc", [])
    found: dict[int, Categories] = {}
    for index, kind in enumerate(kinds):
        if kind != "c":
            continue
        if index >= len(columns) or not len(_array(columns[index]["values"], np.float64)):
            raise NotConvertible("categories that are kept as codes alone")
        found[index] = Categories(values=_values(columns[index]), refuses=True)
    return found


def categories_of(document: Any) -> dict[int, frozenset[Any]]:
    """Return the categories that each feature was trained on, by the feature's number; those that have none are left out."""
    booster = document["learner"]["gradient_booster"]
    if booster["name"] == "gblinear":
        return {}
    columns = _model(booster).get("cats", {}).get("enc", [])
    return {index: frozenset(_values(column)) for index, column in enumerate(columns) if len(column["values"])}


def _values(column: Any) -> tuple[Any, ...]:
    """Return the categories of one feature: whole numbers or strings."""
    values = np.asarray(column["values"])
    if "offsets" not in column:
        return tuple(values.tolist())
    words = values.astype(np.uint8).tobytes()
    if not words.isascii():
        raise Unsound(NOT_ASCII)
    bounds = _array(column["offsets"], np.int64).tolist()
    return tuple(words[begin:end].decode() for begin, end in itertools.pairwise(bounds))


def _model(booster: Any) -> Any:
    if booster["name"] == "dart":
        return booster["gbtree"]["model"]
    if booster["name"] != "gbtree":
        raise Unsound(Text(en="an unknown kind of booster", ja="未知の種類のブースターです"))
    return booster["model"]


def _base(sizes: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the base score: one number, or since 3.1 a list, as a string."""
    words = str(sizes["base_score"]).strip("[]").split(",")
    return np.array([float(word) for word in words], dtype=np.float64)


def _array(values: Any, kind: type[np.float64 | np.int64]) -> Any:
    """Return a list or array of plain numbers as an array."""
    if isinstance(values, np.ndarray):
        array = values
    elif isinstance(values, list):
        array = np.array(values) if values else np.zeros(0)
    else:
        raise TypeError("no array")
    if (
        array.ndim != 1
        or array.dtype.kind not in "bifu"
        or (kind is np.int64 and array.dtype.kind == "f" and len(array))
    ):
        raise TypeError("no numbers")
    return array.astype(kind)
