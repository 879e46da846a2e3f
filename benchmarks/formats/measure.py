"""One example the whole way: trained, packed, loaded without a flag, compared with the model itself, and timed on one row."""

from __future__ import annotations

import shutil
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np
from benchmarks.formats.families.interface import Example, Family
from threadpoolctl import threadpool_limits

from sekisho import ModelArtifact, pack
from sekisho.artifact.table import Table
from sekisho.errors import SekishoError
from sekisho.predict.predictor import Predictor

ROUNDS = 7
ROUND_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Row:
    """What came of one example.

    Attributes:
        family, estimator, data: Which example.
        saved_as: The files of the model in the artifact.
        loads: Whether it was loaded, and asked, without a flag.
        onnx: What the proven graph computes in; ``None`` where the library itself answers.
        reason_en, reason_ja: Why there is no graph, or why it cannot be packed.
        rows: How many rows were compared: those of the proof, and those that the model had not seen.
        largest_difference: Between the model's own answers and the artifact's: of probabilities, or of numbers as a share of the largest;
            of labels, the share that differs.
        labels_only: Whether there are no numbers to compare.
        own_seconds, seconds: One row: the library's own prediction from a table of one row; the artifact's, from JSON to checked answer.
        pack_seconds: How long packing took.

    """

    family: str
    estimator: str
    data: str
    saved_as: tuple[str, ...] = ()
    loads: bool = False
    onnx: str | None = None
    reason_en: str | None = None
    reason_ja: str | None = None
    rows: int = 0
    largest_difference: float | None = None
    labels_only: bool = False
    own_seconds: float | None = None
    seconds: float | None = None
    pack_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(family: Family, example: Example, folder: Path) -> Row:
    """Take one example the whole way. ``folder`` is made anew."""
    data = example.data()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # of training: a solver that stopped early trains a model as good for this as any
        model = example.fit(example.make(), data)
    shutil.rmtree(folder, ignore_errors=True)
    about: dict[str, Any] = {"family": family.id, "estimator": example.name, "data": data.name}
    start = time.perf_counter()
    try:
        pack(model, data.rows, data.answers, folder=folder, name="example", lock=False, **example.pack)
    except SekishoError as error:
        return Row(**about, reason_en=error.what.en, reason_ja=error.what.ja)
    pack_seconds = time.perf_counter() - start
    artifact = ModelArtifact.load(folder)
    outputs = artifact.predict(data.asked)
    output = artifact.signature.output
    difference = _difference(
        example, model, data.asked, outputs, max(abs(output.minimum or 0), abs(output.maximum or 0))
    )
    parity = artifact.parity
    proof = sum(parity.attempts[-1].rows.values()) if parity.proven else 0
    proven = parity.attempts[-1].largest_difference if parity.proven else 0.0
    own, ours = _one_row(example, model, artifact, data.asked)
    return Row(
        **about,
        saved_as=tuple(file.name for file in artifact.manifest.files if file.name.startswith("model.")),
        loads=True,
        onnx=parity.precision,
        reason_en=None if parity.reason is None else parity.reason.en,
        reason_ja=None if parity.reason is None else parity.reason.ja,
        rows=proof + len(data.asked),
        largest_difference=max(difference, proven),
        labels_only=outputs.probabilities is None and outputs.values.dtype.kind != "f",
        own_seconds=own,
        seconds=ours,
        pack_seconds=pack_seconds,
    )


def _difference(example: Example, model: Any, asked: Any, outputs: Any, largest: float) -> float:
    """Return how far the artifact's answers are from the model's own; numbers by the scale of the proof, the largest answer there is."""
    own = np.asarray(example.ask(model, asked))
    given = outputs.values if outputs.probabilities is None or own.ndim == 1 else outputs.probabilities
    given = np.asarray(given).reshape(own.shape)
    if own.dtype.kind != "f":
        return float(np.mean(own.astype(object) != given.astype(object)))
    scale = 1.0 if outputs.probabilities is not None else max(float(np.abs(own).max()), largest, 1e-300)
    return float(np.abs(own.astype(np.float64) - given.astype(np.float64)).max() / scale)


def _one_row(example: Example, model: Any, artifact: ModelArtifact, asked: Any) -> tuple[float, float]:
    """Return the seconds that one row takes: the model itself, and the artifact with all that a service does of it."""
    predictor = Predictor(artifact.signature, artifact.runtime())
    one = asked[:1]
    (record,) = Table.of(one, artifact.signature.names if isinstance(one, np.ndarray) else None).records()
    body = msgspec.json.encode({name: record[name] for name in artifact.signature.names})
    decoder = msgspec.json.Decoder(predictor.reader.wire_type)
    with threadpool_limits(limits=1):  # as the runtime has it: bringing threads together for one row only costs
        own = _seconds(lambda: example.ask(model, one))
    return own, _seconds(lambda: predictor.predict([predictor.reader.cells(decoder.decode(body))]))


def _seconds(call: Callable[[], object]) -> float:
    """Return the median of several rounds, each of as many calls as fill :data:`ROUND_SECONDS`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        call()
        start = time.perf_counter()
        call()
        calls = max(1, int(ROUND_SECONDS / max(time.perf_counter() - start, 1e-7)))
        rounds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            for _ in range(calls):
                call()
            rounds.append((time.perf_counter() - start) / calls)
    return median(rounds)
