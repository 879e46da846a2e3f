"""What an estimator is, told by itself: what finds outliers, what finds groups, what takes bare texts, how many answers it gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


def kind_of(model: Any) -> str:
    """Return what scikit-learn says that an estimator is: ``classifier``, ``regressor``, ``outlier_detector``, ``clusterer``, or nothing."""
    try:
        return str(model.__sklearn_tags__().estimator_type or "")
    except Exception:
        # Before scikit-learn 1.6 there are no tags; what only borrows its methods may have none either.
        return str(getattr(model, "_estimator_type", ""))


def last_step(model: Any) -> Any:
    """Return the estimator at the end of pipelines and searches."""
    while True:
        if getattr(model, "best_estimator_", None) is not None:
            model = model.best_estimator_
        elif type(model).__name__ == "Pipeline" and getattr(model, "steps", None):
            model = model.steps[-1][1]
        else:
            return model


def own_labels(model: Any) -> tuple[int, ...] | None:
    """Return the labels of an estimator that nobody taught any: -1 for outliers and 1, or the numbers of groups; else ``None``."""
    kind = kind_of(model)
    if kind == "outlier_detector":
        return (-1, 1)
    if kind == "clusterer":
        return tuple(range(len(getattr(last_step(model), "cluster_centers_", ()))))
    return None


def labels_of_each(model: Any) -> list[NDArray[np.generic]] | None:
    """Return the labels of each answer of a classifier that gives several answers a row; ``None`` for any other model."""
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list):
        return [np.asarray(labels) for labels in classes] if len(classes) > 1 else None
    last = last_step(model)
    many = getattr(last, "multilabel_", False) is True  # one-vs-rest tells so; the others keep a binarizer that does
    many = many or getattr(getattr(last, "_label_binarizer", None), "y_type_", "") == "multilabel-indicator"
    if isinstance(classes, np.ndarray) and classes.ndim == 1 and len(classes) > 1 and many:
        return [np.array([0, 1])] * len(classes)  # its classes are the numbers of the labels
    return None


def tells_second_only(model: Any) -> bool:
    """Return whether a classifier of several answers tells of each the probability of its second class alone, as chains do."""
    return type(last_step(model)).__name__ == "ClassifierChain"


def count_of_answers(model: Any) -> int:
    """Return how many numbers a regressor answers to a row, as far as it tells; 1 where it does not."""
    last = last_step(model)
    kind = type(last).__name__
    if kind == "TransformedTargetRegressor":
        return 1 if getattr(last, "_training_dim", 1) == 1 else max(2, count_of_answers(last.regressor_))
    if kind in {"MultiOutputRegressor", "RegressorChain"}:
        return max(1, len(getattr(last, "estimators_", ())))
    inner = {"BaggingRegressor": "estimators_", "RANSACRegressor": "estimator_"}.get(kind)
    if inner is not None:
        found = getattr(last, inner, None)
        found = found[0] if isinstance(found, list) and found else found
        return 1 if found is None else count_of_answers(found)
    count = getattr(last, "n_outputs_", None)
    if isinstance(count, int | np.integer):
        return int(count)
    coefficients = getattr(last, "coef_", None)
    if isinstance(coefficients, np.ndarray) and coefficients.ndim == 2 and not hasattr(last, "support_vectors_"):
        return len(coefficients)
    if kind == "KernelRidge":
        coefficients = last.dual_coef_
        return int(coefficients.shape[1]) if coefficients.ndim == 2 else 1
    targets = getattr(last, "_y", getattr(last, "y_train_", None))
    return targets.shape[1] if isinstance(targets, np.ndarray) and targets.ndim == 2 else 1


def takes_bare_texts(model: Any) -> bool:
    """Return whether an estimator was trained on a list of strings rather than on a table: it begins with a vectoriser of text."""
    if hasattr(model, "feature_names_in_") or hasattr(model, "n_features_in_"):
        return False
    return any(_reads_text(step) for step in _inside(model))


def text_columns(model: Any) -> frozenset[str]:
    """Return the columns, by name, that a vectoriser of text reads."""
    found = set()
    for step in _inside(model):
        for _, inner, columns in getattr(step, "transformers_", None) or ():
            if isinstance(columns, str) and any(_reads_text(part) for part in _inside(inner)):
                found.add(columns)
    return frozenset(found)


def _reads_text(step: Any) -> bool:
    return hasattr(step, "build_analyzer") and hasattr(step, "ngram_range")


def _inside(model: Any) -> Iterator[Any]:
    """Yield ``model`` and every estimator that it keeps as a step, a candidate or its own."""
    seen: set[int] = set()
    waiting = [model]
    while waiting:
        step = waiting.pop()
        if id(step) in seen or not hasattr(step, "get_params"):
            continue
        seen.add(id(step))
        yield step
        for value in vars(step).values():
            if hasattr(value, "get_params"):
                waiting.append(value)
            elif isinstance(value, list | tuple):
                waiting += [part for item in value for part in (item if isinstance(item, tuple) else (item,))]
