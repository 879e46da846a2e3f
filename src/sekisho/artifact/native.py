"""A fitted estimator that answers by itself: its own library, fed with columns in the dtypes that it was trained on."""

from __future__ import annotations

import contextlib
import warnings
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sekisho.artifact.column import Column, Scalar
from sekisho.artifact.kinds import takes_bare_texts
from sekisho.artifact.runtime import Columns, Outputs
from sekisho.artifact.several import probabilities_of, values_of
from sekisho.artifact.table import Table
from sekisho.errors import ModelFailed
from sekisho.text import Text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sekisho.artifact.signature import Feature, Output, Signature


SMALL: Final = 4_096
"""Up to this many rows one thread answers: to bring others together costs more than they give, many times so on a busy machine."""


class EstimatorRuntime:
    """An object with ``predict`` and perhaps ``predict_proba``, as scikit-learn has them. Never given float32 unless trained on it.

    Args:
        model: The fitted estimator.
        signature: What it is given and what it answers.

    """

    fenced: Final = False

    def __init__(self, model: Any, signature: Signature) -> None:
        self.model = model
        self._signature = signature
        self._before: Any
        self._before, self._last = _parted(model) if signature.output.probabilities else (None, model)
        self._bare = takes_bare_texts(model)
        self._pools = _pools()

    def run(self, columns: Columns) -> Outputs:
        """Answer the rows of ``columns``."""
        output = self._signature.output
        try:
            with self._threads(len(next(iter(columns.values())))), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # an unseen category is a warning here; it is flagged elsewhere
                given = self.given(columns)
                if self._before is not None:
                    given = self._before.transform(given)  # once, for both questions
                values, probabilities = self._asked(given)
        except Exception as error:
            raise ModelFailed(
                "model_error",
                Text(en="the model could not answer these rows", ja="モデルがこの行に答えられませんでした"),
                Text(en="check the rows against the signature", ja="行を入力仕様と照らし合わせてください"),
            ) from error
        rows = len(next(iter(columns.values())))
        return _checked(values, probabilities, rows, output)

    def _asked(self, given: Any) -> tuple[NDArray[np.generic], NDArray[np.float64] | None]:
        """Return the answers of the last step, and its probabilities where there are any."""
        output = self._signature.output
        answered = self._last.predict(given)
        stated = self._last.predict_proba(given) if output.probabilities else None
        if output.outputs:
            return values_of(answered, output), None if stated is None else probabilities_of(stated)
        values = np.asarray(answered)
        if values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        if output.task == "regression":
            values = values.astype(np.float64)
        elif values.dtype.kind == "U":
            values = values.astype(object)
        return values, None if stated is None else np.asarray(stated)

    def _threads(self, rows: int) -> AbstractContextManager[object]:
        if self._pools is None or rows > SMALL:
            return contextlib.nullcontext()
        limited: AbstractContextManager[object] = self._pools.limit(limits=1)
        return limited

    def given(self, columns: Columns) -> Any:
        """Return ``columns`` as the estimator was trained on: a data frame, or an array if its columns never had names."""
        if self._bare and len(columns) == 1:
            (texts,) = columns.values()
            return texts
        table = restore(columns, self._signature)
        if hasattr(self.model, "feature_names_in_") or not _all_numbers(self._signature):
            frame = table.to_pandas()
            return frame if hasattr(self.model, "feature_names_in_") else frame.to_numpy(dtype=object)
        return np.column_stack([_number(column) for column in table.columns])


def _parted(model: Any) -> tuple[Any, Any]:
    """Return the steps of one of scikit-learn's pipelines before the last, ``None`` if there are none, and the last."""
    if type(model).__name__ != "Pipeline" or not type(model).__module__.startswith("sklearn.") or len(model.steps) < 2:
        return None, model
    return model[:-1], model.steps[-1][1]


def restore(columns: Columns, signature: Signature) -> Table:
    """Return the arrays that a runtime is given as a table, with the dtypes and categories of the signature."""
    return Table(columns=tuple(_restored(feature, columns[feature.name]) for feature in signature.features))


def column_of_scalars(feature: Feature, cells: list[Scalar]) -> Column:
    """Return JSON values that fit ``feature`` as its column."""
    null = np.array([cell is None for cell in cells], dtype=np.bool_)
    values: NDArray[np.generic]
    if feature.kind == "float":
        values = np.array([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    elif feature.kind in {"integer", "boolean"}:
        kind = np.int64 if feature.kind == "integer" else np.bool_
        values = np.array([0 if cell is None else cell for cell in cells], dtype=kind)
    elif feature.kind == "datetime":
        # NumPy knows no zones: RFC 3339 in UTC, as cells are written, without its Z.
        values = np.array(
            ["NaT" if cell is None else str(cell).removesuffix("Z") for cell in cells], dtype="datetime64[us]"
        )
    else:
        objects = np.empty(len(cells), dtype=object)
        objects[:] = cells
        values = objects
    return Column(
        name=feature.name,
        kind=feature.kind,
        dtype=feature.dtype,
        values=values,
        null=null,
        categories=_declared(feature),
    )


def _declared(feature: Feature) -> tuple[Scalar, ...] | None:
    return feature.categories if feature.dtype.startswith("category") else None


def _restored(feature: Feature, values: NDArray[np.generic]) -> Column:
    if feature.kind in {"integer", "boolean"}:
        null = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=np.bool_)
        cells: NDArray[np.generic] = np.where(null, 0, values).astype(
            np.int64 if feature.kind == "integer" else np.bool_
        )
    elif feature.kind == "float":
        cells = values.astype(np.float64)
        null = np.isnan(cells)
    elif feature.kind == "datetime":
        cells = values.astype("datetime64[us]")
        null = np.isnat(cells)
    else:
        cells = values
        null = np.fromiter((value is None for value in values.tolist()), dtype=np.bool_, count=len(values))
    return Column(
        name=feature.name,
        kind=feature.kind,
        dtype=feature.dtype,
        values=cells,
        null=null,
        categories=_declared(feature),
    )


def _all_numbers(signature: Signature) -> bool:
    return all(feature.kind in {"float", "integer", "boolean"} for feature in signature.features)


def _number(column: Column) -> NDArray[np.generic]:
    values = column.array()
    return values.astype(np.float32) if column.dtype == "float32" else values


def _checked(
    values: NDArray[np.generic], probabilities: NDArray[np.float64] | None, rows: int, output: Output
) -> Outputs:
    shape = (rows, len(output.outputs)) if output.outputs else (rows,)
    if values.shape != shape or (probabilities is not None and probabilities.shape != (rows, output.width)):
        raise ModelFailed(
            "invalid_output",
            Text(en="the model gave an answer of another shape than its rows", ja="モデルの答えの形が行数と合いません"),
            Text(en="pack the model again", ja="モデルをパックし直してください"),
        )
    return Outputs(values=values, probabilities=None if probabilities is None else probabilities.astype(np.float64))


def _pools() -> Any:
    """Return the control of the thread pools that are loaded (OpenMP, BLAS), where scikit-learn brought it."""
    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:
        return None
    return ThreadpoolController()
