from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sekisho.artifact.formats.interface import Outputs
from sekisho.artifact.signature import Output, Signature, learn_signature
from sekisho.artifact.table import Table
from sekisho.contract.project import Project
from sekisho.contract.sections import Contract, Data, Model
from sekisho.errors import NotMeasured
from sekisho.probes.adapters.interface import Answer
from sekisho.probes.resources import scored as resource
from sekisho.probes.resources.labels import Labels
from sekisho.probes.resources.scored import Scored
from sekisho.probes.resources.tables import TestSet, told_apart
from sekisho.probes.wire.message import Reply

FRAME = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "other": [0, 0, 0, 0], "label": ["no", "yes", "yes", "no"]})


def told(frame: pd.DataFrame = FRAME, **data: Any) -> TestSet:
    return told_apart(Table.of(frame), Data(target="label", **data), TestSet)


def signature(frame: pd.DataFrame = FRAME, **output: Any) -> Signature:
    fields = {"task": "binary", "classes": ("no", "yes")} | output
    return learn_signature(Table.of(frame[["x"]]), Output(**fields))


class Told:
    """A model that answers by a rule."""

    def __init__(self, rule: Callable[[Table], Outputs], known: Signature) -> None:
        self.predict, self.signature, self.digest = rule, known, "0" * 64


class Served:
    """A service that answers by a rule."""

    def __init__(self, rule: Callable[[dict[str, Any]], Answer | Reply], known: Signature) -> None:
        self.rule, self.signature, self.digest = rule, known, "1" * 64

    def predict(self, rows: Sequence[dict[str, Any]]) -> list[Answer | Reply]:
        return [self.rule(row) for row in rows]


def by(artifact: Any = None, service: Any = None, frame: pd.DataFrame = FRAME, positive: Any = None) -> Scored:
    test = told(frame)
    assert test.target is not None
    return Scored(test, test.target, artifact=artifact, service=service, positive=positive, seed=1)


def test_an_artifact_is_asked_for_its_features_alone() -> None:
    def rule(table: Table) -> Outputs:
        assert table.names == ("x",)
        stated = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])
        return Outputs(values=np.array(["no", "yes", "no", "no"], dtype=object), probabilities=stated)

    found = by(artifact=Told(rule, signature()))
    assert found.source == "artifact"
    assert found.answers.truth.tolist() == [0, 1, 1, 0]
    assert found.answers.given.tolist() == [0, 1, 0, 0]
    assert found.answers.positive == 1
    assert found.test.names == ("x", "other", "label")


def test_rows_without_a_target_are_left_out() -> None:
    frame = FRAME.assign(label=pd.Series(["no", None, "yes", "no"], dtype=object))
    found = by(
        artifact=Told(
            lambda table: Outputs(values=np.array(["no"] * table.rows, dtype=object), probabilities=None), signature()
        ),
        frame=frame,
    )
    assert found.rows.tolist() == [0, 2, 3]
    assert len(found.answers) == 3


def test_classes_that_only_one_side_knows_have_numbers() -> None:
    frame = FRAME.assign(label=["no", "yes", "perhaps", "no"])

    def rule(table: Table) -> Outputs:
        stated = np.tile([0.5, 0.5], (table.rows, 1))
        return Outputs(values=np.array(["no"] * table.rows, dtype=object), probabilities=stated)

    found = by(artifact=Told(rule, signature()), frame=frame)
    assert found.labels.classes == ("no", "yes", "perhaps")
    assert found.answers.probabilities is not None
    assert found.answers.probabilities[:, 2].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("spelled", ["1", 1, 1.0])
def test_a_service_may_spell_labels_otherwise(spelled: Any) -> None:
    frame = FRAME.assign(label=[0, 1, 1, 0])
    known = signature(frame, classes=(0, 1), dtype="int64")
    found = by(service=Served(lambda row: Answer(label=spelled), known), frame=frame)
    assert found.source == "service"
    assert found.answers.given.tolist() == [1, 1, 1, 1]
    assert found.answers.probabilities is None


@pytest.mark.parametrize("of", ["answered", "positive"])
def test_one_probability_is_that_of_the_answered_or_of_the_positive_class(of: str) -> None:
    second = {1.0: 0.1, 2.0: 0.9, 3.0: 0.7, 4.0: 0.4}

    def rule(row: dict[str, Any]) -> Answer:
        stated = second[row["x"]]
        label = "yes" if stated >= 0.5 else "no"
        return Answer(label=label, probability=stated if of == "positive" or label == "yes" else 1 - stated)

    found = by(service=Served(rule, signature()))
    assert found.answers.probabilities is not None
    assert found.answers.probabilities[:, 1] == pytest.approx([0.1, 0.9, 0.7, 0.4])


def test_a_probability_that_fits_neither_reading_is_none() -> None:
    def rule(row: dict[str, Any]) -> Answer:
        return Answer(label="yes" if row["x"] % 2 else "no", probability=0.2 * row["x"])

    assert by(service=Served(rule, signature())).answers.probabilities is None


def test_a_service_that_does_not_answer_is_not_measured() -> None:
    service = Served(lambda row: Answer(label="no") if row["x"] > 1 else Reply(status=500), signature())
    with pytest.raises(NotMeasured, match="3 of 4"):
        _ = by(service=service).answers


def test_an_answer_that_is_no_class_is_not_measured() -> None:
    with pytest.raises(NotMeasured, match="no class"):
        _ = by(service=Served(lambda row: Answer(label="maybe"), signature())).answers


def test_values_must_be_finite_numbers() -> None:
    frame = FRAME.assign(label=[1.5, 2.5, 3.5, 4.5])
    known = signature(frame, task="regression", classes=None)
    found = by(service=Served(lambda row: Answer(label=row["x"]), known), frame=frame)
    assert found.answers.task == "regression"
    with pytest.raises(NotMeasured, match="finite"):
        _ = by(service=Served(lambda row: Answer(label="x"), known), frame=frame).answers


def test_the_digest_names_rows_model_and_positive_class() -> None:
    model = Told(lambda table: Outputs(values=np.array([]), probabilities=None), signature())
    digest = by(artifact=model).digest
    assert digest == by(artifact=model).digest
    assert digest != by(artifact=model, positive="no").digest
    assert digest != by(artifact=model, frame=FRAME.assign(x=0.0)).digest
    service = Served(lambda row: Answer(label="no"), signature())
    service.digest = ""
    assert by(service=service).digest == ""


def test_a_positive_class_must_exist() -> None:
    with pytest.raises(NotMeasured, match="positive"):
        by(artifact=Told(lambda table: Outputs(values=np.array([]), probabilities=None), signature()), positive="maybe")


def test_labels_are_told_from_values() -> None:
    def column(values: list[Any]) -> Any:
        return Table.of(pd.DataFrame({"label": values})).column("label")

    assert Labels.of(None, column([0, 1, 1])).classes == (0, 1)
    assert Labels.of(None, column([0.5, 1.5])).classes == ()
    assert Labels.of(None, column(list(range(50)))).classes == ()
    assert Labels.of(None, column([True, False])).classes == (False, True)


def test_nobody_who_could_answer_is_not_measured(tmp_path: Any) -> None:
    project = Project(root=tmp_path, contract=Contract(model=Model(name="x")))
    with pytest.raises(NotMeasured, match="neither"):
        next(iter(resource.scored.open(project, told(), None, None)))
    with pytest.raises(NotMeasured, match="target"):
        next(iter(resource.scored.open(project, told_apart(Table.of(FRAME), Data(), TestSet), None, None)))
