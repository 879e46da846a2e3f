"""The proof of parity finds every kind of difference, however small the place where it shows."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from sekisho.artifact import strict_json
from sekisho.artifact.native import EstimatorRuntime
from sekisho.artifact.outputs import output_of
from sekisho.artifact.parity import TOLERANCE, Attempt, compare, find_equal
from sekisho.artifact.runtime import Columns, Graph, Outputs
from sekisho.artifact.signature import Feature, Output, Signature, learn_signature
from sekisho.artifact.table import Table
from sekisho.artifact.thresholds import thresholds
from sekisho.artifact.trials import Trial, trials
from sekisho.errors import ArtifactError, ModelFailed
from sekisho.text import verbatim

if TYPE_CHECKING:
    from collections.abc import Callable

THRESHOLD = 0.37519
BINARY = Output(task="binary", classes=("no", "yes"), dtype="object", probabilities=True)
SIGNATURE = Signature(
    features=(
        Feature(name="x", kind="float", dtype="float64", nullable=True, minimum=0.0, maximum=1.0),
        Feature(name="n", kind="integer", dtype="int64", nullable=False, minimum=0, maximum=100),
        Feature(name="c", kind="category", dtype="object", nullable=False, categories=("a", "b")),
    ),
    output=BINARY,
)
REGRESSION = Signature(features=SIGNATURE.features, output=Output(task="regression"))


@dataclass(frozen=True)
class Stump:
    """A model with one threshold on ``x``, one on ``n``, and a null and a category of its own."""

    x: float = THRESHOLD
    n: int = 42
    null: float = 0.9
    unseen: float = 0.3
    knows: tuple[str, ...] = ("a", "b")
    refuses_unseen: bool = False
    fenced: bool = True
    regression: bool = False

    def score(self, columns: Columns) -> Any:
        x, n, c = columns["x"].astype(float), columns["n"].astype(int), columns["c"]
        known = np.isin(c.astype(str), self.knows)
        if self.refuses_unseen and not known.all():
            raise ModelFailed("model_error", verbatim("x"), verbatim("x"))
        with np.errstate(invalid="ignore"):
            scores = np.where(x <= self.x, 0.2, 0.7) + np.where(n <= self.n, 0.0, 0.05)
        scores = np.where(np.isnan(x), self.null, scores)
        return np.where(known, scores, self.unseen)

    def run(self, columns: Columns) -> Outputs:
        scores = self.score(columns)
        if self.regression:
            return Outputs(values=scores * 1000, probabilities=None)
        return answer(scores)


def answer(scores: Any) -> Outputs:
    labels = np.where(scores > 0.5, "yes", "no").astype(object)
    return Outputs(values=labels, probabilities=np.column_stack([1 - scores, scores]))


@dataclass(frozen=True)
class Changed:
    """A model whose answers are changed on the way out."""

    change: Callable[[Columns, Outputs], Outputs]
    model: Stump = Stump()
    fenced: bool = True

    def run(self, columns: Columns) -> Outputs:
        return self.change(columns, self.model.run(columns))


@pytest.fixture(scope="module")
def reference() -> Table:
    random = np.random.default_rng(0)
    x = random.random(400)
    x[::10] = np.nan
    return Table.of({"x": x, "n": random.integers(0, 101, 400), "c": np.array(["a", "b"] * 200, dtype=object)})


def prepared(original: Any, reference: Table, signature: Signature = SIGNATURE) -> tuple[Trial, ...]:
    return tuple(trials(original, signature, reference, reference.take(slice(0, 8))))


def attempt(compiled: Any, reference: Table, original: Any = None, signature: Signature = SIGNATURE) -> Attempt:
    original = original or Stump()
    return compare(compiled, prepared(original, reference, signature), signature, precision="single")


def test_the_same_answers_are_equal(reference: Table) -> None:
    found = attempt(Stump(), reference)
    assert found.equal
    assert found.largest_difference == 0.0
    assert found.rows.keys() == {"golden", "reference", "nulls", "unseen", "extremes", "ties", "boundaries"}
    assert all(count > 0 for count in found.rows.values())
    assert found.counter_example is None


def test_differences_within_the_tolerance_are_allowed(reference: Table) -> None:
    near = Changed(lambda _, given: answer(given.probabilities[:, 1] + TOLERANCE / 2))  # type: ignore[index]
    found = attempt(near, reference)
    assert found.equal
    assert found.largest_difference == pytest.approx(TOLERANCE / 2)


DIFFERENT: dict[str, tuple[Any, str]] = {
    "a threshold moved by the smallest step": (Stump(x=float(np.nextafter(THRESHOLD, 1.0))), "boundaries"),
    "a threshold in float32": (Stump(x=float(np.float32(THRESHOLD))), "boundaries"),
    "a threshold of whole numbers": (Stump(n=41), "boundaries"),
    "a null": (Stump(null=0.8), "golden"),
    "an unseen category": (Stump(unseen=0.31), "unseen"),
    "a category known for another": (Stump(knows=("a",)), "golden"),
    "far beyond the range": (
        Changed(lambda columns, given: answer(given.probabilities[:, 1] + (columns["x"].astype(float) > 5) * 0.01)),  # type: ignore[index]
        "extremes",
    ),
    "refuses an unseen category": (Stump(refuses_unseen=True), "unseen"),
    "NaN": (Changed(lambda _, given: answer(given.probabilities[:, 1] * np.nan)), "golden"),  # type: ignore[index]
    "labels swapped, scores kept": (
        Changed(lambda _, given: replace(given, values=given.values[::-1])),
        "golden",
    ),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_every_difference_is_found_with_the_row_that_shows_it(name: str, reference: Table) -> None:
    compiled, trial = DIFFERENT[name]
    found = attempt(compiled, reference)
    assert not found.equal
    assert found.reason is not None
    example = found.counter_example
    assert example is not None
    if name == "a threshold of whole numbers":
        assert example.row["n"] == 42
    else:
        assert example.trial == trial
    assert set(example.row) == {"x", "n", "c"}


def test_a_row_that_only_the_compiled_model_answers(reference: Table) -> None:
    found = attempt(Stump(), reference, original=Stump(refuses_unseen=True))
    assert not found.equal
    assert found.counter_example is not None
    assert (found.counter_example.trial, found.counter_example.original) == ("unseen", None)


def test_rows_that_both_refuse_are_equal(reference: Table) -> None:
    assert attempt(Stump(refuses_unseen=True), reference, original=Stump(refuses_unseen=True)).equal


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_answers_that_depend_on_the_batch(rows: int, reference: Table) -> None:
    def change(columns: Columns, given: Outputs) -> Outputs:
        return replace(given, values=given.values == "yes") if len(columns["x"]) == rows else given

    found = attempt(Changed(change), reference)
    assert not found.equal
    assert "beside them" in str(found.reason)


@pytest.mark.parametrize("rows", [1, 64])
def test_probabilities_that_depend_on_the_batch(rows: int, reference: Table) -> None:
    def change(columns: Columns, given: Outputs) -> Outputs:
        assert given.probabilities is not None
        return answer(given.probabilities[:, 1] + (0.01 if len(columns["x"]) == rows else 0.0))

    found = attempt(Changed(change), reference)
    assert not found.equal
    assert "beside them" in str(found.reason)


def test_answers_that_depend_on_the_order(reference: Table) -> None:
    def change(columns: Columns, given: Outputs) -> Outputs:
        first = columns["n"][0]
        return answer(np.full(len(given.values), 0.2)) if len(columns["n"]) == 256 and first == last else given

    (last,) = reference.take([255]).column("n").values.tolist()
    found = attempt(Changed(change), reference)
    assert not found.equal


def test_at_the_boundary_itself_either_label_is_right(reference: Table) -> None:
    tie = Changed(lambda _, given: answer(np.where(given.probabilities[:, 1] > 0.5, 0.5, 0.2)))  # type: ignore[index]
    other = Changed(
        lambda columns, given: replace(
            tie.run(columns), values=np.where(given.values == "yes", "yes", "no").astype(object)
        )
    )
    boundary = [trial for trial in prepared(tie, reference) if not trial.real and trial.kind != "ties"]
    assert compare(other, boundary, SIGNATURE, precision="single").equal


def test_a_tie_among_mixed_rows_keeps_its_label(reference: Table) -> None:
    tie = Changed(lambda _, given: answer(np.where(given.probabilities[:, 1] > 0.5, 0.5, 0.2)))  # type: ignore[index]
    other = Changed(
        lambda columns, given: replace(
            tie.run(columns), values=np.where(given.values == "yes", "yes", "no").astype(object)
        )
    )
    ties = [trial for trial in prepared(tie, reference) if trial.kind == "ties"]
    assert ties
    assert not compare(other, ties, SIGNATURE, precision="single").equal
    assert not compare(other, prepared(tie, reference), SIGNATURE, precision="single").equal


@pytest.mark.parametrize(("moved", "equal"), [(0.0, True), (1e-9, True), (0.05, False)])
def test_a_threshold_that_is_not_one_half(moved: float, equal: bool, reference: Table) -> None:
    """On the very threshold either label is right; a little further, only one."""

    @dataclass(frozen=True)
    class Cut:
        at: float
        fenced: bool = True

        def run(self, columns: Columns) -> Outputs:
            scores = np.nan_to_num(columns["x"].astype(float), nan=0.1) * 0.8
            return replace(answer(scores), values=np.where(scores >= self.at, "yes", "no").astype(object))

    assert attempt(Cut(0.3 + moved), reference, Cut(0.3)).equal is equal


def test_an_infinite_difference_can_be_written_and_read(reference: Table) -> None:
    endless = Changed(
        lambda _, given: replace(given, values=given.values.astype(float) * np.inf), Stump(regression=True)
    )
    found = attempt(endless, reference, Stump(regression=True), REGRESSION)
    assert not found.equal
    again = strict_json.decode(strict_json.encode(found), Attempt, where="")
    assert again.largest_difference == found.largest_difference > 1e300


def test_several_nulls_at_once_and_known_words_written_otherwise() -> None:
    features = (
        *(Feature(name=name, kind="float", dtype="float64", nullable=True, minimum=0.0, maximum=1.0) for name in "xyz"),
        Feature(name="c", kind="category", dtype="object", nullable=False, categories=("Köln", "b")),
    )
    signature = Signature(features=features, output=Output(task="regression"))
    table = Table.of({**{name: np.linspace(0, 1, 40) for name in "xyz"}, "c": ["Köln", "b"] * 20})

    @dataclass(frozen=True)
    class Both:
        """Knows what several nulls mean together, and trims what it is given."""

        wrong: bool = False
        fenced: bool = True

        def run(self, columns: Columns) -> Outputs:
            empty = np.isnan(columns["x"].astype(float)) & np.isnan(columns["y"].astype(float))
            spaced = np.array([word.strip() == "Köln" for word in columns["c"].tolist()]) & (columns["c"] != "Köln")
            return Outputs(values=np.where((empty | spaced) & self.wrong, 2.0, 1.0), probabilities=None)

    made = tuple(trials(Both(), signature, table, table))
    strangers = {word for trial in made if trial.kind == "unseen" for word in trial.rows.column("c").values.tolist()}
    assert {"Köln ", " Köln", "kÖLN", "Ko\u0308ln", ""} <= strangers
    found = compare(Both(wrong=True), made, signature, precision="single")
    assert found.counter_example is not None
    assert found.counter_example.row["x"] is None
    assert found.counter_example.row["y"] is None


def test_thresholds_of_every_tree_are_tried() -> None:
    random = np.random.default_rng(0)
    numbers = random.normal(size=(300, 3))
    forest = RandomForestClassifier(12, random_state=0).fit(numbers, numbers[:, 0] + numbers[:, 1] ** 2 > 0.5)
    names = ["a", "b", "c"]
    table = Table.of(numbers, names)
    signature = learn_signature(table, output_of(forest, None))
    rows = thresholds(EstimatorRuntime(forest, signature), signature, table, random)
    assert rows is not None
    values = {name: set(rows.column(name).values.tolist()) for name in names}
    for tree in forest.estimators_:
        asked = [
            (names[feature], at)
            for feature, at in zip(tree.tree_.feature, tree.tree_.threshold, strict=True)
            if feature >= 0
        ]
        tried = [at in values[name] and float(np.nextafter(at, np.inf)) in values[name] for name, at in asked]
        assert np.mean(tried) > 0.9


def test_a_deep_threshold_moved_by_a_little_is_found() -> None:
    """A node at the bottom of one tree out of many, that only few rows come to."""
    random = np.random.default_rng(1)
    numbers = random.normal(size=(400, 2))
    forest = RandomForestRegressor(30, random_state=0).fit(numbers, np.sin(numbers[:, 0] * 4) + numbers[:, 1])
    table = Table.of(numbers, ["a", "b"])
    signature = learn_signature(table, output_of(forest, None))
    original = EstimatorRuntime(forest, signature)
    made = [
        trial for trial in trials(original, signature, table, table.take(slice(0, 8))) if trial.kind == "thresholds"
    ]
    other = copy.deepcopy(forest)
    tree = other.estimators_[17].tree_
    node = np.flatnonzero((tree.children_left != -1) & (tree.n_node_samples < 12))[0]
    tree.threshold[node] = np.nextafter(np.float32(tree.threshold[node]), np.float32(np.inf)) + 1e-6
    found = compare(EstimatorRuntime(other, signature), made, signature, precision="double")
    assert found.counter_example is not None
    assert found.counter_example.trial == "thresholds"


def test_personal_features_are_not_shown() -> None:
    features = tuple(
        Feature(
            name=name, kind="float", dtype="float64", nullable=False, minimum=0.0, maximum=1.0, personal=name == "x"
        )
        for name in ("x", "y")
    )
    signature = Signature(features=features, output=Output(task="regression"))

    @dataclass(frozen=True)
    class Sum:
        more: float = 0.0
        fenced: bool = True

        def run(self, columns: Columns) -> Outputs:
            return Outputs(
                values=columns["x"].astype(float) + columns["y"].astype(float) + self.more, probabilities=None
            )

    table = Table.of({"x": [0.0, 1.0], "y": [0.5, 0.2]})
    made = tuple(trials(Sum(), signature, table, table))
    found = compare(Sum(more=0.1), made, signature, precision="single")
    assert found.counter_example is not None
    assert set(found.counter_example.row) == {"y"}
    assert found.counter_example.difference == pytest.approx(0.1 / 1.2)


@pytest.mark.parametrize(("more", "equal"), [(0.0, True), (0.0008, True), (0.0011, False)])
def test_numbers_are_compared_by_their_scale(more: float, equal: bool, reference: Table) -> None:
    original = Stump(regression=True)
    # The largest answer to real rows is 900.
    compiled = Changed(lambda _, given: replace(given, values=given.values.astype(float) + more), original)
    assert attempt(compiled, reference, original, REGRESSION).equal is equal


def test_labels_without_scores_are_compared_a_little_off_the_boundary(reference: Table) -> None:
    signature = Signature(
        features=SIGNATURE.features, output=Output(task="binary", classes=("no", "yes"), dtype="object")
    )

    def bare(model: Stump) -> Changed:
        return Changed(lambda _, given: replace(given, probabilities=None), model)

    near, far = bare(Stump(x=THRESHOLD + 1e-7)), bare(Stump(x=THRESHOLD + 1e-3))
    assert attempt(near, reference, bare(Stump()), signature).equal
    assert not attempt(far, reference, bare(Stump()), signature).equal


def test_the_first_graph_that_is_equal_is_taken(reference: Table) -> None:
    models: dict[bytes, Any] = {b"wrong": Stump(x=0.4), b"right": Stump(), b"later": Stump()}
    tried = []

    def load(data: bytes) -> Any:
        tried.append(data)
        if data == b"broken":
            raise ArtifactError(verbatim("it cannot be loaded"), verbatim("x"))
        return models[data]

    graphs = iter([Graph(precision=name.decode(), onnx=name) for name in (b"broken", b"wrong", b"right", b"later")])
    graph, attempts = find_equal(graphs, load, prepared(Stump(), reference), SIGNATURE)
    assert graph == b"right"
    assert tried == [b"broken", b"wrong", b"right"]
    assert [each.equal for each in attempts] == [False, False, True]
    graph, attempts = find_equal(
        iter([Graph(precision="x", onnx=b"wrong")]), load, prepared(Stump(), reference), SIGNATURE
    )
    assert graph is None
    assert len(attempts) == 1


def test_boundaries_lie_on_both_sides_of_every_threshold(reference: Table) -> None:
    (boundary,) = [trial for trial in prepared(Stump(), reference) if trial.kind == "boundaries"]
    values = set(boundary.rows.column("x").values.tolist())
    assert {THRESHOLD, float(np.nextafter(THRESHOLD, 1.0)), float(np.float32(THRESHOLD))} <= values
    assert {42, 43} <= set(boundary.rows.column("n").values.tolist())


def test_rejected_values_are_not_tried(reference: Table) -> None:
    strict = Signature(
        features=(
            Feature(name="x", kind="float", dtype="float64", nullable=False, out_of_range="reject"),
            SIGNATURE.features[1],
            Feature(
                name="c",
                kind="category",
                dtype="object",
                nullable=False,
                categories=("a", "b"),
                unseen_category="reject",
            ),
        ),
        output=BINARY,
    )
    whole = reference.take(~reference.column("x").null)
    made = prepared(Stump(), whole, strict)
    assert {trial.kind for trial in made} == {"golden", "reference", "extremes", "ties", "boundaries"}
    tried = np.concatenate([trial.rows.column("x").values for trial in made]).astype(float)
    low, high = whole.column("x").values.min(), whole.column("x").values.max()
    assert tried.min() >= low
    assert tried.max() <= high


def test_a_feature_that_is_refused_between_its_values_does_not_hide_the_others(reference: Table) -> None:
    @dataclass(frozen=True)
    class Picky(Stump):
        def run(self, columns: Columns) -> Outputs:
            if (columns["n"].astype(int) % 2).any():
                raise ModelFailed("model_error", verbatim("x"), verbatim("x"))
            return super().run(columns)

    even = Table.of({"x": reference.column("x").values, "n": [2, 4] * 200, "c": ["a", "b"] * 200})
    (boundary,) = [trial for trial in prepared(Picky(), even) if trial.kind == "boundaries"]
    assert THRESHOLD in boundary.rows.column("x").values.tolist()
    assert not attempt(Picky(x=float(np.nextafter(THRESHOLD, 1.0))), even, Picky()).equal


def test_wide_tables_are_tried_on_some_of_their_features() -> None:
    names = [f"x{index}" for index in range(2_000)]
    features = tuple(Feature(name=name, kind="float", dtype="float64", nullable=True) for name in names)
    signature = Signature(features=features, output=Output(task="regression"))
    table = Table.of(np.random.default_rng(0).normal(size=(10, 2_000)), names)

    @dataclass(frozen=True)
    class First:
        fenced: bool = True

        def run(self, columns: Columns) -> Outputs:
            return Outputs(values=np.nan_to_num(columns["x0"].astype(float)), probabilities=None)

    made = tuple(trials(First(), signature, table, table))
    assert sum(trial.rows.rows for trial in made) < 50_000
    assert {trial.kind for trial in made} >= {"golden", "reference", "nulls", "extremes"}
