"""LightGBM's text of a model: whether it is sound, and the trees in it.

Its parser finds each tree by the sizes that the head of the text gives, and follows node numbers without looking.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.boosters.interface import HEAD
from sekisho.artifact.forest import Categories, Forest, Nodes, are_trees
from sekisho.artifact.runtime import NotConvertible
from sekisho.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

_NO_NUMBER: Final = Text(en="a number is none", ja="数値として読めない値があります")
_MOST_FEATURES: Final = 10_000_000
_MOST_SUMS: Final = 100_000
_MOST_CODES: Final = 1_000
"""A feature with more categories is not written as ONNX."""
_HEAD_KEYS: Final = frozenset(
    [
        *(
            "version",
            "num_class",
            "num_tree_per_iteration",
            "label_index",
            "max_feature_idx",
            "objective",
        ),
        *("average_output", "feature_names", "monotone_constraints", "feature_infos", "tree_sizes"),
    ]
)
_TREE_KEYS: Final = frozenset(
    [
        *(
            "num_leaves",
            "num_cat",
            "split_feature",
            "split_gain",
            "threshold",
            "decision_type",
            "left_child",
        ),
        *(
            "right_child",
            "leaf_value",
            "leaf_weight",
            "leaf_count",
            "internal_value",
            "internal_weight",
        ),
        *(
            "internal_count",
            "cat_boundaries",
            "cat_threshold",
            "is_linear",
            "leaf_const",
            "num_features",
        ),
        *("leaf_features", "leaf_coeff", "shrinkage"),
    ]
)
_OBJECTIVES: Final = frozenset(
    [
        *(
            "regression",
            "regression_l1",
            "huber",
            "fair",
            "poisson",
            "quantile",
            "mape",
            "gamma",
            "tweedie",
        ),
        *(
            "binary",
            "multiclass",
            "multiclassova",
            "cross_entropy",
            "cross_entropy_lambda",
            "lambdarank",
        ),
        *("rank_xendcg", "custom"),
    ]
)


class Unsound(Exception):
    """The text is not as LightGBM writes it."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)
        self.text = text


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Tree:
    """One tree; its inner nodes come first, then its leaves.

    Attributes:
        left, right: Shape ``(n,)``: the number of each child; -1 of a leaf.
        feature, decision: Shape ``(n,)``: what an inner node asks, and how.
        threshold: Shape ``(n,)``: what it compares with, or the number of its set of categories.
        value: Shape ``(n,)``: what a leaf adds.
        sets: The codes of each set of categories.
        linear: Whether its leaves are lines.

    """

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    decision: NDArray[np.int64]
    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    sets: tuple[NDArray[np.int64], ...]
    linear: bool


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Document:
    """A text that is sound.

    Attributes:
        objective: Its name.
        options: What follows the name, such as ``sigmoid:1``.
        names: The names of the features.
        sums: How many sums the trees make up.
        averaged: Whether the sums are divided by the number of trees.
        trees: The trees.
        noted: Our own line, if there is one.
        categories: The categories of each column that was a pandas categorical, in order.
        infos: What is known of each feature: its range, or its codes.

    """

    objective: str
    options: dict[str, str]
    names: tuple[str, ...]
    sums: int
    averaged: bool
    trees: tuple[Tree, ...]
    noted: str | None
    categories: tuple[tuple[Any, ...], ...]
    infos: tuple[str, ...]

    @property
    def features(self) -> int:
        """How many features."""
        return len(self.names)


