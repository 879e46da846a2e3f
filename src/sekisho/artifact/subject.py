"""What is to be packed: a model, the reference set as it was trained on it, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact import boosting, linear, neural
from sekisho.artifact.column import Column, is_null, listed
from sekisho.artifact.conversion.foreign import settled
from sekisho.artifact.conversion.pipeline import known_categories
from sekisho.artifact.kinds import takes_bare_texts, text_columns
from sekisho.artifact.outputs import output_of, output_of_graph, several
from sekisho.artifact.signature import Feature, Output, Signature, learn_signature
from sekisho.artifact.table import Table
from sekisho.artifact.target import targets_of
from sekisho.errors import CannotPack
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_BARE_FEATURES: Final = 100_000


@dataclass(frozen=True, kw_only=True, eq=False, slots=True)
class Subject:
    """A model and what it was trained on.

    Attributes:
        model: A fitted estimator, or the bytes of an ONNX model.
        output: What it answers.
        features: The features of the reference set, in the order of training; ``None`` if there is none.
        signature: The signature where there is no reference set to learn it from.
        given: The features just as they were given, if that was a data frame of pandas or an array: the model itself can be asked about
            them.

    """

    model: Any
    output: Output
    features: Table | None = None
    signature: Signature | None = None
    given: Any = None


def subject_of(
    model: Any, reference: object = None, target: object = None, *, names: Sequence[str] | None = None
) -> Subject:
    """Return the subject.

    Args:
        model: A fitted estimator, or an ONNX model. Where it knows the names of its features, they are picked by name from the reference set,
            and other columns are left out.
        reference: Anything that :meth:`Table.of <sekisho.artifact.table.Table.of>` takes, or ``None``.
        target: The name of a column of ``reference``, or several; or the answers themselves, as
            :func:`~sekisho.artifact.target.targets_of` takes them.
        names: The names of the features, in order, where neither model nor reference set knows them.

    Raises:
        CannotPack: A feature is missing, the counts differ, or the model's answers are of no kind that is known here.
        NotFound: There is no column of that name.

    """
    model = linear.settled(model) if linear.is_statsmodels(model) else boosting.settled(model)
    _check_fitted(model)
    own = _own_names(model)
    table, answers = None, None
    if reference is not None:
        table = Table.of(reference, own or names if isinstance(reference, np.ndarray) else None)
        answers, taken = targets_of(table, target)
        table = table.without(taken)
        table = _with_texts(_chosen(table, own, getattr(model, "n_features_in_", None)), model)
    if neural.is_module(model):
        model = neural.settled(model, table, _only(answers))
    model, output = _with_output(model, answers)
    if table is not None:
        return Subject(model=model, output=output, features=table, given=_as_given(reference, table))
    return Subject(model=model, output=output, signature=_bare(model, own or names, output))


def _check_fitted(model: Any) -> None:
    """Refuse what is no model at all, and one of scikit-learn's or a boosting library's estimators that was never trained."""
    if isinstance(model, str | Path | Mapping | list | tuple | np.ndarray | None):
        raise CannotPack(
            Text(en=f"a {type(model).__name__} is no model", ja=f"{type(model).__name__} はモデルではありません"),
            Text(
                en="give the fitted model itself; a saved file is packed with sekisho pack FILE",
                ja="学習済みのモデルそのものを渡してください。保存済みのファイルは sekisho pack FILE でパックできます",
            ),
        )
    if not _is_fitted(model):
        raise CannotPack(
            Text(en="the model is not fitted", ja="モデルが学習されていません"),
            Text(en="call fit before packing it", ja="パックする前に fit を呼んでください"),
        )


def _is_fitted(model: Any) -> bool:
    unit = boosting.library_of(model)
    if unit is not None:
        return unit.is_fitted(model)
    if type(model).__module__.partition(".")[0] != "sklearn":
        return True
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True


def _with_texts(table: Table, model: Any) -> Table:
    """Return the features; what a vectoriser reads is text, however few texts there are."""
    texts = frozenset(table.names) if takes_bare_texts(model) else text_columns(model)
    return Table(
        columns=tuple(
            replace(column, kind="text") if column.kind == "category" and column.name in texts else column
            for column in table.columns
        )
    )


def _as_given(reference: Any, features: Table) -> Any:
    if isinstance(reference, np.ndarray) and reference.ndim == 2 and reference.shape[1] == len(features.columns):
        return reference
    if len(features.columns) == 1 and getattr(reference, "ndim", 1) == 1 and not hasattr(reference, "columns"):
        return features.columns[0].values  # texts without a table
    if hasattr(reference, "iloc") and list(reference.columns) and set(features.names) <= set(reference.columns):
        return reference[list(features.names)]
    return None


def _only(answers: tuple[Column, ...] | None) -> Column | None:
    """Return the true answers where there is one a row."""
    if answers is None or len(answers) == 1:
        return None if answers is None else answers[0]
    raise several()


def _with_output(model: Any, answers: tuple[Column, ...] | None) -> tuple[Any, Output]:
    if isinstance(model, bytes) or type(model).__name__ == "ModelProto":
        data = model if isinstance(model, bytes) else bytes(model.SerializeToString(deterministic=True))
        graph, given = settled(data)
        return graph, output_of_graph(_only(answers), probabilities="probabilities" in given, label="label" in given)
    return model, output_of(model, answers)


def _own_names(model: Any) -> tuple[str, ...] | None:
    unit = boosting.library_of(model)
    if unit is not None:
        return unit.names(model) if unit.is_fitted(model) else None
    own = getattr(model, "feature_names_in_", None)
    return None if own is None else tuple(str(name) for name in own)


def _chosen(table: Table, own: tuple[str, ...] | None, count: int | None) -> Table:
    """Return the features in the order of training."""
    if own is None:
        if count and count != len(table.columns):  # CatBoost says 0 of a model that it has read
            raise CannotPack(
                Text(
                    en=f"the model takes {count} features, the reference set has {len(table.columns)}",
                    ja=f"モデルの特徴量は {count} 個ですが、参照データは {len(table.columns)} 列です",
                ),
                Text(en="give the very columns that it was trained on", ja="学習に使った列だけを渡してください"),
            )
        return table
    # LightGBM writes a space as "_".
    spaced = {name.replace(" ", "_"): name for name in table.names} | {name: name for name in table.names}
    own = tuple(spaced.get(name, name) for name in own)
    missing = [name for name in own if name not in table.names]
    if missing:
        raise CannotPack(
            Text(
                en=f"the reference set lacks {', '.join(missing[:5])}",
                ja=f"参照データに列がありません: {', '.join(missing[:5])}",
            ),
            Text(en="give the columns that it was trained on", ja="学習に使った列を渡してください"),
        )
    return table.select(own)


def _bare(model: Any, names: Sequence[str] | None, output: Output) -> Signature:
    """Return the signature of a model without a reference set: names, and numbers for all that is known."""
    if names is None:
        count = getattr(model, "n_features_in_", None)
        if not isinstance(count, int | np.integer) or not 0 < count <= _MOST_BARE_FEATURES:
            raise CannotPack(
                Text(en="nobody knows the features of this model", ja="このモデルの特徴量が分かりません"),
                Text(
                    en="give a reference set, or feature_names in the metadata",
                    ja="参照データか、メタデータの feature_names を渡してください",
                ),
            )
        names = [f"x{index}" for index in range(count)]
    known = known_categories(model, names)
    features = tuple(
        _feature_of_categories(name, known[name])
        if name in known
        else Feature(name=name, kind="float", dtype="float64", nullable=False)
        for name in names
    )
    return Signature(features=features, output=output)


def _feature_of_categories(name: str, categories: Sequence[Any]) -> Feature:
    """Return what an encoder's own categories say of a feature."""
    nulls = [value for value in categories if is_null(value)]
    column = listed(
        name, categories, dtype="object[nan]" if any(isinstance(value, float) for value in nulls) else "object"
    )
    (feature,) = learn_signature(Table(columns=(column,)), Output(task="regression")).features
    return feature
