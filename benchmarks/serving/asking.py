"""How each contestant is asked: the bodies that it takes, and where the labels stand in what it answers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.serving.models import Row, Subject

JSON = "application/json"
ARROW = "application/vnd.apache.arrow.stream"
BINARY = "application/octet-stream"
SINGLE, BATCH = "single", "batch"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One task: what is sent, and what must come back.

    Attributes:
        path: Where it is sent.
        bodies: Sent in turn.
        labels: What the model itself says of the rows of each body; empty where nothing is predicted.
        read: Returns the labels in an answer.
        headers: What is sent with each.

    """

    path: str
    bodies: tuple[bytes, ...]
    labels: tuple[tuple[object, ...], ...] = ()
    read: Callable[[bytes], Sequence[object]] | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON})


@dataclass(frozen=True, kw_only=True)
class Form:
    """A protocol: how rows are written for one service, and how its labels are read.

    Attributes:
        path: Where predictions are asked for.
        write: Returns the body for some rows.
        read: Returns the labels of some rows from the decoded answer.
        batch_path: Where several rows go; by default the same place.
        write_one: Returns the body for a single row where that is another.

    """

    path: str
    write: Callable[[Sequence[Row]], Any]
    read: Callable[[Any], Sequence[object]]
    batch_path: str | None = None
    write_one: Callable[[Row], Any] | None = None

    def tasks(self, subject: Subject) -> dict[str, Asked]:
        """Return the two tasks that everybody has: rows one by one, and a thousand at once."""
        one = self.write_one or (lambda row: self.write([row]))
        return {
            SINGLE: Asked(
                path=self.path,
                bodies=tuple(json.dumps(one(row)).encode() for row in subject.rows),
                labels=tuple((label,) for label in subject.labels),
                read=lambda body: self.read(json.loads(body)),
            ),
            BATCH: Asked(
                path=self.batch_path or self.path,
                bodies=(json.dumps(self.write(subject.many)).encode(),),
                labels=(subject.many_labels,),
                read=lambda body: self.read(json.loads(body)),
            ),
        }


def native() -> Form:
    """Return the form of Sekisho's own routes, which the plain service has too."""

    def read(answer: Any) -> Sequence[object]:
        if "prediction" in answer:
            return [answer["prediction"]]
        return [one["prediction"] if isinstance(one, dict) else one for one in answer["predictions"]]

    return Form(
        path="/predict",
        batch_path="/predict/batch",
        write=lambda rows: [{"features": row} for row in rows],
        write_one=lambda row: {"features": row},
        read=read,
    )


def lists(key: str, answer: str, *, path: str = "/predict") -> Form:
    """Return a form that holds rows as lists under ``key``, and the labels under ``answer``."""
    return Form(
        path=path, write=lambda rows: {key: [list(row.values()) for row in rows]}, read=lambda body: body[answer]
    )


def records(answer: str) -> Form:
    """Return the form of vetiver: a list of rows by name."""
    return Form(path="/predict", write=list, read=lambda body: body[answer])


def named(key: str) -> Form:
    """Return the form of BentoML: the rows under the name of a parameter; the answer is what the function returns."""
    return Form(path="/predict", write=lambda rows: {key: list(rows)}, read=lambda body: body)


def split() -> Form:
    """Return MLflow's form: column names beside rows of values."""

    def write(rows: Sequence[Row]) -> Any:
        return {"dataframe_split": {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}}

    return Form(path="/invocations", write=write, read=lambda body: body["predictions"])


def open_inference(subject: Subject) -> Form:
    """Return the form of MLServer's scikit-learn runtime: one tensor of numbers, or a tensor a column read as a table."""

    def numbers(rows: Sequence[Row]) -> Any:
        data = [value for row in rows for value in row.values()]
        return {"inputs": [{"name": "predict", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": data}]}

    def columns(rows: Sequence[Row]) -> Any:
        inputs: list[dict[str, Any]] = []
        for name in rows[0]:
            values = [row[name] for row in rows]
            if any(isinstance(value, str) for value in (row[name] for row in subject.many)):
                text = {"datatype": "BYTES", "parameters": {"content_type": "str"}}
                inputs.append({"name": name, "shape": [len(rows)], "data": values, **text})
            else:
                inputs.append({"name": name, "shape": [len(rows)], "data": values, "datatype": "FP64"})
        return {"parameters": {"content_type": "pd"}, "inputs": inputs}

    return Form(
        path=f"/v2/models/{subject.name}/infer",
        write=numbers if subject.numeric else columns,
        read=lambda body: body["outputs"][0]["data"],
    )


def tables(subject: Subject) -> dict[str, Asked]:
    """Return a thousand rows as Sekisho takes them besides JSON: Arrow, and tensors in binary."""
    found = {"batch-arrow": _arrow(subject)}
    if subject.numeric:
        found["batch-binary"] = _binary(subject)
    return found


def _arrow(subject: Subject) -> Asked:
    import pyarrow as pa

    table = pa.Table.from_pylist(list(subject.many))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)

    def read(body: bytes) -> Sequence[object]:
        labels: list[object] = pa.ipc.open_stream(body).read_all().column("prediction").to_pylist()
        return labels

    return Asked(
        path="/predict/batch",
        bodies=(sink.getvalue(),),
        labels=(subject.many_labels,),
        read=read,
        headers={"Content-Type": ARROW, "Accept": ARROW},
    )


def _binary(subject: Subject) -> Asked:
    import numpy as np

    values = np.array([list(row.values()) for row in subject.many], dtype="<f4")
    described = {
        "inputs": [
            {
                "name": "rows",
                "shape": list(values.shape),
                "datatype": "FP32",
                "parameters": {"binary_data_size": values.nbytes},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
    text = json.dumps(described).encode()

    def read(body: bytes) -> Sequence[object]:
        answer, end = json.JSONDecoder().raw_decode(body.decode("latin-1"))
        for output in answer["outputs"]:
            size = output["parameters"]["binary_data_size"]
            if output["name"] == "prediction":
                kind = {"INT64": "<i8", "INT32": "<i4", "FP64": "<f8", "FP32": "<f4"}[output["datatype"]]
                labels: list[object] = np.frombuffer(body[end : end + size], dtype=kind).tolist()
                return labels
            end += size
        return []

    return Asked(
        path=f"/v2/models/{subject.name}/infer",
        bodies=(text + values.tobytes(),),
        labels=(subject.many_labels,),
        read=read,
        headers={"Content-Type": BINARY, "Inference-Header-Content-Length": str(len(text))},
    )