def read_document(data: bytes) -> Document:
    """Return the text as typed parts.

    Raises:
        Unsound: It says something that cannot be.
        ValueError, KeyError, IndexError, OverflowError: A line is not as it should be, or missing.

    """
    if b"\x00" in data or b"\r" in data:
        raise Unsound(Text(en="it holds what no text does", ja="テキストにない文字が含まれています"))
    start = data.find(b"\nTree=") + 1 or data.index(b"\nend of trees") + 1
    head = _pairs(data[: start - 1].decode().removeprefix("tree\n"), _HEAD_KEYS)
    names, infos = tuple(head["feature_names"].split(" ")), tuple(head["feature_infos"].split(" "))
    features = int(head["max_feature_idx"]) + 1
    sums = int(head["num_tree_per_iteration"])
    words = head.get("objective", "custom").split(" ")
    if (
        not 0 < features <= _MOST_FEATURES
        or len(names) != features
        or len(infos) != features
        or len(set(names)) != features
    ):
        raise Unsound(Text(en="its features are not as many as it says", ja="特徴量の数が記録と違います"))
    if not 0 < sums <= _MOST_SUMS or int(head["num_class"]) not in {1, sums} or words[0] not in _OBJECTIVES:
        raise Unsound(Text(en="an unknown objective", ja="未知の目的関数です"))
    options = dict(word.partition(":")[::2] for word in words[1:] if word)
    if (words[0] in {"multiclass", "multiclassova"}) != ("num_class" in options) or (
        "num_class" in options and int(options["num_class"]) != sums
    ):
        raise Unsound(Text(en="its classes do not fit", ja="クラスの数が一致しません"))
    trees, rest = _trees(data, start, _integers(head["tree_sizes"]), features)
    if len(trees) % sums:
        raise Unsound(Text(en="its trees are not as many as it says", ja="木の数が記録と違います"))
    noted, categories = _tail(rest)
    return Document(
        objective=words[0],
        options=options,
        names=names,
        sums=sums,
        averaged="average_output" in head,
        trees=trees,
        noted=noted,
        categories=categories,
        infos=infos,
    )


def _trees(data: bytes, start: int, sizes: NDArray[np.int64], features: int) -> tuple[tuple[Tree, ...], bytes]:
    trees = []
    for index, size in enumerate(sizes.tolist()):
        block, mark = data[start : start + size], f"Tree={index}\n".encode()
        if size < len(mark) or not block.startswith(mark) or block.count(b"Tree=") != 1:
            raise Unsound(Text(en="a tree is not where it should be", ja="木の位置が記録と違います"))
        trees.append(_tree(block[len(mark) :].decode("ascii"), features))
        start += size
    rest = data[start:]
    if not rest.startswith(b"end of trees\n") or b"\nTree=" in rest:
        raise Unsound(Text(en="its trees do not end where they should", ja="木の終わりの位置が違います"))
    counts = np.array([len(tree.left) for tree in trees], dtype=np.int64)
    if trees:
        begins = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        left, right = (
            np.concatenate(
                [np.where(child == -1, -1, child + begin) for child, begin in zip(side, begins, strict=True)]
            )
            for side in ([tree.left for tree in trees], [tree.right for tree in trees])
        )
        if not are_trees(left, right, begins, counts):
            raise Unsound(Text(en="a tree points outside itself", ja="木が自身の外を指しています"))
    return tuple(trees), rest


def _tree(text: str, features: int) -> Tree:
    pairs = _pairs(text, _TREE_KEYS)
    leaves, sets, _ = (int(_integers(pairs[key])[0]) for key in ("num_leaves", "num_cat", "is_linear"))
    _numbers(pairs["shrinkage"])
    value = _numbers(pairs["leaf_value"])
    inner = leaves - 1
    whole = {
        key: _integers(pairs.get(key, "")) for key in ("split_feature", "decision_type", "left_child", "right_child")
    }
    threshold = _numbers(pairs.get("threshold", ""))
    if leaves < 1 or len(value) != leaves or any(len(each) != inner for each in (*whole.values(), threshold)):
        raise Unsound(Text(en="a tree has not as many nodes as it says", ja="ノードの数が記録と違います"))
    for key, count in (
        *(("leaf_weight", leaves), ("leaf_count", leaves), ("split_gain", inner)),
        *(("internal_value", inner), ("internal_weight", inner), ("internal_count", inner)),
    ):
        if len(_numbers(pairs.get(key, ""))) not in {0, count}:
            raise Unsound(Text(en="a tree has not as many nodes as it says", ja="ノードの数が記録と違います"))
    feature, decision = whole["split_feature"], whole["decision_type"]
    if np.any((feature < 0) | (feature >= features)) or np.any((decision < 0) | (decision > 15)):
        raise Unsound(Text(en="a tree asks a feature that is not there", ja="存在しない特徴量を参照しています"))
    if not np.isfinite(threshold).all() or not np.isfinite(value).all():
        raise Unsound(Text(en="a number is not finite", ja="有限でない数値があります"))
    chosen = threshold[decision % 2 == 1]
    if np.any((chosen < 0) | (chosen >= sets) | (chosen != np.floor(chosen))):
        raise Unsound(Text(en="its categories do not fit", ja="カテゴリが一致しません"))
    # A child below zero is a leaf: -1 is the first.
    left, right = (np.where(child >= 0, child, inner + ~child) for child in (whole["left_child"], whole["right_child"]))
    if any(np.any(child >= inner) for child in (whole["left_child"], whole["right_child"])):
        raise Unsound(Text(en="a tree points outside itself", ja="木が自身の外を指しています"))
    none = np.full(leaves, -1, dtype=np.int64)
    return Tree(
        left=np.concatenate([left, none]),
        right=np.concatenate([right, none]),
        feature=np.concatenate([feature, np.zeros(leaves, dtype=np.int64)]),
        decision=np.concatenate([decision, np.zeros(leaves, dtype=np.int64)]),
        threshold=np.concatenate([threshold, np.zeros(leaves)]),
        value=np.concatenate([np.zeros(inner), value]),
        sets=_sets(pairs, sets),
        linear=_is_linear(pairs, leaves, features),
    )


