"""One contestant on one table, in a process of its own: ``python -m benchmarks.scoring.child WHO MODEL TABLE``; prints what it took as JSON."""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sekisho.scoring.machine import peak_memory

CHUNK = 4_096
FRAME_ROWS = 100_000
FLOOR_ROWS = 500_000


def main() -> None:
    """Run one contestant."""
    who, model, table = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    cores = len(os.sched_getaffinity(0))
    rows, seconds, cpu = {"raw": raw, "sekisho": ours, "pandas": frames}[who](model, table, cores)
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu_seconds": cpu, "peak_mib": peak_memory() >> 20}))


def timed(work: Any) -> tuple[float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - cpu


def raw(model: Path, table: Path, cores: int) -> tuple[int, float, float]:
    """Ask ONNX Runtime alone, on every core, for rows that lie in memory as it takes them."""
    import numpy as np
    import onnxruntime
    from pyarrow import parquet

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        (model / "model.onnx").read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    names = [f"f{number}" for number in range(20)]
    first = next(parquet.ParquetFile(table).iter_batches(FLOOR_ROWS, columns=names))
    values = np.stack([column.to_numpy() for column in first.columns], axis=1).astype(np.float32)
    name = session.get_inputs()[0].name
    starts = range(0, len(values), CHUNK)
    repeats = 4

    def work() -> None:
        with ThreadPoolExecutor(cores) as pool:
            for _ in range(repeats):
                list(pool.map(lambda start: session.run(None, {name: values[start : start + CHUNK]}), starts))

    session.run(None, {name: values[:CHUNK]})
    return len(values) * repeats, *timed(work)


def ours(model: Path, table: Path, cores: int) -> tuple[int, float, float]:  # noqa: ARG001
    """Score a file into a file of its format; loading and proving the model is part of it."""
    from sekisho.scoring.score import score_file

    out = table.with_name(f"out{table.suffix}")
    done: list[Any] = []
    spent = timed(lambda: done.append(score_file(model, table, out, keep=["id"], overwrite=True)))
    return done[0].rows, *spent


def frames(model: Path, table: Path, cores: int) -> tuple[int, float, float]:
    """Read with pandas, ask scikit-learn, append: as scripts do it, on every core."""
    import joblib
    import pandas as pd
    from pyarrow import parquet

    fitted = joblib.load(model.with_suffix(".joblib"))
    if hasattr(fitted, "n_jobs"):
        fitted.n_jobs = cores
    out = table.with_name("frames.csv")
    rows = 0

    def work() -> None:
        nonlocal rows
        pieces: Any
        if table.suffix == ".csv":
            pieces = pd.read_csv(table, chunksize=FRAME_ROWS)
        else:
            pieces = (batch.to_pandas() for batch in parquet.ParquetFile(table).iter_batches(FRAME_ROWS))
        for number, piece in enumerate(pieces):
            features = piece.drop(columns="id")
            answers = pd.DataFrame(fitted.predict_proba(features), columns=["p0", "p1"])
            answers.insert(0, "prediction", fitted.classes_[answers.to_numpy().argmax(axis=1)])
            answers.insert(0, "id", piece["id"].to_numpy())
            answers.to_csv(out, mode="a" if number else "w", header=not number, index=False)
            rows += len(piece)

    spent = timed(work)
    return rows, *spent


if __name__ == "__main__":
    main()
