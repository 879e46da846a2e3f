"""What every boosting library gives: its own file format, looked at before it is parsed, and its trees as plain arrays."""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from sekisho.errors import CannotPack, IntegrityError
from sekisho.text import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sekisho.artifact.forest import Forest

HEAD: Final = "sekisho"
"""The key, among the notes that each library keeps in its file, of what the library itself forgets: the class of the estimator and the
like, as JSON."""


class Booster(ABC):
    """One library."""

    id: ClassVar[str]
    """Its importable package, which is also the id of its format."""
    distributions: ClassVar[tuple[str, ...]]
    """The distributions that bring it; the first is the one to install."""
    classes: ClassVar[tuple[str, ...]]
    """The estimators that can be kept, and first of all what the library calls its bare model."""

    def owns(self, model: object) -> bool:
        """Return whether ``model`` is an estimator or bare model of this library, or of a class derived from one; nothing is imported."""
        return self.class_of(model) is not None

    def class_of(self, model: object) -> str | None:
        """Return the library's own class that ``model`` is made of; ``None`` if it is none of :attr:`classes`."""
        for kind in type(model).__mro__:
            if kind.__module__.partition(".")[0] == self.id and kind.__name__ in self.classes:
                return kind.__name__
        return None

    @abstractmethod
    def is_fitted(self, model: Any) -> bool:
        """Return whether ``model`` has been trained."""

    @abstractmethod
    def new(self, name: str) -> Any:
        """Return an untrained estimator of the class ``name``."""

    @abstractmethod
    def names(self, model: Any) -> tuple[str, ...] | None:
        """Return the names of the features that a trained ``model`` was given; ``None`` if they had none."""

    @abstractmethod
    def settled(self, model: Any) -> Any:
        """Return ``model`` as an estimator: a bare one becomes a classifier or a regressor, as its objective says.

        Raises:
            CannotPack: Its answers are of no kind that is known here.

        """

    @abstractmethod
    def write(self, model: Any) -> bytes:
        """Return a trained estimator in the library's own format.

        Raises:
            CannotPack: It cannot be kept so that it answers as before.

        """

    @abstractmethod
    def recognises(self, data: bytes) -> bool:
        """Return whether ``data`` is in the library's own format, told by its content."""

    @abstractmethod
    def check(self, data: bytes, *, where: str) -> None:
        """Look at all of ``data`` with code of our own, without the library.

        Raises:
            IntegrityError: It is damaged, beyond the limits, or its trees point outside themselves.

        """

    @abstractmethod
    def read(self, data: bytes, *, where: str) -> Any:
        """Return the estimator in ``data``, once it has been checked. Runs no code of the file.

        Raises:
            IntegrityError: It is damaged.
            ArtifactError: The library that is installed cannot read it.
            MissingLibrary: The library is not installed.

        """

    def try_out(self, model: Any) -> None:
        """Answer rows with and without nulls: what is wrong with ``model`` is to show in a process that may die."""
        zeros = np.zeros((2, int(model.n_features_in_)))
        for rows in (zeros, zeros + np.nan, zeros + 1e30, zeros - 1e30):
            model.predict(rows)

    @abstractmethod
    def forest(self, model: Any) -> Forest:
        """Return the trees of a trained estimator.

        Raises:
            NotConvertible: It is not made of plain trees, or its answers are no known function of their sum.

        """


def damaged(library: str, what: Text, where: str) -> IntegrityError:
    """Return the error for a file that is not as the library writes it."""
    return IntegrityError(
        Text(en=f"this is no sound {library} model: {what.en}", ja=f"{library} のモデルとして不正です: {what.ja}"),
        Text(en="save the model again", ja="モデルを保存し直してください"),
        where=where,
    )


def cannot(what: Text, remedy: Text) -> CannotPack:
    """Return the error for a model that cannot be kept."""
    return CannotPack(what, remedy)


def asked_through(estimator: Any, name: str, through: Callable[..., Any], *fixed: Any) -> None:
    """Let ``through(answer, *fixed, rows)`` answer in place of the method ``name`` of ``estimator``, which is its ``answer``."""
    answer = getattr(estimator, name)
    replaced = functools.partial(through, answer, *fixed)
    setattr(estimator, name, functools.update_wrapper(replaced, answer))