def _sets(pairs: dict[str, str], count: int) -> tuple[NDArray[np.int64], ...]:
    """Return the codes in each set of categories, which are bits of words of 32."""
    if count == 0:
        return ()
    bounds, words = _integers(pairs["cat_boundaries"]), _integers(pairs["cat_threshold"])
    if (
        len(bounds) != count + 1
        or bounds[0] != 0
        or bounds[-1] != len(words)
        or np.any(np.diff(bounds) < 0)
        or np.any((words < 0) | (words >= 2**32))
    ):
        raise Unsound(Text(en="its categories do not fit", ja="カテゴリが一致しません"))
    return tuple(
        np.flatnonzero((words[begin:end, None] >> np.arange(32)) & 1)
        for begin, end in itertools.pairwise(bounds.tolist())
    )


def _is_linear(pairs: dict[str, str], leaves: int, features: int) -> bool:
    """Return whether the leaves are lines, whose features and factors are looked at as well."""
    if int(pairs["is_linear"]) == 0:
        return False
    # Each leaf has a list of its own, with a space behind it.
    words, factors = (" ".join(pairs.get(key, "").split()) for key in ("leaf_features", "leaf_coeff"))
    counts, asked = _integers(pairs["num_features"]), _integers(words)
    if (
        len(_numbers(pairs["leaf_const"])) != leaves
        or len(counts) != leaves
        or np.any(counts < 0)
        or int(counts.sum()) != len(asked)
        or len(_numbers(factors)) != len(asked)
        or np.any((asked < 0) | (asked >= features))
    ):
        raise Unsound(Text(en="its linear leaves do not fit", ja="線形の葉の内容が一致しません"))
    return True


def _tail(rest: bytes) -> tuple[str | None, tuple[tuple[Any, ...], ...]]:
    """Return our own line and the categories, from what follows the trees."""
    noted: str | None = None
    categories: Any = None
    for line in rest.decode().split("\n"):
        if line.startswith(f"{HEAD}:"):
            noted = line.removeprefix(f"{HEAD}:") if noted is None else _twice()
        elif line.startswith("pandas_categorical:"):
            categories = json.loads(line.removeprefix("pandas_categorical:")) if categories is None else _twice()
    if categories is None:
        return noted, ()
    if not isinstance(categories, list) or not all(
        isinstance(column, list) and all(isinstance(value, str | int | float) for value in column)
        for column in categories
    ):
        raise Unsound(Text(en="its categories do not fit", ja="カテゴリが一致しません"))
    return noted, tuple(map(tuple, categories))


def _twice() -> str:
    raise Unsound(Text(en="a line stands twice", ja="同じ行が2回あります"))


def _pairs(text: str, known: frozenset[str]) -> dict[str, str]:
    """Return the lines ``key=value``; a key alone has an empty value."""
    found: dict[str, str] = {}
    for line in text.split("\n"):
        if not line:
            continue
        key, _, value = line.partition("=")
        if key not in known or key in found:
            raise Unsound(Text(en="a line is unknown, or stands twice", ja="未知の行か、重複した行があります"))
        found[key] = value
    return found


_INTEGERS: Final = re.compile(r"(-?[0-9]{1,10}( -?[0-9]{1,10})*)?")
_NUMBER: Final = r"-?[0-9]{1,400}(\.[0-9]{1,400})?(e[+-]?[0-9]{1,3})?"
_NUMBERS: Final = re.compile(f"({_NUMBER}( {_NUMBER})*)?")


