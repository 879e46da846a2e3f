"""The answers of the model to the test set: by the artifact itself, else by the service.

They are asked for when a probe first needs them, so that a run whose evidence is all at hand asks nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sekisho.artifact.artifact import ModelArtifact
from sekisho.artifact.signature import Signature
from sekisho.artifact.table import Column, Scalar, Table
from sekisho.contract.project import Project
from sekisho.errors import NotMeasured, SekishoError
from sekisho.gate.probe import resource
from sekisho.probes.adapters.interface import Answer
from sekisho.probes.resources.labels import Labels, refuse_several, spelling
from sekisho.probes.resources.service import Service
from sekisho.probes.resources.tables import TestSet
from sekisho.probes.statistics.answers import Answers, Floats
from sekisho.text import Text

MOST_ROWS_ASKED: Final = 5_000
"""How many rows are sent to a service; an artifact answers all of them."""

AT_ONCE: Final = 100_000
"""How many rows an artifact is asked about at a time."""

Source = Literal["artifact", "service"]


class Scored:
    """The answers to the rows of the test set whose target is known.

    Attributes:
        source: Who answered.
        labels: The classes by number; none for values.
        signature: What the model takes and gives, as far as it is known.
        digest: Of the rows and of whoever answered; empty when that is not known.

    """

    def __init__(
        self,
        test: TestSet,
        target: Column,
        *,
        artifact: ModelArtifact | None,
        service: Service | None,
        positive: Scalar,
        seed: int,
    ) -> None:
        self.source: Source = "artifact" if artifact is not None else "service"
        asked = artifact if artifact is not None else service
        assert asked is not None
        self.signature: Signature = asked.signature
        self.labels = Labels.of(self.signature.output, target)
        self.digest = (
            hashlib.sha256(f"{test.digest} {asked.digest} {positive!r} {seed}".encode()).hexdigest()
            if asked.digest
            else ""
        )
        self._test, self._target, self._artifact, self._service = test, target, artifact, service
        self._positive, self._seed = self.labels.positive(positive), seed
        self._lock = threading.Lock()
        self._result: tuple[Answers, NDArray[np.int64]] | SekishoError | None = None

    @property
    def answers(self) -> Answers:
        """What was right and what was answered, ``m`` rows.

        Raises:
            SekishoError: The model failed, or the service did not answer.

        """
        return self._all()[0]

    @property
    def rows(self) -> NDArray[np.int64]:
        """The places of the answered rows in the test set, shape ``(m,)``.

        Raises:
            SekishoError: The model failed, or the service did not answer.

        """
        return self._all()[1]

    @property
    def test(self) -> Table:
        """The answered rows of the test set, with every column, ``m`` rows."""
        full, rows = self._test.full, self.rows
        return full if len(rows) == full.rows else full.take(rows)

    def answered_by(self, other: ModelArtifact) -> Answers:
        """Return what another model answers to the same rows, in the same numbers.

        Raises:
            NotMeasured: It asks for columns that the test set does not have, or answers what is no class of the target.
            SekishoError: It failed.

        """
        absent = [name for name in other.signature.names if name not in self._test.full.names]
        if absent:
            raise NotMeasured(
                Text(
                    en=f"the test set lacks {', '.join(absent[:5])}, which the other model asks for",
                    ja=f"比べるモデルに必要な {', '.join(absent[:5])} がテストデータにありません",
                ),
                Text(en="keep its columns in data.test", ja="data.test にその列を残してください"),
            )
        given, probabilities = _answered(other, self._test.full.select(other.signature.names).take(self.rows))
        truth = self._target.take(self.rows).scalars()
        if not self.labels.classes:
            return _values(truth, given)
        if probabilities is not None:
            places = [self.labels.number(label) for label in other.signature.output.classes or ()]
            stated = np.zeros((len(given), len(self.labels.classes)))
            for column, place in enumerate(places):
                if place is not None:
                    stated[:, place] = probabilities[:, column]
            probabilities = stated
        return _numbered(truth, given, probabilities, self.labels, self._positive)

    def _all(self) -> tuple[Answers, NDArray[np.int64]]:
        with self._lock:
            if self._result is None:
                try:
                    self._result = self._ask()
                except SekishoError as error:
                    self._result = error
            if isinstance(self._result, SekishoError):
                raise self._result
            return self._result

    def _ask(self) -> tuple[Answers, NDArray[np.int64]]:
        rows = np.flatnonzero(~self._target.null)
        if self._artifact is None and len(rows) > MOST_ROWS_ASKED:
            random = np.random.default_rng(self._seed)
            rows = np.sort(random.choice(rows, MOST_ROWS_ASKED, replace=False))
        if not len(rows):
            raise NotMeasured(
                Text(en="no row of the test set has a target", ja="テストデータに正解のある行がありません"),
                Text(en="fill the target column of data.test", ja="data.test の目的変数の列を埋めてください"),
            )
        table = self._test.full.select(self.signature.names)
        table = table if len(rows) == table.rows else table.take(rows)
        labels, probabilities = self._by_artifact(table) if self._artifact is not None else self._by_service(table)
        truth = self._target.take(rows).scalars()
        if not self.labels.classes:
            return _values(truth, labels), rows
        return _numbered(truth, labels, probabilities, self.labels, self._positive), rows

    def _by_artifact(self, table: Table) -> tuple[list[Scalar], Floats | None]:
        assert self._artifact is not None
        return _answered(self._artifact, table)

    def _by_service(self, table: Table) -> tuple[list[Scalar], Floats | None]:
        assert self._service is not None
        replies = self._service.predict(table.records())
        answers = [reply for reply in replies if isinstance(reply, Answer)]
        if len(answers) < len(replies):
            raise NotMeasured(
                Text(
                    en=f"the service answered {len(answers)} of {len(replies)} rows of the test set",
                    ja=f"サービスがテストデータ {len(replies)} 行のうち {len(answers)} 行にしか答えませんでした",
                ),
                Text(
                    en="look at inference/api: every row of the test set must get an answer",
                    ja="inference/api を確認してください。テストデータの全行に答える必要があります",
                ),
            )
        return [answer.label for answer in answers], _stated(answers, self.labels, self._positive)


def _answered(artifact: ModelArtifact, table: Table) -> tuple[list[Scalar], Floats | None]:
    """Return what an artifact answers, asked for so many rows at a time that memory does not grow with the table."""
    labels: list[Scalar] = []
    probabilities: list[Floats] = []
    for start in range(0, table.rows, AT_ONCE):
        outputs = artifact.predict(table.take(slice(start, start + AT_ONCE)))
        labels += outputs.values.tolist()
        if outputs.probabilities is not None:
            probabilities.append(outputs.probabilities)
    return labels, np.concatenate(probabilities) if probabilities else None


def _numbered(
    truth: list[Scalar], given: list[Scalar], probabilities: Floats | None, labels: Labels, positive: int | None
) -> Answers:
    answered = labels.numbers(given)
    if np.isnan(answered).any():
        raise NotMeasured(
            Text(
                en="the model answers something that is no class of the target",
                ja="モデルが目的変数のクラスにない値を返しています",
            ),
            Text(
                en="check that data.target holds the labels that the model answers",
                ja="data.target の値がモデルの返すラベルと同じか確認してください",
            ),
        )
    classes = len(labels.classes)
    if probabilities is not None and probabilities.shape[1] < classes:
        # The model has never seen the last classes: it gives them nothing.
        padding = np.zeros((len(given), classes - probabilities.shape[1]))
        probabilities = np.concatenate([probabilities, padding], axis=1)
    return Answers(
        task="binary" if classes == 2 else "multiclass",
        truth=labels.numbers(truth).astype(np.int64),
        given=answered.astype(np.int64),
        probabilities=probabilities,
        classes=classes,
        positive=positive,
    )


def _values(truth: Sequence[Scalar], given: Sequence[Scalar]) -> Answers:
    numbers = [value for value in (*truth, *given) if isinstance(value, int | float) and np.isfinite(value)]
    if len(numbers) < 2 * len(truth):
        raise NotMeasured(
            Text(
                en="a target or an answer is not a finite number", ja="目的変数または答えに有限の数でない値があります"
            ),
            Text(
                en="check data.target, and that the model is a regressor",
                ja="data.target と、モデルが回帰モデルかどうかを確認してください",
            ),
        )
    return Answers(
        task="regression",
        truth=np.array(truth, dtype=np.float64),
        given=np.array(given, dtype=np.float64),
        probabilities=None,
        classes=0,
        positive=None,
    )


def _stated(answers: Sequence[Answer], labels: Labels, positive: int | None) -> Floats | None:
    """Return the probability of each class, as far as the service states them: all, or of the positive one of two."""
    names = [spelling(label) for label in labels.classes]
    if all(set(answer.probabilities) == set(names) for answer in answers):
        return np.array([[answer.probabilities[name] for name in names] for answer in answers])
    if len(names) != 2 or any(answer.probability is None for answer in answers):
        return None
    return _of_two(answers, names, positive)


def _of_two(answers: Sequence[Answer], names: Sequence[str], positive: int | None) -> Floats | None:
    """Return both probabilities from the one that is stated: that of the positive class, or that of the answered one.

    The two readings are told apart by the answers themselves: an answered class has a probability of at least one half.
    """
    stated = np.array([answer.probability for answer in answers], dtype=np.float64)
    given = np.array(
        [names.index(spelling(answer.label)) if spelling(answer.label) in names else -1 for answer in answers]
    )
    second = 1 if positive is None else positive
    if (stated >= 0.5).all() and (given != second).any():
        of_second = np.where(given == second, stated, 1 - stated)
    elif ((stated >= 0.5) == (given == second)).mean() >= 0.99:
        of_second = stated
    else:
        return None
    columns = [1 - of_second, of_second] if second == 1 else [of_second, 1 - of_second]
    return np.stack(columns, axis=1)


@resource(title=Text(en="Answer the test set", ja="テストデータを推論"))
def scored(
    project: Project, test: TestSet, artifact: ModelArtifact | None, service: Service | None
) -> Iterator[Scored]:
    """Yield the answers to the test set.

    Raises:
        NotMeasured: There is no target, or nobody who could answer.

    """
    asked = artifact if artifact is not None else service
    refuse_several(None if asked is None else asked.signature.output)
    if test.target is None:
        raise NotMeasured(
            Text(en="data.target is not stated", ja="data.target が指定されていません"),
            Text(
                en="name the target column under [data] in sekisho.toml",
                ja="sekisho.toml の [data] に目的変数の列を指定してください",
            ),
        )
    if artifact is None and service is None:
        raise NotMeasured(
            Text(
                en="neither an artifact nor a service answers the test set",
                ja="テストデータに答える成果物もサービスもありません",
            ),
            Text(
                en="pack the model with sekisho pack, or name your service in serving.command or serving.url",
                ja="sekisho pack で成果物を作るか、serving.command か serving.url で対象のサービスを指定してください",
            ),
        )
    yield Scored(
        test,
        test.target,
        artifact=artifact,
        service=service,
        positive=project.contract.data.positive,
        seed=project.contract.quality.seed,
    )
