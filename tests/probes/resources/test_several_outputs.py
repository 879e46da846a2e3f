"""A model that gives several answers a row: each is compared, and what judges one answer is not measured."""

from __future__ import annotations

import numpy as np
import pytest

from sekisho.artifact.column import listed
from sekisho.artifact.signature import Output
from sekisho.errors import NotMeasured
from sekisho.probes.adapters.interface import Answer, Unreadable
from sekisho.probes.adapters.invocations import Invocations
from sekisho.probes.adapters.native import Native
from sekisho.probes.adapters.oip import OpenInference
from sekisho.probes.inference.parity import _compare, _Expected
from sekisho.probes.inference.surface import _are_labels
from sekisho.probes.resources.asking import _unsound, answers_apart
from sekisho.probes.resources.labels import Labels
from sekisho.probes.wire.message import Reply

HEIGHT, WEIGHT = Output(task="regression", name="height"), Output(task="regression", name="weight")
NUMBERS = Output(task="multi-output", outputs=(HEIGHT, WEIGHT))
KINDS = tuple(Output(task="binary", name=name, classes=("no", "yes"), probabilities=True) for name in "xy")
LABELS = Output(task="multi-output", outputs=KINDS, probabilities=True)


def reply(body: bytes) -> Reply:
    return Reply(status=200, headers={"content-type": "application/json"}, body=body, seconds=0.0)


def test_what_judges_one_answer_is_not_measured() -> None:
    with pytest.raises(NotMeasured, match="several answers a row"):
        Labels.of(NUMBERS, listed("height", [1.0, 2.0]))


def test_every_protocol_is_read() -> None:
    native = Native(("a",))
    one = native.read_one(
        reply(
            b'{"prediction":{"x":"no","y":"yes"},"probability":{"x":0.9,"y":0.8},"flags":["out_of_range:a"],'
            b'"probabilities":{"x":{"no":0.9,"yes":0.1},"y":{"no":0.2,"yes":0.8}},"model_version":"1"}'
        )
    )
    assert (one.label, one.outputs, one.version, one.flags) == (None, {"x": "no", "y": "yes"}, "1", ("out_of_range:a",))
    assert one.probabilities == {"x: no": 0.9, "x: yes": 0.1, "y: no": 0.2, "y: yes": 0.8}
    for adapter in (native, Invocations(("a",), native.routes)):
        (told,) = adapter.read_many(reply(b'{"predictions":[{"height":1.5,"weight":2}]}'))
        assert told.outputs == {"height": 1.5, "weight": 2}
        with pytest.raises(Unreadable):
            adapter.read_many(reply(b'{"predictions":[{}]}'))
        with pytest.raises(Unreadable):
            adapter.read_many(reply(b'{"predictions":[{"height":[1.5]}]}'))
    tensors = (
        b'{"outputs":[{"name":"prediction_height","datatype":"FP64","shape":[2],"data":[1.0,2.0]},'
        b'{"name":"prediction_weight","datatype":"FP64","shape":[2],"data":[3.0,4.0]}]}'
    )
    read = OpenInference(("a",), "/v2/models/m").read_many(reply(tensors))
    assert [each.outputs for each in read] == [{"height": 1.0, "weight": 3.0}, {"height": 2.0, "weight": 4.0}]


def test_an_answer_that_lacks_a_part_is_unsound() -> None:
    whole = Answer(label=None, outputs={"height": 1.0, "weight": 2.0})
    assert _unsound(whole, NUMBERS) is None
    assert _are_labels(whole, NUMBERS) is True
    for outputs in (
        {"height": 1.0},
        {"height": 1.0, "weight": 2.0, "age": 3.0},
        {"height": 1.0, "weight": "heavy"},
        {},
    ):
        wrong = Answer(label=None, outputs=outputs)  # type: ignore[arg-type]
        assert _unsound(wrong, NUMBERS)
        assert _are_labels(wrong, NUMBERS) is False
    assert _unsound(Answer(label=1.0), NUMBERS)
    assert _unsound(Answer(label=None, outputs={"x": "no", "y": "maybe"}), LABELS)
    assert _unsound(Answer(label=None, outputs={"x": "no", "y": "yes"}, probabilities={"x: no": 1.5}), LABELS)


def test_answers_are_apart_by_the_part_that_differs_most() -> None:
    one = Answer(label=None, outputs={"height": 1.0, "weight": 100.0})
    assert answers_apart(one, Answer(label=None, outputs={"weight": 100.0, "height": 1.0})) == 0.0
    assert answers_apart(one, Answer(label=None, outputs={"height": 1.5, "weight": 101.0})) == 0.5
    assert answers_apart(one, Answer(label=None, outputs={"height": 1.0})) == np.inf
    words = Answer(label=None, outputs={"x": "no", "y": "yes"}, probabilities={"x: no": 0.9, "y: no": 0.2})
    other = Answer(label=None, outputs={"x": "no", "y": "yes"}, probabilities={"x: no": 0.9, "y: no": 0.3})
    assert answers_apart(words, other) == pytest.approx(0.1)
    assert answers_apart(words, Answer(label=None, outputs={"x": "no", "y": "no"})) == np.inf


def test_parity_sees_a_change_in_any_answer() -> None:
    right = _Expected(labels={"height": 1.0, "weight": 2.0}, classes={}, scores=())
    same, off = ({"height": 1.0, "weight": 2.0 + 1e-9}, {"height": 1.0, "weight": 2.1})
    answers = [Answer(label=None, outputs=outputs) for outputs in (same, off, {"height": 1.0})]
    form = _compare("single", "offline", answers, [right] * 3, regression=True)
    assert form.other_labels == 2
    kinds = _Expected(labels={"x": "no", "y": "yes"}, classes={"x: no": 0.9}, scores=())
    answers = [
        Answer(label=None, outputs={"x": "no", "y": each}, probabilities={"x: no": 0.8}) for each in ("yes", "no")
    ]
    form = _compare("single", "offline", answers, [kinds] * 2, regression=False)
    assert form.other_labels == 1
    assert form.largest_gap == pytest.approx(0.1)