def _integers(text: str) -> NDArray[np.int64]:
    # LightGBM's own parser ends the process where a word is no number.
    if not _INTEGERS.fullmatch(text):
        raise Unsound(_NO_NUMBER)
    return np.array([int(word) for word in text.split()], dtype=np.int64)


def _numbers(text: str) -> NDArray[np.float64]:
    if not _NUMBERS.fullmatch(text):
        raise Unsound(_NO_NUMBER)
    return np.array([float(word) for word in text.split()], dtype=np.float64)


def forest_of(document: Document) -> Forest:
    """Return the trees of a document.

    Raises:
        NotConvertible: Its leaves are lines, zeros stand for nulls, or its objective is not known here.

    """
    if any(tree.linear for tree in document.trees):
        raise NotConvertible("LightGBM's linear trees")
    factor, link = _link(document)
    if document.averaged:
        factor /= max(len(document.trees) // document.sums, 1)
    nodes, sets = _nodes(document.trees)
    return Forest(
        nodes=nodes,
        targets=np.arange(len(document.trees), dtype=np.int64) % document.sums,
        base=np.zeros(document.sums),
        factor=factor,
        link=link,  # type: ignore[arg-type]
        strict=False,
        single=False,
        sets=sets,
        categories=_categories(document, nodes),
    )


def _link(document: Document) -> tuple[float, str]:
    match document.objective:
        case "binary":
            return float(document.options.get("sigmoid", "1")), "sigmoid"
        case "cross_entropy":
            return 1.0, "sigmoid"
        case "multiclass":
            return 1.0, "softmax"
        case "poisson" | "gamma" | "tweedie":
            return 1.0, "exp"
        case "cross_entropy_lambda" | "multiclassova":
            raise NotConvertible(f"LightGBM's objective {document.objective}")
    if "sqrt" in document.options:
        raise NotConvertible("LightGBM's objective of the square root")
    return 1.0, "identity"


def _nodes(trees: tuple[Tree, ...]) -> tuple[Nodes, tuple[Any, ...]]:
    parts: dict[str, list[Any]] = {name: [] for name in Nodes.__dataclass_fields__}
    sets: list[Any] = []
    start = 0
    for index, tree in enumerate(trees):
        leaf, by_category = tree.left == -1, tree.decision % 2 == 1
        missing = (tree.decision >> 2) & 3
        if np.any((missing == 1) & ~by_category & ~leaf):
            raise NotConvertible("LightGBM that takes zeros for nulls")
        codes = np.where(by_category & ~leaf, len(sets) + tree.threshold.astype(np.int64), -1)
        for chosen in tree.sets:
            if len(chosen) and int(chosen.max()) >= _MOST_CODES:
                raise NotConvertible("a feature with too many categories")
            going = np.zeros(_MOST_CODES, dtype=np.bool_)
            going[chosen] = True
            sets.append(going)
        for name, values in (
            ("tree", np.full(len(tree.left), index)),
            ("left", np.where(leaf, -1, tree.left + start)),
            ("right", np.where(leaf, -1, tree.right + start)),
            ("feature", tree.feature),
            ("threshold", tree.threshold),
            # Where no null was met in training, one counts as zero.
            ("missing_left", np.where(missing == 2, tree.decision & 2 != 0, tree.threshold >= 0.0) & ~by_category),
            ("codes", codes),
            ("value", tree.value),
        ):
            parts[name].append(values)
        start += len(tree.left)
    return Nodes(**{name: np.concatenate(values) for name, values in parts.items()}), tuple(sets)


def _categories(document: Document, nodes: Nodes) -> dict[int, Categories]:
    """Return the categories of the features that are split by them; those of pandas stand in the order of the columns."""
    by_category = set(nodes.feature[(nodes.codes >= 0)].tolist())
    listed = [index for index, info in enumerate(document.infos) if ":" in info and not info.startswith("[")]
    if document.categories:
        if not by_category <= set(listed) or len(listed) != len(document.categories):
            raise NotConvertible("categories that cannot be told apart")
        return {
            index: Categories(values=values, refuses=False)
            for index, values in zip(listed, document.categories, strict=True)
        }
    return {index: Categories(values=tuple(range(_MOST_CODES)), refuses=False) for index in by_category}
